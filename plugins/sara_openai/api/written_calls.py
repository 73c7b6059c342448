"""Tool calls that a model wrote as text in the form of its own template, because the server did not parse them.

A call in a template's own marks always counts. A call without marks, in JSON or in the syntax of a programming language, counts
only if it names an offered tool: otherwise it is an example.
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

_MAX_CHARS = 100_000
_MAX_PYTHON_CHARS = 10_000
_MAX_DEPTH = 4

# Within a call, all template tokens become one separator, and Gemma's two quotation marks one character.
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
_MAX_TRIES = 8


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as the model wrote it; `arguments` is JSON text."""

    name: str
    arguments: str


_Form: TypeAlias = Callable[[str, Sequence[ToolSpec]], Iterable[WrittenCall]]


def parse_marked_calls(text: str, offered: Sequence[ToolSpec]) -> tuple[WrittenCall, ...]:
    """Parse the calls in `text`, which begins with a template's mark of a call."""
    body = _ESCAPE.sub(_QUOTE, _DSML.sub(r"\1", text[:_MAX_CHARS]))
    inner = _TOKEN.sub(_SEPARATOR, body)
    for read in (_parse_tagged, _parse_gemma, _parse_named, _parse_objects, _parse_python):
        if found := tuple(read(inner.strip(_SEPARATOR + " \n"), offered)):
            return found
    return ()


def parse_unmarked_calls(text: str, offered: Sequence[ToolSpec]) -> tuple[WrittenCall, ...]:
    """Parse calls of offered tools that stand in `text` without a template's mark, as all of it or as a separate block."""
    if len(text) > _MAX_CHARS or not any(spec.is_named_in(text) for spec in offered):
        return ()
    for body, forms in _list_candidates(text):
        for read in forms:
            found = tuple(read(body, offered))
            if found and all(_find_spec(call.name, offered) for call in found):
                return found
    return ()


def _list_candidates(text: str) -> Iterator[tuple[str, tuple[_Form, ...]]]:
    """Yield the texts that may be a call, each with the forms to try: all of it, fenced blocks, JSON values at line starts."""
    yield text.strip(), (_parse_objects, _parse_python, _parse_addressed)
    for block in _FENCE.finditer(text):
        body = block[1].strip()
        yield body, (parse_marked_calls,) if _TOKEN.match(body) or _TAGGED.match(body) else (_parse_objects, _parse_python)
    for line in itertools.islice(_JSON_LINE.finditer(text), _MAX_TRIES):
        yield text[line.end() :], (_parse_objects,)


def _find_spec(name: str, offered: Sequence[ToolSpec]) -> ToolSpec | None:
    return next((spec for spec in offered if spec.is_named(name)), None)


# ── the forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse_tagged(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse `<function=name>…`, `<invoke name="name">…` and `name<arg_key>…`, with tagged parameters or a JSON object."""
    for found in _TAGGED.finditer(text):
        name, inner = found["a"] or found["c"] or found["e"], found["b"] or found["d"] or found["f"] or ""
        given: dict[str, object] = {
            (each["a"] or each["c"] or each["e"]).strip(): _parse_parameter(each["b"] or each["d"] or each["f"] or "")
            for each in _PARAMETER.finditer(inner)
        }
        whole: object = None if given else _parse_json_at(inner, inner.find("{"))
        yield WrittenCall(name, _to_json(given or (whole if isinstance(whole, dict) else {})))


def _parse_parameter(text: str) -> object:
    """Return a tagged parameter as text, unless it is clearly a JSON object, list or string."""
    stripped = text.strip()
    value = _parse_json(stripped) if stripped[:1] in ("{", "[", '"') or stripped == "null" else text
    return text if value is _NO_JSON else value


def _parse_gemma(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse `call:name{key:<escape>text<escape>,number:3}`."""
    for found in _GEMMA.finditer(text):
        given: dict[str, object] = {}
        at = found.end()
        while item := _GEMMA_ITEM.match(text, at):
            at = item.end()
            if item[2] is not None:
                inner = _parse_json(item[2]) if item[2][:1] in ("{", "[") else _NO_JSON
                given[item[1]] = item[2] if inner is _NO_JSON else inner
            elif item[3] is not None:
                value = _parse_json(item[3].strip())
                given[item[1]] = item[3].strip() if value is _NO_JSON else value
            else:
                try:
                    given[item[1]], at = json.JSONDecoder().raw_decode(text, at)
                except (ValueError, RecursionError):
                    break
        yield WrittenCall(found[1], _to_json(given))


def _parse_named(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse a name that is followed, after tokens or a fence, by a JSON object."""
    for found in _NAMED.finditer(text):
        given = _parse_json_at(text, found.end())
        if isinstance(given, dict) and found[1] not in ("json", "call"):
            yield WrittenCall(found[1], _to_json(given))


def _parse_addressed(text: str, _: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse `to=functions.name json {…}`, or an action and its input."""
    for pattern in (_TO, _REACT):
        for found in pattern.finditer(text):
            given = _parse_json_at(text, found.end())
            if isinstance(given, dict):
                yield WrittenCall(found[1], _to_json(given))


def _parse_objects(text: str, offered: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse JSON: one object, a list, or several values in a row."""
    at, tries = 0, 0
    while tries < _MAX_TRIES:
        starts = [start for start in (text.find("{", at), text.find("[", at)) if start >= 0]
        if not starts or (at == 0 and text[: min(starts)].strip(_SEPARATOR + " \t\n") not in ("", "```json", "```")):
            return
        tries += 1
        at = min(starts)
        try:
            value, at = json.JSONDecoder(strict=False).raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield from _find_calls(value, offered, _MAX_DEPTH)


def _find_calls(value: object, offered: Sequence[ToolSpec], max_depth: int) -> Iterator[WrittenCall]:
    if isinstance(value, list) and max_depth:
        for each in value:
            yield from _find_calls(each, offered, max_depth - 1)
    if not isinstance(value, dict) or not max_depth:
        return
    for key in (*_SEVERAL, "function", "function_call", "tool_call"):
        if isinstance(inner := value.get(key), list | dict):
            yield from _find_calls(inner, offered, max_depth - 1)
            return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    given: object = next((value[key] for key in _ARGUMENTS if key in value), {})
    if name is not None:
        yield WrittenCall(name, given if isinstance(given, str) else _to_json(given))
    elif len(value) == 1:
        # {"name": {arguments}}
        [(only, given)] = value.items()
        if isinstance(given, dict) and _find_spec(only, offered):
            yield WrittenCall(only, _to_json(given))


def _parse_python(text: str, offered: Sequence[ToolSpec]) -> Iterator[WrittenCall]:
    """Parse `name(key="text")`, a list of such calls, also within `print` or with a module's name."""
    if len(text) > _MAX_PYTHON_CHARS or "(" not in text:
        return
    try:
        root: ast.AST = ast.parse(text.strip().rstrip(";"), mode="eval").body
        calls = root.elts if isinstance(root, ast.List | ast.Tuple) else [root]
        yield from [_read_call(each, offered) for each in calls if isinstance(each, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _read_call(node: ast.Call, offered: Sequence[ToolSpec]) -> WrittenCall:
    """Read a call in Python's syntax.

    Raises ValueError if an argument is not a plain value.
    """
    name = ast.unparse(node.func)
    if name == "print" and len(node.args) == 1 and isinstance(node.args[0], ast.Call):
        return _read_call(node.args[0], offered)
    given: dict[str, object] = {each.arg: _read_value(each.value) for each in node.keywords if each.arg is not None}
    values = [_read_value(each) for each in node.args]
    if len(values) == 1 and isinstance(values[0], dict):
        return WrittenCall(name, _to_json({**values[0], **given}))
    spec = _find_spec(name, offered)
    expected = list(spec.parameters.get("properties") or {}) if spec else []
    return WrittenCall(name, _to_json({**dict(zip(expected, values, strict=False)), **given}))


def _read_value(node: ast.AST) -> object:
    match node:
        case ast.Constant():
            return node.value if isinstance(node.value, str | int | float | bool | None) else str(node.value)
        case ast.Name():
            return _CONSTANTS.get(node.id.lower(), node.id)
        case ast.List() | ast.Tuple():
            return [_read_value(each) for each in node.elts]
        case ast.Dict():
            return {
                str(_read_value(key)): _read_value(each)
                for key, each in zip(node.keys, node.values, strict=True)
                if key is not None
            }
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise ValueError("not a value")


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_NO_JSON = object()


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _parse_json_at(text: str, at: int) -> Any:
    if at < 0:
        return _NO_JSON
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return _NO_JSON
