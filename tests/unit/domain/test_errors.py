"""Errors are named by what happens next."""

from __future__ import annotations

import inspect

from sara import ChannelUnavailable, NotSent, RetryLater, SaraError
from sara.domain import errors
from tests.rows import each_row

ALL = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, SaraError)]


@each_row("error", ALL)
def test_an_error_says_what_it_means_where_nobody_says_more(error: type[SaraError]) -> None:
    assert str(error()) == " ".join((error.__doc__ or "").split("\n\n")[0].split()) != ""


@each_row("error", ALL)
def test_an_error_says_what_it_was_told(error: type[SaraError]) -> None:
    assert str(error("the token has expired")) == "the token has expired"


def test_what_is_not_known_of_a_wait_is_none() -> None:
    assert RetryLater().after is None
    assert RetryLater(after=500).after == 500
    assert NotSent().after is None
    assert NotSent(after=500).after == 500


def test_what_was_not_sent_concerns_its_message_alone_unless_said_otherwise() -> None:
    assert NotSent().scope == "message"
    assert NotSent(scope="channel").scope == "channel"


def test_unavailable_carries_its_remedy() -> None:
    assert ChannelUnavailable("expired", remedy="make a new token").remedy == "make a new token"
