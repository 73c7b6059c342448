"""Calls of tools that a model wrote as text, in the form of its own template, because the server did not read them. Pure.

A call in a template's own marks is one whatever it names. A call without marks, in JSON or as in a programming language, is one only
where it names a tool that was offered: else it is somebody's example.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sara import ToolSpec

_LONGEST = 100_000
_LONGEST_PYTHON = 10_000
_DEEPEST = 4

# Within a call, all tokens of templates become one separator, and Gemma's two marks of a text one other character.
_SEPARATOR, _QUOTE = "\x1f", "\x1e"
_ESCAPE = re.compile(r'<escape>|<\|"\|>')
_DSML = re.compile(r"(</?)[|｜]{1,2}DSML[|｜]{1,2}\s?")
_TOKEN = re.compile(
    r"<[|｜]{1,2}/?[\w▁ ]{1,40}[|｜]{1,2}>|<\|[a-z_]{1,20}>|<[a-z_]{1,20}\|>|\[(?:TOOL_CALLS?|ARGS|CALL_ID)\]|\bfunctools(?=\[\s*\{)"
    r"|</?(?:[\w-]+:)?(?:\w+_)?(?:tool_?calls?|function_?calls?|tool_use)(?:\s[^<>]{0,80})?>",
    re.IGNORECASE,
)
_TAGGED = re.compile(
    r"<function=(?P<a>[^<>\s]{1,128})>(?P<b>[\s\S]*?)(?:</function>|(?=<function=)|\Z)"
    r'|<(?:[\w-]+:)?(?P<tag>invoke|function)\s+name="?(?P<c>[^<>"\s]{1,128})"?>(?P<d>[\s\S]*?)(?:</(?:[\w-]+:)?(?P=tag)>|\Z)'
    r"|(?P<e>[\w.:-]{1,128})\s*(?P<f>(?:<arg_key>[^<>]{1,128}</arg_key>\s*<arg_value>[\s\S]*?</arg_value>\s*)+)"
)
_PARAMETER = re.compile(
    r"<parameter=(?P<a>[^<>\s]{1,128})>\n?(?P<b>[\s\S]*?)\n?(?:</parameter>|(?=<parameter=)|\Z)"
    r'|<(?:[\w-]+:)?param(?:eter)?\s+name="?(?P<c>[^<>"\s]{1,128})"?[^<>]*>(?P<d>[\s\S]*?)</(?:[\w-]+:)?param(?:eter)?>'
    r"|<arg_key>(?P<e>[^<>]{1,128})</arg_key>\s*<arg_value>(?P<f>[\s\S]*?)</arg_value>"
)
# DeepSeek writes `function<sep>NAME` and a block, or `NAME<sep>`; Kimi `functions.NAME:0<sep>`; Mistral `NAME[ARGS]` or nothing
# between the two, or an id.
_NAMED = re.compile(
    rf"(?:^|[{_SEPARATOR}\n])[ \t]*(?:function{_SEPARATOR}\s*)?([A-Za-z_][\w.:/-]{{0,127}})\s*"
    rf"(?:{_SEPARATOR}[\w-]{{0,40}}\s*){{0,3}}(?:```(?:json)?\s*)?(?=\{{)"
)
_GEMMA = re.compile(r"call:\s*([\w.:-]{1,128})\s*\{")
_GEMMA_ITEM = re.compile(rf'\s*,?\s*"?([\w-]{{1,128}})"?\s*:\s*(?:{_QUOTE}([^{_QUOTE}]*){_QUOTE}|(?=[{{\["])|([^,{{}}\[\]]*))')
_TO = re.compile(r"\bto=([\w.:-]{1,128})[^{}\n]{0,40}(?=\{)")
_REACT = re.compile(r"^\s*Action:\s*([\w.:-]{1,128})\s*\n\s*Action[ _]Input:\s*(?=\{)", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"```(?:[\w+-]*)[ \t]*\n?([\s\S]*?)```")
_JSON_LINE = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)

_NAMES = ("name", "tool_name", "function_name", "recipient_name", "tool", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "params", "action_input", "tool_input", "input", "kwargs")
_SEVERAL = ("tool_calls", "tool_uses", "function_calls", "calls")
_CONSTANTS: Mapping[str, object] = {"true": True, "false": False, "null": None, "none": None}
_MOST_TRIES = 8


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was written: `arguments` is JSON text."""

    name: str
    arguments: str


_Form: TypeAlias = Callable[[str, Sequence[ToolSpec]], Iterable[WrittenCall]]


def marked_calls(text: str, offered: Sequence[ToolSpec]) -> tuple[WrittenCall, ...]:
    """The calls in `text`, which begins with a template's mark of a call."""
    body = _ESCAPE.sub(_QUOTE, _DSML.sub(r"\1", text[:_LONGEST]))
    inner = _TOKEN.sub(_SEPARATOR, body)
    for read in (_tagged, _gemma, _named, _objects, _python):
        if found := tuple(read(inner.strip(_SEPARATOR + " \n"), offered)):
            return found
    return ()


def unmarked_calls(text: str, offered: Sequence[ToolSpec]) -> tuple[WrittenCall, ...]:
    """Calls of offered tools that stand in `text` without a template's mark: as all of it, or as a block of their own."""
    if len(text) > _LONGEST or not any(spec.is_named_in(text) for spec in offered):
        return ()
    for body, forms in _candidates(text):
        for read in forms:
            found = tuple(read(body, offered))
            if found and all(_spec(call.name, offered) for call in found):
                return found
    return ()


def _candidates(text: str) -> Iterator[tuple[str, tuple[_Form, ...]]]:
    """What in a text may be a call, and in which forms: all of it, each block between fences, each JSON value that begins a line."""
    yield text.strip(), (_objects, _python, _addressed)
    for block in _FENCE.finditer(text):
        body = block[1].strip()
        yield body, (marked_calls,) if _TOKEN.match(body) or _TAGGED.match(body) else (_objects, _python)
    for line in itertools.islice(_JSON_LINE.finditer(text), _MOST_TRIES):
        yield text[line.end() :], (_objects,)


def _spec(name: str, offered: Sequence[ToolSpec]) -> ToolSpec | None:
    return next((spec for spec in offered if spec.is_named(name)), None)


# ── the forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tagged(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """`<function=name>…`, `<invoke name="name">…`, `name<arg_key>…`: parameters between tags, or a JSON object."""
    for found in _TAGGED.finditer(text):
        name, inner = found["a"] or found["c"] or found["e"], found["b"] or found["d"] or found["f"] or ""
        given: dict[str, object] = {
            (each["a"] or each["c"] or each["e"]).strip(): _parameter(each["b"] or each["d"] or each["f"] or "")
            for each in _PARAMETER.finditer(inner)
        }
        whole: object = None if given else _json_at(inner, inner.find("{"))
        yield WrittenCall(name, _json(given or (whole if isinstance(whole, dict) else {})))


def _parameter(text: str) -> object:
    """A parameter between tags: a text, save where it is clearly a JSON object, list or text."""
    stripped = text.strip()
    value = _json_whole(stripped) if stripped[:1] in ("{", "[", '"') or stripped == "null" else text
    return text if value is _NO_JSON else value


def _gemma(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """`call:name{key:<escape>text<escape>,number:3}`."""
    for found in _GEMMA.finditer(text):
        given: dict[str, object] = {}
        at = found.end()
        while item := _GEMMA_ITEM.match(text, at):
            at = item.end()
            if item[2] is not None:
                inner = _json_whole(item[2]) if item[2][:1] in ("{", "[") else _NO_JSON
                given[item[1]] = item[2] if inner is _NO_JSON else inner
            elif item[3] is not None:
                value = _json_whole(item[3].strip())
                given[item[1]] = item[3].strip() if value is _NO_JSON else value
            else:
                try:
                    given[item[1]], at = json.JSONDecoder().raw_decode(text, at)
                except (ValueError, RecursionError):
                    break
        yield WrittenCall(found[1], _json(given))


def _named(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """A name and behind it, after tokens or a fence, a JSON object."""
    for found in _NAMED.finditer(text):
        given = _json_at(text, found.end())
        if isinstance(given, dict) and found[1] not in ("json", "call"):
            yield WrittenCall(found[1], _json(given))


def _addressed(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """`to=functions.name json {…}`, or an action and its input."""
    for pattern in (_TO, _REACT):
        for found in pattern.finditer(text):
            given = _json_at(text, found.end())
            if isinstance(given, dict):
                yield WrittenCall(found[1], _json(given))


def _objects(text: str, offered: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """JSON: one object, a list, or several one after the other."""
    at, tries = 0, 0
    while tries < _MOST_TRIES:
        starts = [start for start in (text.find("{", at), text.find("[", at)) if start >= 0]
        if not starts or (at == 0 and text[: min(starts)].strip(_SEPARATOR + " \t\n") not in ("", "```json", "```")):
            return
        tries += 1
        at = min(starts)
        try:
            value, at = json.JSONDecoder(strict=False).raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield from _calls_of(value, offered, _DEEPEST)


def _calls_of(value: object, offered: Sequence[ToolSpec], deepest: int) -> Iterator[WrittenCall]:
    if isinstance(value, list) and deepest:
        for each in value:
            yield from _calls_of(each, offered, deepest - 1)
    if not isinstance(value, dict) or not deepest:
        return
    for key in (*_SEVERAL, "function", "function_call", "tool_call"):
        if isinstance(inner := value.get(key), list | dict):
            yield from _calls_of(inner, offered, deepest - 1)
            return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    given: object = next((value[key] for key in _ARGUMENTS if key in value), {})
    if name is not None:
        yield WrittenCall(name, given if isinstance(given, str) else _json(given))
    elif len(value) == 1:
        # {"name": {arguments}}
        [(only, given)] = value.items()
        if isinstance(given, dict) and _spec(only, offered):
            yield WrittenCall(only, _json(given))


def _python(text: str, offered: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """`name(key="text")`, a list of these, within `print` or behind a module's name."""
    if len(text) > _LONGEST_PYTHON or "(" not in text:
        return
    try:
        root: ast.AST = ast.parse(text.strip().rstrip(";"), mode="eval").body
        calls = root.elts if isinstance(root, ast.List | ast.Tuple) else [root]
        yield from [_call(each, offered) for each in calls if isinstance(each, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _call(node: ast.Call, offered: Sequence[ToolSpec]) -> WrittenCall:
    """A call in Python's grammar. Raises ValueError for arguments that are no plain values."""
    name = ast.unparse(node.func)
    if name == "print" and len(node.args) == 1 and isinstance(node.args[0], ast.Call):
        return _call(node.args[0], offered)
    given: dict[str, object] = {each.arg: _value(each.value) for each in node.keywords if each.arg is not None}
    values = [_value(each) for each in node.args]
    if len(values) == 1 and isinstance(values[0], dict):
        return WrittenCall(name, _json({**values[0], **given}))
    spec = _spec(name, offered)
    expected = list(spec.parameters.get("properties") or {}) if spec else []
    return WrittenCall(name, _json({**dict(zip(expected, values, strict=False)), **given}))


def _value(node: ast.AST) -> object:
    match node:
        case ast.Constant():
            return node.value if isinstance(node.value, str | int | float | bool | None) else str(node.value)
        case ast.Name():
            return _CONSTANTS.get(node.id.lower(), node.id)
        case ast.List() | ast.Tuple():
            return [_value(each) for each in node.elts]
        case ast.Dict():
            return {str(_value(key)): _value(each) for key, each in zip(node.keys, node.values, strict=True) if key is not None}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise ValueError("not a value")


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_NO_JSON = object()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _json_at(text: str, at: int) -> Any:
    if at < 0:
        return _NO_JSON
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return _NO_JSON
