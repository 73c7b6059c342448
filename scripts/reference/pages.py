"""The pages that are read from the syntax trees: HTTP, hooks, metrics, problems, log events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from scripts.reference.source import Function, Module, Scope, Source, argument, is_problem_report, last_name
from scripts.reference.tables import code, codes, table

METHODS = {"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "route": "any", "view": "any"}
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def http(source: Source) -> str:
    """Return the page of both listeners' routes."""
    public: list[tuple[str, str, str, str]] = []
    admin: list[tuple[str, str, str, str]] = []
    for module in source.modules:
        if module.name.startswith("sara.web"):
            (admin if module.name.startswith("sara.web.admin") else public).extend(_routes(source, module))
    head = ("method", "path", "query and body", "purpose")
    return f"""Public listener (`server.listen`). Each channel answers at the path that `webhook` in its section names, with or without a slash
at its end; all other paths are 404.

{table(head, sorted(public, key=_by_path))}

Admin listener (`admin.listen`). Requests carry `Authorization: Bearer TOKEN` with the token of `<state>/admin-token`; open to everyone
who reaches the listener: {codes(_open_paths(source)) or "nothing"}. Bodies and answers are JSON, times are milliseconds, moments are Unix time in milliseconds.

{table(head, sorted(admin, key=_by_path))}
"""


def _by_path(row: Sequence[str]) -> str:
    return row[1].strip("`")


def _routes(source: Source, module: Module) -> Iterator[tuple[str, str, str, str]]:
    for call in module.calls():
        name = last_name(call.func)
        verb = name.removeprefix("add_")
        added = name.startswith("add_") and verb in METHODS
        defined = isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "web" and name in METHODS
        if not (added or defined) or not call.args:
            continue
        scopes = source.scopes(module, call)
        for scope in scopes:
            method, at = METHODS[verb], 0
            if verb == "route":
                method, at = source.text(call.args[0], scope).replace("*", "any"), 1
            path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", source.text(call.args[at], scope))
            handlers = _handlers(module, call.args[at + 1], scope) if len(call.args) > at + 1 else []
            if path.startswith("/"):
                yield method, code(path), _asked(module, handlers), _first_line(handlers[0] if handlers else None)


def _handlers(module: Module, node: ast.expr, scope: Scope) -> list[Function]:
    """Return the function that answers a route, and behind it the function that wraps it."""
    if isinstance(node, ast.Name) and node.id in scope.known:
        node = scope.known[node.id][0]
    inner = _handlers(module, node.args[0], scope) if isinstance(node, ast.Call) and node.args else []
    return [*inner, *(each for each in module.functions() if each.name == last_name(node))]


def _asked(module: Module, handlers: Sequence[Function]) -> str:
    """Return the names of query parameters and keys of the body that handlers read, also through functions of their module."""
    found: dict[str, None] = {}
    helpers = {each.name: each for each in module.functions()}
    called = [helpers[name] for handler in handlers for name in _called(handler) if name in helpers]
    for function in (*handlers, *called):
        for node in ast.walk(function):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="query"), attr="get"), args=[ast.Constant(value=name), *_]
                ):
                    found[f"?{name!s}="] = None
                case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=name), *_]) if _is_body(
                    owner
                ):
                    found[str(name)] = None
                case ast.Call(args=[ast.Name(id="body"), ast.Constant(value=str(name)), *_]):
                    found[name] = None
                case ast.Compare(left=ast.Constant(value=str(name)), comparators=[ast.Name(id="body")]):
                    found[name] = None
    return codes(found)


def _called(function: Function) -> dict[str, None]:
    return {last_name(node.func): None for node in ast.walk(function) if isinstance(node, ast.Call)}


def _is_body(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "body") or (isinstance(node, ast.Await) and "body" in ast.unparse(node)) or (
        isinstance(node, ast.Await) and last_name(node.value) == "read_object"
    )  # fmt: skip


def _open_paths(source: Source) -> list[str]:
    for module in source.modules:
        for node in module.tree.body if module.name.startswith("sara.web") else ():
            if isinstance(node, ast.Assign) and any(last_name(target) == "OPEN_PATHS" for target in node.targets):
                return sorted(str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant))
    return []


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def hooks(source: Source) -> str:
    """Return the page of the hooks."""
    found = []
    for module in source.modules:
        for node in module.tree.body:
            if isinstance(node, Function) and any(last_name(each) == "hookspec" for each in node.decorator_list):
                returns = ast.unparse(node.returns) if node.returns else "None"
                found.append((f"{node.name}({ast.unparse(node.args)}) -> {returns}", _first_line(node)))
    brings = [row for row in found if not row[0].endswith("-> None")]
    moments = [row for row in found if row[0].endswith("-> None")]
    head = ("hook", "purpose")
    return f"""[plugins/README.md](../../plugins/README.md#hooks) explains them. A plugin implements the ones it needs, marked with `@hookimpl`.

Hooks that a plugin answers:

{table(head, ((code(name), about) for name, about in brings))}

Hooks that tell a plugin of an event:

{table(head, ((code(name), about) for name, about in moments))}
"""


# ── metrics ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def metrics(source: Source) -> str:
    """Return the page of the metrics: calls in `sara.web` whose first arguments are a name `sara_…` and a text."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    for module in source.modules:
        for call in module.calls() if module.name.startswith("sara.web") else ():
            first, about = argument(call, 0, "name"), argument(call, 1, "documentation")
            if first is None or about is None:
                continue
            for scope in source.scopes(module, call):
                name = source.text(first, scope)
                if not re.fullmatch(r"sara_[a-z0-9_]+", name):
                    continue
                kind = next((each for each in ("Counter", "Gauge", "Histogram", "Summary") if each in last_name(call.func)), "")
                shown = f"{name}_total" if kind == "Counter" else name
                rows[shown] = (code(shown), kind.lower(), codes(_labels(call)), source.text(about, scope))
    return f"""`GET /metrics` on the admin listener, in the text format of Prometheus, together with the figures of the process (`process_…`).

{table(("metric", "type", "labels", "meaning"), (rows[name] for name in sorted(rows)))}
"""


def _labels(call: ast.Call) -> list[str]:
    labels = argument(call, 2, "labels") or argument(call, 2, "labelnames")
    return [str(each.value) for each in ast.walk(labels) if isinstance(each, ast.Constant)] if labels is not None else []


# ── problems ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def problems(source: Source) -> str:
    """Return the page of the problems: calls of `….problems.report(key, message, remedy)`."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for module in source.modules:
        for call in module.calls():
            if not is_problem_report(call):
                continue
            for scope in source.scopes(module, call):
                key, message, remedy = (argument(call, at, name) for at, name in enumerate(("key", "message", "remedy")))
                severity = argument(call, 9, "severity")
                told = source.text(severity, scope) if severity is not None else "error"
                row = (
                    source.text(message, scope) if message is not None else "",
                    source.text(remedy, scope) if remedy is not None else "",
                    told if told in ("error", "warning") else "",
                )
                for text in source.texts(key, scope) if key is not None else ():
                    rows = found.setdefault(text, [])
                    rows.extend([row] if row not in rows else [])
    known = [key for key in sorted(found) if not re.fullmatch(r"<[^<>]*>", key)]  # a key that is only handed on says nothing
    listed = [(code(key), severity, message, remedy) for key in known for message, remedy, severity in found[key]]
    return f"""A problem stands in `sara doctor`, `sara queue stats`, `GET /api/v1/problems` and once in the log (event `problem`) until it is solved. `<…>` is
what only the running daemon knows.

{table(("key", "severity", "message", "remedy"), listed)}
"""


# ── log events ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def log_events(source: Source) -> str:
    """Return the page of the log events: calls of a logger, and of counted log lines."""
    levels: dict[str, set[str]] = {}
    fields: dict[str, dict[str, None]] = {}
    modules: dict[str, dict[str, None]] = {}
    for module in source.modules:
        for level, event, keys in _log_calls(source, module):
            levels.setdefault(event, set()).add(level)
            fields.setdefault(event, {}).update(dict.fromkeys(keys))
            modules.setdefault(event, {})[module.name] = None
    rows = [
        (code(event), ", ".join(sorted(levels[event], key=_rank)), codes(fields[event]), codes(modules[event]))
        for event in sorted(levels)
    ]
    return f"""Each line of the log is a JSON object with `event`, `level`, `logger` and `timestamp`, and the fields below. No line contains a customer's text
or a secret.

{table(("event", "level", "fields", "module"), rows)}
"""


def _rank(level: str) -> int:
    return LEVELS.index(level)


def _log_calls(source: Source, module: Module) -> Iterator[tuple[str, str, list[str]]]:
    for call in module.calls():
        name, func = last_name(call.func), call.func
        fields = [each.arg for each in call.keywords if each.arg and each.arg != "exc_info"]
        if isinstance(func, ast.Attribute) and name in LEVELS and _is_logger(func.value) and call.args:
            level = "error" if name == "exception" else name
            for scope in source.scopes(module, call):
                for event in source.texts(call.args[0], scope):
                    if not event.startswith("<"):
                        yield level, event, fields
        elif name.endswith("Log") and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
            event = str(call.args[1].value)
            if re.fullmatch(r"[a-z]+(_[a-z]+)+", event):
                yield "warning", event, ["count", *fields]


def _is_logger(node: ast.expr) -> bool:
    return last_name(node).strip("_") in ("log", "logger", "get_logger")


def _first_line(node: Function | None) -> str:
    return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ") if node is not None else ""
