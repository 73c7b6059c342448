"""What SARA says in its own words."""

from __future__ import annotations

import re

import pytest

from sara.rules import consent_of
from sara.texts import ENGLISH, text


@pytest.mark.parametrize("key", ENGLISH)
def test_every_text_says_something(key: str) -> None:
    assert text(key).strip() == text(key) != ""


def test_a_text_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        text("no_such_text")


def test_the_word_that_brings_people_back_works() -> None:
    [word] = re.findall(r"Send ([A-Z]+)", text("opted_out"))
    assert consent_of(word) == "opt_in"
