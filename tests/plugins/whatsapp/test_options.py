"""What sara.yaml may say about the channel."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sara_whatsapp.options import WhatsAppOptions

from tests.rows import each_row

NEEDED: dict[str, Any] = {
    "phone_number_id": "109000000000555",
    "app_secret": "s3cret",
    "access_token": "EAAtoken",
    "verify_token": "verify me",
}


def options(**changes: Any) -> WhatsAppOptions:
    return WhatsAppOptions.model_validate(NEEDED | changes)


def test_the_defaults_are_those_of_the_manual() -> None:
    defaults = options()
    assert (defaults.webhook, defaults.graph_url) == ("/webhook/messages", "https://graph.facebook.com")
    assert (defaults.api_version, defaults.throughput) == ("v26.0", 80)
    assert (defaults.on_doubt, defaults.doubt_timeout) == ("resend", 60_000)
    assert (defaults.business_account_id, defaults.app_id) == (None, None)
    assert (defaults.typing, defaults.read_receipts) == (True, True)
    assert (defaults.template, defaults.monthly_budget) == (None, None)


@each_row("key", NEEDED)
def test_what_is_needed_is_asked_for(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        WhatsAppOptions.model_validate({name: value for name, value in NEEDED.items() if name != key})


@each_row("key", ["app_secret", "access_token", "verify_token"])
@each_row("empty", ["", "   ", "\n", None])
def test_an_empty_secret_is_refused(key: str, empty: str | None) -> None:
    with pytest.raises(ValidationError):
        options(**{key: empty})


@pytest.mark.parametrize("secrets", [[], [""], ["good", " "]])
def test_a_list_of_secrets_must_hold_only_real_ones(secrets: list[str]) -> None:
    with pytest.raises(ValidationError):
        options(app_secret=secrets)


def test_one_secret_or_several_are_read_alike() -> None:
    assert [secret.reveal() for secret in options(app_secret="one\n").app_secrets] == ["one"]
    assert [secret.reveal() for secret in options(app_secret=["new", "old"]).app_secrets] == ["new", "old"]


@each_row("token", ["two words", "line\nend", "tokén", "\x00"])
def test_a_token_that_fits_no_header_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        options(access_token=token)
    assert token not in str(caught.value)


def test_secrets_never_print() -> None:
    printed = repr(options(app_secret=["s3cret", "older"]))
    assert not any(secret in printed for secret in ("s3cret", "older", "EAAtoken", "verify me"))


def test_an_id_may_be_written_as_a_number() -> None:
    assert options(phone_number_id=109000000000555).phone_number_id == "109000000000555"


@each_row("number", ["+15550009000", "109 000", "", True, 1.5, "١٢٣", None])
def test_what_is_no_id_is_refused(number: Any) -> None:
    with pytest.raises(ValidationError):
        options(phone_number_id=number)


@each_row(
    ("url", "kept"),
    [
        ("https://graph.facebook.com/", "https://graph.facebook.com"),
        ("https://proxy.example.org/meta/", "https://proxy.example.org/meta"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_safe_graph_address_is_taken(url: str, kept: str) -> None:
    assert options(graph_url=url).graph_url == kept


@each_row("url", ["http://graph.facebook.com", "http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0"])
def test_plain_http_beyond_loopback_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(ValidationError, match="http would send the access token unencrypted"):
        options(graph_url=url)


@each_row(
    "url",
    ["", "graph.facebook.com", "ftp://a", "https://", "https://u:p@a", "https://a?b", "https://a#b", "https://a:x", "https://[x"],
)
def test_what_is_no_graph_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        options(graph_url=url)


@each_row(
    "wrong",
    [
        {"api_version": "26.0"},
        {"api_version": "v26"},
        {"api_version": "v26.0/../me"},
        {"webhook": "webhook"},
        {"webhook": "/a?b"},
        {"webhook": "/a b"},
        {"throughput": 0},
        {"on_doubt": "drop"},
        {"doubt_timeout": "60"},
        {"acess_token": "x"},
        {"monthly_budget": 0},
        {"typing": "25s"},
        {"template": "hello"},
        {"template": {"name": "hello"}},
        {"template": {"name": "Hello World", "language": "en"}},
        {"template": {"name": "hello", "language": "English"}},
        {"template": {"name": "hello", "language": "en", "parameters": [" "]}},
        {"template": {"name": "hello", "language": "en", "header": "x"}},
    ],
)
def test_a_wrong_value_or_key_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


def test_a_template_is_named_as_it_was_approved() -> None:
    template = options(template={"name": "we_have_news", "language": "pt_BR", "parameters": ["Anna"]}).template
    assert template is not None
    assert (template.name, template.language, template.parameters) == ("we_have_news", "pt_BR", ("Anna",))


@each_row(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:9000", True),
        ("https://localhost", True),
        ("http://[::1]:1", True),
        ("https://graph.facebook.com", False),
    ],
)
def test_a_simulator_is_known_by_its_address(url: str, loopback: bool) -> None:
    assert options(graph_url=url).is_loopback is loopback


def test_every_key_is_described_in_the_schema() -> None:
    properties = WhatsAppOptions.model_json_schema()["properties"]
    assert [key for key, schema in properties.items() if not schema.get("description")] == []
    assert properties["phone_number_id"]["pattern"] == "^[0-9]{1,32}$"
