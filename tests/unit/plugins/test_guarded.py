"""Guarded channels and responders stand for the plugin's own objects in everything that the contract names."""

from __future__ import annotations

from typing import Any

from sara import Channel, ChannelUnavailable, NotSent, Responder, RetryLater, SaraError
from sara.domain.redaction import Redactor
from sara.helpers import ProblemRegistry
from sara.plugins.failure_reporter import FailureReporter, clean_error
from sara.plugins.guarded import GuardedChannel, GuardedResponder


def test_every_method_and_value_of_the_contract_is_the_plugins_own() -> None:
    for contract, guarded in ((Channel, GuardedChannel), (Responder, GuardedResponder)):
        named = {
            name
            for base in contract.__mro__[:2]
            for name in (*vars(base), *getattr(base, "__annotations__", {}))
            if not name.startswith("_") and name not in ("Options", "simulator")
        }
        methods = {name for name in named if callable(getattr(contract, name, None))}
        own = {name for base in guarded.__mro__[: guarded.__mro__.index(contract)] for name in vars(base)}
        assert methods - own == set()

        class Odd(contract):  # type: ignore[misc, valid-type]  # each of the two in turn
            pass

        Odd.__abstractmethods__ = frozenset()
        for name in named - methods:
            default = getattr(contract, name, None)
            value: Any = {
                "account": "odd:1", "webhook": "/odd", "kinds": frozenset({"odd"}), "on_doubt": "hold", "receipts_carry_attempt": True
            }.get(name, 4711)  # fmt: skip
            assert value != default
            setattr(Odd, name, value)
        wrapped = guarded(Odd(), FailureReporter("channel", "odd", "odd", ProblemRegistry(lambda: 0)))
        assert {name: getattr(wrapped, name) for name in named - methods} == {
            name: getattr(Odd, name) for name in named - methods
        }


def test_an_error_of_a_plugin_holds_no_secret_and_only_values_that_can_be_used() -> None:
    redact = Redactor(["the-token"])
    loud: Any = NotSent("https://x/the-token/send\x00 \ud800", after="5", scope="galaxy", message_at_fault=1, remedy=None)  # type: ignore[arg-type]
    loud.details = "it was the-token"
    quiet: Any = clean_error(loud, redact)
    assert (str(quiet), quiet.details) == ("https://x/…/send \ufffd", "it was …")
    assert (quiet.after, quiet.scope, quiet.message_at_fault, quiet.remedy) == (None, "message", False, "")
    rows: tuple[tuple[SaraError, Any], ...] = (
        (NotSent("soon", after=1.6, scope="channel"), (2, "channel")),  # type: ignore[arg-type]
        (NotSent("soon", after=-5), (0, "message")),
        (RetryLater("soon", after=7, scope="responder"), (7, "responder")),
        (RetryLater("soon", after=True, scope="channel"), (None, "conversation")),  # type: ignore[arg-type]
    )
    for error, expected in rows:
        told: Any = clean_error(error, redact)
        assert (told.after, told.scope) == expected
    assert len(str(clean_error(ChannelUnavailable("x" * 10_000), redact))) == 2_000
    assert str(clean_error(ChannelUnavailable({"a": 1}), redact)) == "{'a': 1}"  # type: ignore[arg-type]
