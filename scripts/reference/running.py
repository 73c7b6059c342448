"""The pages that are read from the running program: the configuration's schema and the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.reference.source import ROOT
from scripts.reference.tables import code, table

Schema = Mapping[str, Any]

DURATION = "(ms|s|m|h|d)"
TAGGED = "#/$defs/tagged"
UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


# ── configuration ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def configuration() -> str:
    """Return the page of the keys of sara.yaml, from `sara schema`."""
    done = subprocess.run(
        [sys.executable, "-m", "sara", "schema"], cwd=ROOT, capture_output=True, text=True, check=True
    )  # our own program
    schema: Schema = json.loads(done.stdout)
    definitions: Schema = schema["$defs"]
    plain: dict[str, Any] = {}
    blocks: dict[str, list[tuple[str, str, str, str]]] = {}
    for key, node in schema["properties"].items():
        found = _plugin_sections(key, node, definitions)
        if found:
            blocks |= found
        elif (block := _block(node, definitions)) is not None:
            blocks[key] = list(_rows(key, block, definitions, node.get("default")))
        else:
            plain[key] = node
    head = ("key", "type", "default", "description")
    parts = [table(head, (_row(key, node, definitions, is_required=False) for key, node in plain.items()))]
    parts += [f"## `{key}`\n\n{table(head, rows)}" for key, rows in blocks.items()]
    return (
        "`sara schema` prints the same as a JSON Schema for editors. A duration is written `250ms`, `1s`, `5m`, `12h` or `30d`; each value may also be\n"
        "`!secret name`, `!env NAME default` or `!include file`. `channels` and `responders` are required.\n\n"
        + "\n\n".join(parts)
        + "\n"
    )


def _plugin_sections(key: str, node: Schema, definitions: Schema) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return the keys of each plugin's section where `node` is one that names plugins."""
    entry = node.get("additionalProperties")
    section = entry if isinstance(entry, Mapping) else node
    path = f"{key}.<name>" if section is entry else key
    found = {}
    for rule in section.get("allOf", ()):
        name = rule["if"]["properties"]["plugin"]["const"]
        model = _resolved(rule["then"], definitions)
        first = (
            code(f"{path}.plugin"),
            code(name),
            code(str(section["properties"]["plugin"].get("default", ""))),
            "Name of the plugin.",
        )
        properties = {each: value for each, value in model["properties"].items() if each != "plugin"}
        found[f"{path} (plugin {name})"] = [first, *_rows(path, {**model, "properties": properties}, definitions)]
    return found


def _rows(path: str, model: Schema, definitions: Schema, defaults: Any = None) -> Iterator[tuple[str, str, str, str]]:
    """Yield the keys of a block. What the block as a whole has as its default wins over the defaults of its keys."""
    required = model.get("required", ())
    for name, stated in model["properties"].items():
        key = f"{path}.{name}"
        node = {**stated, "default": defaults[name]} if isinstance(defaults, Mapping) and name in defaults else stated
        block = _block(node, definitions)
        entry = _entry(node, definitions)
        if node.get("$ref") == "#/$defs/conversation":
            yield code(key), "block", "", f"{node['description']} The keys are those of [`conversation`](#conversation)."
        elif block is None:
            yield _row(key, node, definitions, is_required=name in required)
            if entry is not None:
                yield from _rows(f"{key}.<name>", entry, definitions)
        else:
            if _is_optional(node):
                yield code(key), "block", "none", node.get("description", "")
            yield from _rows(key, block, definitions, node.get("default"))


def _row(key: str, node: Schema, definitions: Schema, *, is_required: bool) -> tuple[str, str, str, str]:
    kinds = list(dict.fromkeys(_types(node, definitions)))
    value = None if node.get("default") == [] and kinds == ["text"] else node.get("default")
    default = "required" if is_required else code(_default(value, kinds))
    return code(key), " or ".join(kinds), default, node.get("description", "")


def _types(node: Schema, definitions: Schema) -> Iterator[str]:
    node = _resolved(node, definitions)
    for choice in node.get("anyOf", ()):
        if choice.get("$ref") != TAGGED and choice.get("type") != "null":
            yield from _types(choice, definitions)
    if "enum" in node:
        yield " or ".join(code(str(each)) for each in node["enum"])
    elif DURATION in node.get("pattern", ""):
        yield "duration"
    elif node.get("writeOnly"):
        yield "secret"
    elif node.get("type") == "array":
        yield f"list of {' or '.join(dict.fromkeys(_types(node.get('items', {}), definitions))) or 'values'}"
    elif node.get("type") == "object":
        values = node.get("additionalProperties")
        yield f"mapping to {' or '.join(_types(values, definitions))}" if isinstance(values, Mapping) else "block"
    elif "type" in node:
        kinds = [node["type"]] if isinstance(node["type"], str) else node["type"]
        yield {"boolean": "true or false", "string": "text"}.get(kinds[0], kinds[0]) + _bounds(node)


def _bounds(node: Schema) -> str:
    low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    return f", at least {low:,}" if low is not None else ""


def _default(value: Any, kinds: Iterable[str]) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() if "duration" in kinds:
            return next(f"{value // length}{unit}" for length, unit in UNITS if value % length == 0)
        case {"host": host, "port": port}:
            return f"{host}:{port}"
        case str():
            return value
    return json.dumps(value, ensure_ascii=False)


def _block(node: Schema, definitions: Schema) -> Schema | None:
    """Return the model of a key that holds a block of keys."""
    choices = [_resolved(each, definitions) for each in (node, *node.get("anyOf", ()))]
    return next((each for each in choices if each.get("type") == "object" and each.get("properties")), None)


def _entry(node: Schema, definitions: Schema) -> Schema | None:
    """Return the model of the entries of a key that holds blocks under names of the user's choice."""
    for choice in (node, *node.get("anyOf", ())):
        values = choice.get("additionalProperties")
        if isinstance(values, Mapping) and (model := _resolved(values, definitions)).get("properties"):
            return model
    return None


def _is_optional(node: Schema) -> bool:
    return "default" in node and node["default"] is None


def _resolved(node: Schema, definitions: Schema) -> Schema:
    reference = node.get("$ref")
    return definitions[reference.removeprefix("#/$defs/")] if reference else node


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def commands() -> str:
    """Return the page of the commands, from the Typer application."""
    import typer

    from sara.cli.app import app

    return "\n\n".join(_commands("sara", typer.main.get_command(app))) + "\n"


def _commands(path: str, command: Any) -> Iterator[str]:
    if not hasattr(command, "list_commands"):
        yield _command(path, command)
        return
    context = command.context_class(command)
    for name in command.list_commands(context):
        yield from _commands(f"{path} {name}", command.get_command(context, name))


def _command(path: str, command: Any) -> str:
    parameters = [each for each in command.params if each.name != "help" and not getattr(each, "hidden", False)]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    usage = " ".join([path, *(_placeholder(each) for each in arguments)])
    rows = [
        (code(_name(each)), "" if each.required else code(_shown_default(each)), (each.help or "").partition(" [default:")[0])
        for each in parameters
    ]
    about = " ".join((command.help or "").split())
    text = f"## `{usage}`\n\n{about}"
    return f"{text}\n\n{table(('option', 'default', 'description'), rows)}" if rows else text


def _placeholder(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().strip("[]")
    dots = "..." if argument.nargs == -1 else ""
    return f"{name}{dots}" if argument.required else f"[{name}{dots}]"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    takes = "" if parameter.is_flag else f" {(parameter.metavar or parameter.name).upper()}"
    return f"{', '.join(parameter.opts)}{takes}"


def _shown_default(parameter: Any) -> str:
    if isinstance(getattr(parameter, "show_default", None), str):
        return str(parameter.show_default)
    value = parameter.default
    return "" if value is None or value is False or callable(value) or value == [] else str(value)
