"""The JSON Schema of sara.yaml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import Field

from sara.config.json_schema import schema
from sara.domain.options import Duration, Options, Secret


class Depth(Options):
    metres: int = 1


class Chat(Options):
    number: str = Field(pattern=r"^[0-9]+$", description="The number that customers write to.")
    token: Secret
    wait: Duration = 1_000
    speed: int = Field(default=80, ge=1)
    depth: Depth = Depth()


class Ai(Options):
    model: str = "gpt"
    depth: Depth = Depth()


class Db(Options):
    path: str | None = None


@pytest.fixture
def whole() -> dict[str, Any]:
    return schema({"channel": {"chat": Chat}, "responder": {"ai": Ai}, "store": {"sqlite": Db}, "queue": {"sqlite": Db}})


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_it_is_json_schema_of_every_key_of_the_file(whole: dict[str, Any]) -> None:
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(whole["properties"]) == {
        "plugins", "server", "admin", "state", "store", "queue", "channels", "responders", "conversation", "retry", "media",
        "retention", "budget", "words", "texts",
    }  # fmt: skip
    assert whole["additionalProperties"] is False
    assert whole["required"] == ["channels", "responders"]
    assert json.loads(json.dumps(whole)) == whole


def test_every_reference_leads_somewhere(whole: dict[str, Any]) -> None:
    assert {name.removeprefix("#/$defs/") for name in references(whole)} <= set(whole["$defs"])


def test_two_plugins_may_call_their_models_alike(whole: dict[str, Any]) -> None:
    assert {"channel.chat.Depth", "responder.ai.Depth"} <= set(whole["$defs"])


def test_the_plugin_says_which_keys_a_section_has(whole: dict[str, Any]) -> None:
    section = whole["properties"]["channels"]["additionalProperties"]
    assert section["required"] == ["plugin"]
    assert section["properties"]["plugin"]["enum"] == ["chat"]
    assert section["allOf"] == [
        {"if": {"properties": {"plugin": {"const": "chat"}}, "required": ["plugin"]}, "then": {"$ref": "#/$defs/channel.chat"}}
    ]
    chat = whole["$defs"]["channel.chat"]
    assert set(chat["properties"]) == {"plugin", "number", "token", "wait", "speed", "depth", "conversation"}
    assert chat["additionalProperties"] is False
    assert "conversation" not in whole["$defs"]["responder.ai"]["properties"]


def test_store_and_queue_are_sqlite_if_nothing_is_said(whole: dict[str, Any]) -> None:
    for kind in ("store", "queue"):
        section = whole["properties"][kind]
        assert section["properties"]["plugin"]["default"] == "sqlite"
        assert "required" not in section
        assert section["allOf"][0]["if"] == {"properties": {"plugin": {"const": "sqlite"}}}


def test_keys_carry_the_descriptions_of_their_fields(whole: dict[str, Any]) -> None:
    assert whole["$defs"]["channel.chat"]["properties"]["number"]["description"] == "The number that customers write to."
    assert all(value.get("description") for value in whole["properties"].values())


def test_a_tagged_value_is_allowed_where_no_text_is_wanted(whole: dict[str, Any]) -> None:
    properties = whole["$defs"]["channel.chat"]["properties"]
    for key in ("wait", "speed", "depth"):
        assert {"$ref": "#/$defs/tagged"} in properties[key]["anyOf"]


def test_an_id_without_quotes_is_allowed_where_text_is_wanted(whole: dict[str, Any]) -> None:
    properties = whole["$defs"]["channel.chat"]["properties"]
    assert properties["token"]["type"] == ["string", "number"]
    assert properties["number"]["anyOf"][0]["type"] == ["string", "number"]
    assert properties["wait"]["anyOf"][0]["type"] == "string"


def test_a_block_may_be_empty(whole: dict[str, Any]) -> None:
    assert {"type": "null"} in whole["properties"]["retry"]["anyOf"]
