"""The JSON Schema of sara.yaml, for editors: completion, descriptions, red lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from sara.config.settings import CoreSettings
from sara.domain.options import Options
from sara.policy.settings import ConversationSettings

Schema: TypeAlias = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TAG = {"$ref": "#/$defs/tagged"}
_DIGITS = "1234567890"
_EXACT = ("enum", "const", "pattern")
_NOTES: tuple[str, ...] = ("title", "description", "default")
_TAGGED = ("integer", "number", "boolean", "array", "object")

_SECTIONS = {
    "channel": ("channels", "The ways in and out, each under a name of your choice; two numbers are two entries."),
    "responder": ("responders", "Responders, each under a name of your choice."),
    "store": ("store", "Where everything is kept."),
    "queue": ("queue", "Storage of the jobs that are to be done."),
}


def schema(options: Mapping[str, Mapping[str, type[Options]]]) -> Schema:
    """JSON Schema (draft 2020-12) of the whole file, over plugins given as kind → plugin name → options model; the kinds are
    `channel`, `responder`, `store` and `queue`."""
    definitions: Schema = {"tagged": _TAGGED_VALUE}
    whole = _lift(CoreSettings, "core", definitions)
    for block in whole["properties"].values():  # one of which every line is commented out
        block.setdefault("anyOf", []).append({"type": "null"})
    for kind, (key, description) in _SECTIONS.items():
        plugins = options.get(kind, {})
        section = _section(kind, plugins, definitions)
        if kind in ("channel", "responder"):
            section = {"type": "object", "minProperties": 1, "additionalProperties": section}
        whole["properties"][key] = {**section, "description": description}
    definitions["conversation"] = _lift(ConversationSettings, "conversation", definitions)
    return {
        "$schema": _DIALECT,
        "title": "sara.yaml",
        "description": "The configuration of SARA.",
        **{key: value for key, value in whole.items() if key not in ("title", "description")},
        "required": ["channels", "responders"],
        "$defs": definitions,
    }


_TAGGED_VALUE: Schema = {
    "type": "string",
    "pattern": r"^(!(secret|env|include) )?[A-Za-z_][A-Za-z0-9_./-]*( .*)?$",
    "description": "A value from elsewhere: `!secret name`, `!env NAME default` or `!include file.yaml`.",
}


def _section(kind: str, plugins: Mapping[str, type[Options]], definitions: Schema) -> Schema:
    """Return the schema of one section, with `plugin` and the keys that it may have besides."""
    named: Schema = {"enum": sorted(plugins), "description": "Which plugin it is."}
    default = "sqlite" if kind in ("store", "queue") else None
    rules = []
    for plugin, model in sorted(plugins.items()):
        own = _lift(model, f"{kind}.{plugin}", definitions)
        own["properties"] = {"plugin": {"const": plugin}, **own.get("properties", {})}
        if kind == "channel":
            own["properties"]["conversation"] = {
                "$ref": "#/$defs/conversation",
                "description": "Settings that differ from the common `conversation`.",
            }
        definitions[f"{kind}.{plugin}"] = own
        # Without the key, the default plugin is meant.
        condition: Schema = {"properties": {"plugin": {"const": plugin}}}
        if plugin != default:
            condition["required"] = ["plugin"]
        rules.append({"if": condition, "then": {"$ref": f"#/$defs/{kind}.{plugin}"}})
    section: Schema = {"type": "object", "properties": {"plugin": named | ({"default": default} if default else {})}}
    if not default:
        section["required"] = ["plugin"]
    if rules:
        section["allOf"] = rules
    return section


def _lift(model: type[Options], name: str, definitions: Schema) -> Schema:
    """Return a model's schema, with what it refers to moved to the file's definitions under names of its own."""
    own = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for inner, definition in own.pop("$defs", {}).items():
        definitions[f"{name}.{inner}"] = _with_tags(definition)
    return _with_tags(own)


def _with_tags(node: Schema) -> Schema:
    """Return the schema of a block where every key may also have a tagged value, and a number stands for its text."""
    properties = {key: _value(value) for key, value in node.get("properties", {}).items()}
    return {**node, "properties": properties} if properties else node


def _value(node: Schema) -> Schema:
    if "$ref" in node or "allOf" in node:
        extra = {key: node[key] for key in _NOTES if key in node}
        return {"anyOf": [{key: value for key, value in node.items() if key not in extra}, _TAG], **extra}
    if "anyOf" in node:
        return {**node, "anyOf": [_alternative(choice) for choice in node["anyOf"]] + [_TAG]}
    if node.get("type") in _TAGGED or any(key in node for key in _EXACT):
        extra = {key: node[key] for key in _NOTES if key in node}
        return {"anyOf": [_alternative({key: value for key, value in node.items() if key not in extra}), _TAG], **extra}
    return _alternative(node)


def _alternative(node: Schema) -> Schema:
    """Text may be written as a bare number, unless no number can be right."""
    exact = "enum" in node or "const" in node or not re.search(node.get("pattern", ""), _DIGITS)
    return {**node, "type": ["string", "number"]} if node.get("type") == "string" and not exact else node
