"""Checked options and their building blocks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sara.config.settings import Config, Listen, Server
from sara.domain.options import FROM_FILE, Duration, Options, format_duration, parse_duration
from sara.plugins.section import Section
from sara.policy.settings import ConversationSettings, RetryPolicy, RetrySettings
from tests.rows import each_row


@each_row(("text", "address"),
    [
        ("127.0.0.1:8080", Listen("127.0.0.1", 8080)), ("[::1]:8080", Listen("::1", 8080)), ("0.0.0.0:0", Listen("0.0.0.0", 0)),
        ("localhost:65535", Listen("localhost", 65535)), ("[fe80::1%eth0]:1", Listen("fe80::1%eth0", 1)),
    ])  # fmt: skip
def test_an_address_is_a_host_and_a_port(text: str, address: Listen) -> None:
    assert Listen.parse(text) == address
    assert str(address) == text


@each_row("text", ["", "8080", ":8080", "::1:8080", "localhost", "localhost:", "a:65536", "a:-1", "a b:1", "http://a:1"])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="an address is a host and a port"):
        Listen.parse(text)


@given(st.text())
def test_no_text_makes_an_address_fail_otherwise(text: str) -> None:
    with suppress(ValueError):
        assert Listen.parse(text).port <= 65_535


@given(st.integers(min_value=0, max_value=36_500 * 86_400_000))
def test_a_duration_survives_being_written_and_read(millis: int) -> None:
    assert parse_duration(format_duration(millis)) == millis


@each_row("text", ["1", "1.s", "-1s", "1 s", "1w", "s", "", "1s1s", "1e3s", "٣s", 5, None, True, ["1s"]])
def test_anything_without_a_number_and_a_unit_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration is a number with a unit"):
        parse_duration(text)


def test_a_duration_beyond_all_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_duration("9" * 400 + "d")


def test_code_gives_durations_in_milliseconds_and_the_file_never_does() -> None:
    adapter = TypeAdapter[int](Duration)
    assert adapter.validate_python(250) == 250
    assert adapter.validate_python("250ms", context={FROM_FILE: True}) == 250
    with pytest.raises(ValidationError, match="with a unit"):
        adapter.validate_python(250, context={FROM_FILE: True})


def test_the_defaults_are_those_of_the_manual() -> None:
    conversation, retry = ConversationSettings(), RetrySettings()
    assert (conversation.debounce, conversation.debounce_max, conversation.max_age) == (1_000, 15_000, 43_200_000)
    assert (conversation.history.messages, conversation.history.tokens) == (40, 8_000)
    assert retry.reply == RetryPolicy(attempts=4, initial_delay=1_000, factor=2, max_delay=300_000, max_duration=1_800_000)
    assert retry.send == RetryPolicy(attempts=4, initial_delay=1_000, factor=2, max_delay=300_000, max_duration=86_400_000)


def test_sending_outlasts_a_day_also_when_something_else_about_it_is_set() -> None:
    assert RetrySettings.model_validate({"send": {"attempts": 6}}).send.max_duration == 86_400_000
    assert RetrySettings.model_validate({"send": {"max_duration": "2h"}}).send.max_duration == 7_200_000
    assert RetrySettings(send=RetryPolicy(attempts=1)).send.attempts == 1


@each_row(
    "policy",
    [
        {"attempts": 0},
        {"factor": 0.9},
        {"factor": float("inf")},
        {"initial_delay": 0},
        {"initial_delay": 2_000, "max_delay": 1_000},
        {"max_duration": -1},
    ],
)
def test_a_retry_policy_that_makes_no_sense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy(**policy)


def test_the_longest_quiet_window_is_not_shorter_than_the_shortest() -> None:
    with pytest.raises(ValidationError, match=r"debounce_max \(2s\) must not be shorter than debounce \(3s\)"):
        ConversationSettings(debounce=3_000, debounce_max=2_000)


@each_row("url", ["bot.example.org", "ftp://a", "https://", "https://a?b=c", "https://a:b"])
def test_a_public_url_is_an_address_of_the_web(url: str) -> None:
    with pytest.raises(ValidationError):
        Server(public_url=url)


def test_a_public_url_loses_the_slash_at_its_end() -> None:
    assert Server(public_url="https://bot.example.org/").public_url == "https://bot.example.org"


def test_trusted_proxies_are_addresses_or_networks() -> None:
    rows = [
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:db8::/32", "2001:db8::/32"),
        *(
            (wrong, None)
            for wrong in ("", "localhost", "10.0.0", "10.0.0.0/33", "127.0.0.1:80", "*", 10, None, True, ["::1"], {})
        ),
    ]
    for written, network in rows:
        if network is not None:
            assert [str(each) for each in Server(trusted_proxies=(written,)).trusted_proxies] == [network], written
            continue
        with pytest.raises(ValidationError, match="an IP address or network is needed"):
            Server(trusted_proxies=(written,))  # type: ignore[arg-type]
    for share in (0, -1, 65_536):
        with pytest.raises(ValidationError):
            Server(connections_per_address=share)


def test_a_configuration_can_be_built_by_hand_from_the_least() -> None:
    sqlite = Section("store", "sqlite", Options())
    config = Config(state=Path("/tmp/state"), store=sqlite, queue=sqlite)
    assert config.server.listen == Listen("127.0.0.1", 8080)
    assert config.admin.listen == Listen("127.0.0.1", 8081)
    assert not config.channels
