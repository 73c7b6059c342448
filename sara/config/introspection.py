"""What an options model says about a place in the file: which keys there are, and which of them hold secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr
from pydantic import Secret as AnySecret
from pydantic.fields import FieldInfo

from sara.config.nodes import ListNode, MapNode, Node, Place, Scalar

Models = Sequence[type[BaseModel]]

_NEAR, _FAR = 0.75, 0.5
"""How alike two keys are, from 0 to 1, where one is the other with a slip, and where it cannot be."""

_CONFIDENTIAL = re.compile(r"secret|token|key|pass|pin|pwd|auth|cred|sign|salt|cookie|session|code", re.IGNORECASE)
"""Words in keys under which secrets are kept."""

_HARMLESS = re.compile(
    r"true|false|null|~|-?\d{1,5}(?:\.\d{1,5})?|\d{1,5}(?:\.\d{1,3})?(?:ms|s|m|h|d)|[\w.-]*[a-z][\w-]*\.[\w.-]+:\d{1,5}|[\d.]{7,15}:\d{1,5}"
)
"""Values that no secret looks like: yes and no, small numbers, durations, hosts with a port."""


def looks_harmless(key: str, text: str) -> bool:
    """Return whether a value may be shown although nothing is known about its key. An id is digits under a key that says so."""
    if _CONFIDENTIAL.search(key):
        return False
    return _HARMLESS.fullmatch(text) is not None or (text.isdecimal() and re.search(r"(?:^|_)id$", key) is not None)


def keys_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the keys that a model takes from a file, with their fields."""
    keys: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias or info.alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names = [choice for choice in choices if isinstance(choice, str)]
        if not names or model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.append(name)
        keys |= dict.fromkeys(names, info)
    return keys


def models_at(model: type[BaseModel], location: Iterable[int | str]) -> Models:
    """Return the models that may stand at a location below `model`."""
    models: Models = [model]
    for step in location:
        fields = [keys[step] for keys in map(keys_of, models) if isinstance(step, str) and step in keys]
        if fields:  # else the step is an index, a key of a free mapping, or pydantic's name for a branch
            models = models_below(fields)
    return models


def models_below(fields: Iterable[FieldInfo]) -> Models:
    """Return the models that the values of fields may be."""
    return [inner for info in fields for inner in _models(info.annotation)]


@dataclass(slots=True)
class SecretMap:
    """What may be shown of the file and what may not: the values that are known to be no secrets, the texts that are, and the
    places of keys that may be one, because they stand where a secret belongs."""

    shown: set[Scalar] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    hidden_keys: set[Place] = field(default_factory=set)

    def learn(self, models: Models, node: MapNode) -> None:
        """Add what models say about a block. What belongs to no known key is not shown: its key may be a misspelt one."""
        for name, entry in node.entries.items():
            fields = [keys[name] for keys in map(keys_of, models) if name in keys]
            secret = any(holds_secret(info.annotation) for info in fields)
            if secret:
                self.secrets |= {value.text for value in scalars(entry.node) if value.text and value.origin != "broken"}
            if secret or not fields:
                self.hidden_keys.update(_keys_below(entry.node))
                if not secret and isinstance(entry.node, Scalar) and _may_show(models, name, entry.node):
                    self.shown.add(entry.node)
            else:
                named = any(_is_mapping(info.annotation) for info in fields)
                self._learn_value(name, models_below(fields), entry.node, named=named)

    def _learn_value(self, key: str, models: Models, node: Node, *, named: bool) -> None:
        """Learn about a value. `named`: it maps names, which are the user's own, to such models."""
        if not models:
            self._show(node, named=named)
        elif isinstance(node, Scalar):
            self.shown |= {node} if looks_harmless(key, node.text) else set()
        elif isinstance(node, ListNode):
            for item in node.items:
                self._learn_value(key, models, item, named=False)
        elif isinstance(node, MapNode):
            own = {
                name: entry for name, entry in node.entries.items() if named and not any(name in keys_of(each) for each in models)
            }
            for name, entry in own.items():
                self._learn_value(name, models, entry.node, named=False)
            others = {name: entry for name, entry in node.entries.items() if name not in own}
            self.learn(models, MapNode(node.place, others))

    def _show(self, node: Node, *, named: bool) -> None:
        """Mark a value as no secret. A block where none belongs may have slipped there from elsewhere, with a secret in it."""
        if isinstance(node, Scalar):
            self.shown.add(node)
        elif isinstance(node, ListNode):
            for item in node.items:
                self._show(item, named=named)
        else:
            for name, entry in node.entries.items():
                if named and not _CONFIDENTIAL.search(name):
                    self._show(entry.node, named=True)
                else:
                    self.shown |= {each for each in scalars(entry.node) if looks_harmless(name, each.text)}


def _may_show(models: Models, name: str, scalar: Scalar) -> bool:
    """Return whether the value of an unknown key may be shown: it looks harmless, or its key is that of a harmless option with a
    slip."""
    if looks_harmless(name, scalar.text):
        return True
    if _CONFIDENTIAL.search(name):
        return False
    keys = [(SequenceMatcher(None, name[:100], key).ratio(), info) for model in models for key, info in keys_of(model).items()]
    close = max((ratio for ratio, info in keys if not holds_secret(info.annotation)), default=0.0)
    return close >= _NEAR and all(ratio < _FAR for ratio, info in keys if holds_secret(info.annotation))


def scalars(node: Node) -> Iterator[Scalar]:
    """Yield all values at and below a node."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from scalars(item)
    else:
        for entry in node.entries.values():
            yield from scalars(entry.node)


def _keys_below(node: Node) -> Iterator[Place]:
    if isinstance(node, ListNode):
        for item in node.items:
            yield from _keys_below(item)
    elif isinstance(node, MapNode):
        for entry in node.entries.values():
            yield entry.place
            yield from _keys_below(entry.node)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield all types that an annotation consists of."""
    waiting, met = [annotation], set()
    while waiting:
        part = waiting.pop()
        if id(part) in met:  # an alias may name itself
            continue
        met.add(id(part))
        yield part
        waiting += [get_origin(part), getattr(part, "__value__", None), *get_args(part)]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _is_mapping(annotation: Any) -> bool:
    return any(isinstance(part, type) and issubclass(part, Mapping) for part in _parts(annotation))


def holds_secret(annotation: Any) -> bool:
    """Return whether a value of this type may be a secret."""
    return any(isinstance(part, type) and issubclass(part, (SecretStr, SecretBytes, AnySecret)) for part in _parts(annotation))
