"""Check that a value from a plugin has the type that the contract names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sara.domain.errors import WrongType
from sara.domain.text import sanitize_text

Check = Callable[[Any, str], Any]
"""(value, its name) → the value as the core takes it."""

LARGEST = 2**63
"""Numbers from here on fit into no database."""

DEEPEST = 100
"""Levels of lists and mappings in a free value."""


def check_type(value: Any, kind: Any, name: str) -> Any:
    """Return `value` as `kind`, a type as annotations write it.

    A whole number may come as a float, a tuple as a list, and text loses characters that no database stores; nothing else is
    converted. Raises WrongType, which names the place but not the value.
    """
    return _check_of(kind)(value, name)


@cache
def _check_of(kind: Any) -> Check:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _union(get_args(kind))
    if origin is Literal:
        return _literal(get_args(kind))
    if origin in (tuple, Sequence, list):
        return _several(get_args(kind)[0])
    if origin in (frozenset, Set):
        return _a_set(get_args(kind)[0])
    if origin in (Mapping, dict):
        return _mapping(*get_args(kind))
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    return _PLAIN[kind]


def _named(kind: type) -> str:
    """Return the name of a type with its article."""
    return f"{'an' if kind.__name__[:1].lower() in 'aeio' else 'a'} {kind.__name__}"


def wrong_type(name: str, value: Any, expected: str) -> WrongType:
    """Return the error for a value that is not as `expected`; it names the value's type alone."""
    return WrongType(f"{name} is {'None' if value is None else _named(type(value))}, not {expected}")


def _int(value: Any, name: str) -> int:
    if isinstance(value, float) and math.isfinite(value):
        value = round(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, value, "a whole number")
    if not -LARGEST <= value < LARGEST:
        raise WrongType(f"{name} is a number that is too large")
    return value


def _float(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong_type(name, value, "a number")
    return value


def _str(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(name, value, "text")
    return sanitize_text(value)


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise wrong_type(name, value, "bytes")
    return value if isinstance(value, bytes) else bytes(value)


def _of(kind: type, expected: str) -> Check:
    def check(value: Any, name: str) -> Any:
        if not isinstance(value, kind):
            raise wrong_type(name, value, expected)
        return value

    return check


def _free(value: Any, name: str, depth: int = 0) -> Any:
    """Check a value of any type that JSON can hold."""
    if depth > DEEPEST:
        raise WrongType(f"{name} is nested too deeply")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise wrong_type(f"a key in {name}", key, "text")
            _free(inner, f"{name}.{key[:40]}", depth + 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _free(inner, f"{name}[{number}]", depth + 1)
    elif not (value is None or isinstance(value, str | int | float)):
        raise wrong_type(name, value, "something that JSON can hold")
    return value


_PLAIN: Mapping[Any, Check] = {
    Any: _free,
    NoneType: _of(NoneType, "None"),
    None: _of(NoneType, "None"),
    bool: _of(bool, "True or False"),
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    PurePath: _of(PurePath, "a path"),
}


def _literal(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any, name: str) -> Any:
        if not isinstance(value, str | int) or value not in allowed:
            raise WrongType(f"{name} is none of {', '.join(map(str, allowed))}")
        return value

    return check


def _union(kinds: tuple[Any, ...]) -> Check:
    records = tuple(kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind))
    others = tuple(kind for kind in kinds if kind is not NoneType and kind not in records)

    def check(value: Any, name: str) -> Any:
        if value is None and NoneType in kinds:
            return None
        for record in records:
            if isinstance(value, record):
                return _check_of(record)(value, name)
        if len(records) + len(others) == 1:
            return _check_of((*records, *others)[0])(value, name)
        for kind in others:
            try:
                return _check_of(kind)(value, name)
            except WrongType:
                continue
        raise wrong_type(name, value, " or ".join(getattr(kind, "__name__", str(kind)) for kind in (*records, *others)))

    return check


def _items(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise wrong_type(name, value, "a tuple or a list")
    return value


def _several(kind: Any) -> Check:
    check_one = _check_of(kind)

    def check(value: Any, name: str) -> tuple[Any, ...]:
        given = _items(value, name)
        checked = tuple(check_one(each, f"{name}[{number}]") for number, each in enumerate(given))
        same = isinstance(given, tuple) and all(one is other for one, other in zip(given, checked, strict=True))
        return given if same else checked  # type: ignore[return-value]  # `same` says that it is a tuple

    return check


def _a_set(kind: Any) -> Check:
    check_one = _check_of(kind)

    def check(value: Any, name: str) -> frozenset[Any]:
        if not isinstance(value, Set | list | tuple):
            raise wrong_type(name, value, "a set")
        return frozenset(check_one(each, f"an entry of {name}") for each in value)

    return check


def _mapping(key_kind: Any, kind: Any) -> Check:
    check_key, check_one = _check_of(key_kind), _check_of(kind)

    def check(value: Any, name: str) -> Mapping[Any, Any]:
        if not isinstance(value, Mapping):
            raise wrong_type(name, value, "a mapping")
        return {check_key(key, f"a key in {name}"): check_one(inner, f"{name}.{str(key)[:40]}") for key, inner in value.items()}

    return check


def _record(kind: type[Any]) -> Check:
    checks: list[tuple[str, Check]] = []

    def check(value: Any, name: str) -> Any:
        if not isinstance(value, kind):
            raise wrong_type(name, value, _named(kind))
        if not checks:  # only now: the annotations may name what is defined later
            hints = get_type_hints(kind)
            checks.extend((each.name, _check_of(hints[each.name])) for each in fields(kind))
        changed = {}
        for field, check_field in checks:
            given = getattr(value, field)
            checked = check_field(given, f"{name}.{field}" if name else field)
            if checked is not given and not (isinstance(given, Mapping) and checked == given):
                changed[field] = checked
        return replace(value, **changed) if changed else value

    return check
