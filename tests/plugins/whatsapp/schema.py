"""Meta's own description of its API, to hold bodies and answers against.

`tests/data/graph_openapi_v23.json` is an extract of the OpenAPI document that Meta publishes for version 23. It lags behind
Meta's reference, and its own examples break it in places; `_mend` says where, and nothing else is relaxed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_EXTRACT = Path(__file__).parents[2] / "data" / "graph_openapi_v23.json"
_PREFIX = "#/components/schemas/"

SEND = "/{Version}/{Phone-Number-ID}/messages"


@cache
def document() -> Any:
    """The extract as Meta wrote it."""
    return json.loads(_EXTRACT.read_text("utf-8"))


def faults_of_body(body: Any) -> list[str]:
    """What is wrong with a body posted to the messages endpoint; nothing where all is well."""
    if isinstance(body, Mapping) and "status" in body:
        return _faults(_READ, body)
    return _faults({"$ref": "#/$defs/Message"}, body)


def faults_of_answer(method: str, path: str, status: int, value: Any) -> list[str]:
    """What is wrong with the JSON answer to a call; `path` is one of the document's own, e.g. `SEND`. Errors that the document
    does not list are held against its schema of errors."""
    responses = document()["paths"][path][method.lower()]["responses"]
    content = responses.get(str(status), {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None and status >= 400:
        schema = {"$ref": _PREFIX + "GraphAPIError"}
    if schema is None:
        raise LookupError(f"the document does not describe {status} of {method} {path}")
    return _faults(_rewritten(schema), value)


def faults_of(name: str, value: Any) -> list[str]:
    """What is wrong with `value` as the schema `name` has it."""
    return _faults({"$ref": f"#/$defs/{name}"}, value)


def examples() -> Iterator[tuple[str, Any]]:
    """Meta's examples of bodies for the messages endpoint, by their names."""
    body = document()["paths"][SEND]["post"]["requestBody"]["content"]["application/json"]
    return ((name, example["value"]) for name, example in body["examples"].items())


def _faults(schema: Mapping[str, Any], value: Any) -> list[str]:
    validator = Draft202012Validator({**schema, "$defs": _definitions()})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


# ── from OpenAPI to JSON Schema ───────────────────────────────────────────────────────────────────────────────────────────


@cache
def _definitions() -> dict[str, Any]:
    schemas = deepcopy(document()["components"]["schemas"])
    _mend(schemas)
    return {name: _rewritten(_merged(schema, schemas)) for name, schema in schemas.items()}


def _merged(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """`schema` with the branches of its `allOf` made one: kept apart, a branch that allows nothing more forbids the others."""
    if "allOf" not in schema:
        return schema
    merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for branch in schema["allOf"]:
        if "$ref" in branch:
            # What the base says of telling its children apart led here.
            named = _merged(schemas[branch["$ref"].removeprefix(_PREFIX)], schemas)
            branch = {key: value for key, value in named.items() if key != "discriminator"}
        for name, own in branch.get("properties", {}).items():
            merged["properties"][name] = {**merged["properties"].get(name, {}), **own}
        merged["required"] += branch.get("required", [])
        merged |= {key: value for key, value in branch.items() if key not in {"properties", "required", "type", "description"}}
    return merged


def _rewritten(value: Any) -> Any:
    """References as JSON Schema has them, and OpenAPI's `discriminator` as plain conditions."""
    if isinstance(value, list):
        return [_rewritten(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _rewritten(item) for key, item in value.items() if key not in {"discriminator", "example", "examples"}}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace(_PREFIX, "#/$defs/")
    told = value.get("discriminator")
    if isinstance(told, dict) and "mapping" in told:
        name, mapping = told["propertyName"], _rewritten(told["mapping"])
        found.pop("oneOf", None)
        found["required"] = [*found.get("required", []), name]
        found["properties"] = {**found.get("properties", {}), name: {"enum": list(mapping)}}
        found["allOf"] = [
            {
                "if": {"required": [name], "properties": {name: {"const": each}}},
                "then": {"$ref": ref.replace(_PREFIX, "#/$defs/")},
            }
            for each, ref in mapping.items()
        ]
    return found


# ── where the document is behind ──────────────────────────────────────────────────────────────────────────────────────────


def _mend(schemas: dict[str, Any]) -> None:
    base = schemas["BaseMessageProperties"]
    base["properties"]["biz_opaque_callback_data"] = {"type": "string", "minLength": 1, "maxLength": 512}
    # People without a visible number are written to by their id.
    base["properties"]["recipient"] = {"type": "string", "pattern": r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$"}
    base["required"].remove("to")
    base["oneOf"] = [{"required": ["to"]}, {"required": ["recipient"]}]
    # Three interactive types that the reference has and the document has not.
    schemas["InteractiveObject"]["properties"]["type"]["enum"] += [*_ACTIONS]
    schemas["ActionObject"]["oneOf"] += _ACTIONS.values()
    # Meta's examples send coordinates as numbers, languages without a policy, and other buttons of templates.
    place = schemas["LocationMessage"]["allOf"][1]["properties"]["location"]["properties"]
    place["latitude"]["type"] = place["longitude"]["type"] = "number"
    schemas["LanguageObject"]["required"].remove("policy")
    for own in (schemas["TemplateComponent"], schemas["ButtonComponent"]["allOf"][1]):
        own["properties"]["index"] = {"enum": [*range(10), *map(str, range(10))]}
        own["properties"]["sub_type"] = {"enum": ["quick_reply", "url", "catalog", "CATALOG", "flow"]}
    parameter = schemas["ButtonParameterObject"]
    parameter["properties"]["type"]["enum"].append("action")
    parameter["discriminator"]["mapping"]["action"] = _PREFIX + "ButtonActionParameter"
    schemas["ButtonActionParameter"] = {"type": "object", "required": ["action"], "properties": {"action": {"type": "object"}}}


_LINK = {
    "type": "object",
    "required": ["display_text", "url"],
    "additionalProperties": False,
    "properties": {
        "display_text": {"type": "string", "minLength": 1, "maxLength": 20},
        "url": {"type": "string", "pattern": "^https?://"},
    },
}
_ACTIONS: dict[str, Any] = {
    kind: {
        "required": ["name", *parameters],
        "additionalProperties": False,
        "properties": {"name": {"enum": [name]}, **parameters},
    }
    for kind, name, parameters in (
        ("cta_url", "cta_url", {"parameters": _LINK}),
        ("location_request_message", "send_location", {}),
        ("request_contact_info", "request_contact_info", {}),
    )
}
# Marking as read goes to the same endpoint; the document shows it in an example alone.
_READ: dict[str, Any] = {
    "type": "object",
    "required": ["messaging_product", "status", "message_id"],
    "additionalProperties": False,
    "properties": {
        "messaging_product": {"const": "whatsapp"},
        "status": {"const": "read"},
        "message_id": {"type": "string", "minLength": 1},
        "typing_indicator": {"type": "object", "required": ["type"], "properties": {"type": {"const": "text"}}},
    },
}
