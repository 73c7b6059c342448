"""The product's source as syntax trees, and the texts that an expression in it can become.

Renamed modules, functions and classes need no change here: definitions are found by what they look like, not by their place.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

MAX_DEPTH = 8
MAX_TEXTS = 24


@dataclass(frozen=True, eq=False)
class Module:
    """One file."""

    path: Path

    @cached_property
    def name(self) -> str:
        """The dotted name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        parts = parts[1:] if parts[0] == "plugins" else parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Node → the node that contains it."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def enclosing(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around `node`, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the function around `node`."""
        return next((each for each in self.enclosing(node) if isinstance(each, Function)), None)

    def calls(self) -> Iterator[ast.Call]:
        """Yield the calls in the order of the file."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        yield from sorted(found, key=lambda call: (call.lineno, call.col_offset))

    def functions(self) -> Iterator[Function]:
        """Yield functions and methods."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, Function))


@dataclass(frozen=True)
class Scope:
    """Where an expression stands, and what is known of the names in it."""

    module: Module
    function: Function | None
    known: Mapping[str, tuple[ast.expr, Scope]] = field(default_factory=dict)
    depth: int = 0


class Source:
    """All modules of the product."""

    def __init__(self, *folders: str) -> None:
        paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
        self.modules = [Module(path) for path in paths]

    @cached_property
    def _functions(self) -> dict[str, list[tuple[Module, Function]]]:
        found: dict[str, list[tuple[Module, Function]]] = {}
        for module in self.modules:
            for function in module.functions():
                found.setdefault(function.name, []).append((module, function))
        return found

    @cached_property
    def _members(self) -> dict[tuple[str, str], ast.expr]:
        """(class, attribute) → the constant of an enumeration, or of another class."""
        found: dict[tuple[str, str], ast.expr] = {}
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    found |= {(node.name, name): value for member in node.body for name, value in _assigned(member)}
        return found

    def scopes(self, module: Module, node: ast.AST, depth: int = 0) -> list[Scope]:
        """Return the scopes of `node`: one for each row of a literal that a loop around it goes through, and for each call of
        its function in the module that hands over a literal text."""
        function = module.function_of(node)
        rows: list[dict[str, tuple[ast.expr, Scope]]] = [{}]
        for around in module.enclosing(node):
            rows = _loop_rows(module, function, around, rows)
        scopes = [Scope(module, function, row, depth) for row in rows]
        if function is None or depth > 2 or not (names := _parameters(function) & _names_in(node)):
            return scopes
        package = [other for other in self.modules if other.path.parent == module.path.parent and other is not module]
        for callers in ([module], package):
            handed = [
                scope
                for caller in callers
                for call in caller.calls()
                if call is not node and last_name(call.func) == function.name and not is_problem_report(call)
                for scope in self._handed(caller, call, Scope(module, function, depth=depth), names)
            ]
            if handed:
                return handed
        return scopes

    def _handed(self, caller: Module, call: ast.Call, scope: Scope, names: set[str]) -> Iterator[Scope]:
        """Yield the scopes of a function whose parameters are given by a call, if one of `names` is given a literal text."""
        module, function, depth = scope.module, scope.function, scope.depth
        if function is None:
            return
        arguments = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
        given = dict(zip(arguments, call.args, strict=False)) | {each.arg: each.value for each in call.keywords if each.arg}
        if not any(isinstance(given.get(name), ast.Constant | ast.JoinedStr) for name in names):
            return
        for outer in self.scopes(caller, call, depth + 1):
            yield Scope(module, function, {name: (value, outer) for name, value in given.items()}, depth)

    def texts(self, node: ast.expr, scope: Scope) -> list[str]:
        """Return the texts that an expression can become, with `<name>` for what only a running daemon knows."""
        return list(dict.fromkeys(self._texts(node, scope)))[:MAX_TEXTS]

    def text(self, node: ast.expr, scope: Scope) -> str:
        """Return the first of the texts."""
        return self.texts(node, scope)[0]

    def _texts(self, node: ast.expr, scope: Scope) -> list[str]:
        if scope.depth > MAX_DEPTH:
            return [_label(node)]
        match node:
            case ast.Constant(value=value):
                return [str(value)]
            case ast.JoinedStr(values=values):
                return self._product([self.texts(each, scope) for each in values])
            case ast.FormattedValue(value=value):
                return self._filled(value, scope)
            case ast.IfExp(body=body, orelse=other):
                return [*self.texts(body, scope), *self.texts(other, scope)]
            case ast.BoolOp(values=values):
                return [text for each in values for text in self.texts(each, scope)]
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self._product([self.texts(left, scope), self.texts(right, scope)])
            case ast.Name(id=name):
                return self._named(node, name, scope)
            case ast.Attribute(value=owner, attr=attr):
                member = self._members.get((last_name(owner), attr))
                if member is None and attr == "value":
                    return self.texts(owner, scope)
                return [_label(node)] if member is None else self.texts(member, scope)
            case ast.Call():
                return self._called(node, scope)
        return [_label(node)]

    def _filled(self, node: ast.expr, scope: Scope) -> list[str]:
        texts = self.texts(node, scope)
        return [_label(node)] if not all(texts) else texts

    @staticmethod
    def _product(parts: list[list[str]]) -> list[str]:
        return ["".join(each) for each in itertools.islice(itertools.product(*parts), MAX_TEXTS)]

    def _named(self, node: ast.Name, name: str, scope: Scope) -> list[str]:
        if name in scope.known:
            value, outer = scope.known[name]
            return self.texts(value, outer)
        for holder in (scope.function, scope.module.tree):
            values = _assignments(holder, name) if holder is not None else []
            if values:
                inner = Scope(scope.module, scope.function, scope.known, scope.depth + 1)
                return [text for value in values for text in self.texts(value, inner)]
        return [_label(node)]

    def _called(self, node: ast.Call, scope: Scope) -> list[str]:
        name = last_name(node.func)
        if name == "format" and isinstance(node.func, ast.Attribute):
            return self.texts(node.func.value, scope)
        found = self._functions.get(name, [])
        own = [each for each in found if each[0] is scope.module]
        candidates = own or found
        if len(candidates) == 1:
            module, function = candidates[0]
            arguments = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
            outer = Scope(scope.module, scope.function, scope.known, scope.depth + 1)
            given = dict(zip(arguments, node.args, strict=False)) | {each.arg: each.value for each in node.keywords if each.arg}
            inner = Scope(module, function, {key: (value, outer) for key, value in given.items()}, scope.depth + 1)
            returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None]
            if returned and _is_text(function):
                return [text for value in returned for text in self.texts(value, inner)]
        if "Key" in name and node.args:  # a typed key: its arguments are its parts
            return self._product([[":".join(each) for each in itertools.product(*(self.texts(arg, scope) for arg in node.args))]])
        return [_label(node)]


def last_name(node: ast.AST) -> str:
    """Return `c` of `a.b.c`, of `a.b.c(…)` and of `c`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return last_name(func)
    return ""


def is_problem_report(call: ast.Call) -> bool:
    """Return whether `call` reports a problem: `….problems.report(key, message, remedy)`."""
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == "report" and "problem" in last_name(func.value).lower()


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """Return the argument at `position`, or the one called `name`."""
    if len(call.args) > position:
        return call.args[position]
    return next((each.value for each in call.keywords if each.arg == name), None)


def _label(node: ast.AST) -> str:
    """Return `<name>` for a value that the source does not hold."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr="name" | "id") if owner not in ("self", "cls"):
            return f"<{owner.strip('_')}>"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return f"<{name.strip('_')}>"
        case ast.Call(func=ast.Attribute(value=value, attr="join")) if not isinstance(value, ast.Constant):
            return _label(value)
        case ast.Call(args=[first, *_]):
            return _label(first)
        case ast.Call(func=func):
            return _label(func)
        case ast.Subscript(value=value) | ast.FormattedValue(value=value) | ast.Await(value=value):
            return _label(value)
        case ast.BinOp(left=left):
            return _label(left)
    return "<…>"


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value


def _assignments(holder: ast.AST, name: str) -> list[ast.expr]:
    """Return the values that a name is given in a function, or at the top of a module."""
    nodes = holder.body if isinstance(holder, ast.Module) else list(ast.walk(holder))
    values = [value for node in nodes for found, value in _assigned(node) if found == name]
    return [value for value in values if not any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(value))]


def _loop_rows(
    module: Module, function: Function | None, around: ast.AST, rows: list[dict[str, tuple[ast.expr, Scope]]]
) -> list[dict[str, tuple[ast.expr, Scope]]]:
    """Multiply `rows` by the rows of the literals that a loop or comprehension goes through."""
    if isinstance(around, ast.For):
        loops: list[ast.For | ast.comprehension] = [around]
    else:
        loops = list(getattr(around, "generators", ()))
    for loop in loops:
        values = _literal_rows(module, function, loop.iter)
        bound = [{name: (value, Scope(module, function)) for name, value in _bindings(loop.target, value)} for value in values]
        rows = [row | known for known in rows for row in bound] if bound else rows
    return rows


def _bindings(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values):
            for each, part in zip(targets, values, strict=False):
                yield from _bindings(each, part)


def _literal_rows(module: Module, function: Function | None, node: ast.expr) -> list[ast.expr]:
    """Return the values that a loop over `node` goes through, as far as they stand in the source."""
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return items
        case ast.Dict(keys=keys):
            return [key for key in keys if key is not None]
        case ast.Call(func=ast.Attribute(value=owner, attr="items" | "values" as part)):
            pairs = _literal_pairs(module, function, owner)
            return [ast.Tuple(elts=[key, value]) for key, value in pairs] if part == "items" else [value for _, value in pairs]
        case ast.Name(id=name):
            return next(
                (rows for value in _values_of(module, function, name) if (rows := _literal_rows(module, function, value))), []
            )
    return []


def _literal_pairs(module: Module, function: Function | None, node: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.Dict(keys=keys, values=values):
            return [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
        case ast.DictComp(key=key, value=value):
            return [(key, value)]
        case ast.Call(args=[inner]):  # MappingProxyType({…})
            return _literal_pairs(module, function, inner)
        case ast.Name(id=name):
            return next(
                (pairs for value in _values_of(module, function, name) if (pairs := _literal_pairs(module, function, value))), []
            )
    return []


def _values_of(module: Module, function: Function | None, name: str) -> list[ast.expr]:
    """Return the values of a name in a function, else at the top of its module, other names left out."""
    found = (*(_assignments(function, name) if function is not None else ()), *_assignments(module.tree, name))
    return [value for value in found if not isinstance(value, ast.Name)]


def _parameters(function: Function) -> set[str]:
    arguments = function.args
    return {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} - {"self", "cls"}


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _is_text(function: Function) -> bool:
    """Return whether a function is said to return a text, or a key."""
    return function.returns is not None and (ast.unparse(function.returns) == "str" or "Key" in ast.unparse(function.returns))
