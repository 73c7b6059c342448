from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sara_openai.options import OpenAIOptions

from tests.rows import each_row


def test_a_key_alone_is_enough_and_asks_openai_itself() -> None:
    options = OpenAIOptions.model_validate({"api_key": "sk-1"})
    assert (options.model, options.url, options.key) == ("gpt-5-mini", "https://api.openai.com/v1", "sk-1")
    assert options.timeout == 60_000


def test_a_server_of_ones_own_needs_no_key() -> None:
    options = OpenAIOptions(base_url="http://127.0.0.1:11434/v1/")
    assert (options.url, options.host) == ("http://127.0.0.1:11434/v1", "127.0.0.1:11434")
    assert options.key


def test_without_key_and_server_the_error_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    with pytest.raises(ValidationError, match=r"api_key: !secret openai_api_key.*base_url"):
        OpenAIOptions()


def test_the_line_end_of_a_key_file_is_no_part_of_the_key() -> None:
    assert OpenAIOptions.model_validate({"api_key": "sk-1\n"}).key == "sk-1"


@each_row("key", ["", "  \n", "sk-1 sk-2", "sk-…", "sk-1\nsk-2"])
def test_a_key_that_can_be_none_is_an_error_that_does_not_quote_it(key: str) -> None:
    with pytest.raises(ValidationError, match="the key") as caught:
        OpenAIOptions.model_validate({"api_key": key})
    assert "sk-" not in str(caught.value)


@each_row("url", ["127.0.0.1:11434", "ftp://host/v1", "http://", "http://host:port/v1", "http://host/v1?key=1"])
def test_an_address_that_cannot_be_called_is_an_error(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        OpenAIOptions(base_url=url)


@each_row(
    "wrong",
    [
        {"timeout": "0s"},
        {"timeout": 60.5},
        {"temperature": 3},
        {"max_output_tokens": 0},
        {"modell": "x"},
        {"model": ""},
        {"api": "chat"},
        {"tool_rounds": 0},
        {"tool_rounds": 21},
    ],
)
def test_a_value_out_of_range_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        OpenAIOptions.model_validate({"api_key": "sk-1", **wrong})


def test_without_a_word_about_it_the_new_is_off_and_the_time_is_utc() -> None:
    options = OpenAIOptions.model_validate({"api_key": "sk-1"})
    assert (options.api, options.tool_rounds, options.facts, options.summary_instructions) == ("completions", 5, True, "")
    assert options.zone() is UTC


@each_row("name", ["Europe/Lisbon", "America/Sao_Paulo", "Asia/Kolkata", " Europe/Lisbon\n"])
def test_a_time_zone_is_named_as_iana_does(name: str) -> None:
    assert OpenAIOptions.model_validate({"api_key": "sk-1", "timezone": name}).zone("Asia/Tokyo") == ZoneInfo(name.strip())


@each_row(
    ("name", "hint"),
    [
        ("Europe/Lisbn", "did you mean Europe/Lisbon"),
        ("Lisbon", "did you mean Europe/Lisbon"),
        ("america/sao paulo", "did you mean America/Sao_Paulo"),
        ("Berlin", "did you mean Europe/Berlin"),
        ("Narnia", "write one as in"),
        ("", "write one as in"),
        ("Europe", "time zone"),
        ("../../etc/passwd", "write one as in"),
        ("/etc/passwd", "write one as in"),
        ("x\x00", "time zone"),
    ],
)
def test_a_time_zone_that_does_not_exist_is_an_error_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        OpenAIOptions.model_validate({"api_key": "sk-1", "timezone": name})


def test_a_machine_without_time_zone_data_still_knows_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert OpenAIOptions.model_validate({"api_key": "sk-1", "timezone": "UTC"}).zone() is UTC
    with pytest.raises(ValidationError, match="tzdata"):
        OpenAIOptions.model_validate({"api_key": "sk-1", "timezone": "Mars/Olympus"})


def test_the_host_that_people_read_holds_no_password() -> None:
    assert OpenAIOptions(base_url="https://user:pass@proxy.example.org/v1").host == "proxy.example.org"


def test_every_option_says_what_it_is() -> None:
    assert all(field.description for field in OpenAIOptions.model_fields.values())


def test_printed_options_hold_no_key() -> None:
    assert "sk-1" not in repr(OpenAIOptions.model_validate({"api_key": "sk-1"}))
