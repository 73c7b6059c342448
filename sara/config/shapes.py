"""What an options model says about a place in the file: which keys there are, and which of them hold secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr
from pydantic import Secret as AnySecret
from pydantic.fields import FieldInfo

from sara.config.nodes import ListNode, MapNode, Node, Place, Scalar

Models = Sequence[type[BaseModel]]


def keys_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The keys that a model takes from a file, with their fields."""
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
    """The models that may stand at a location below `model`."""
    models: Models = [model]
    for step in location:
        fields = [keys[step] for keys in map(keys_of, models) if isinstance(step, str) and step in keys]
        if fields:  # else the step is an index, a key of a free mapping, or pydantic's name for a branch
            models = [inner for info in fields for inner in _models(info.annotation)]
    return models


@dataclass(slots=True)
class Revealed:
    """What may be shown of the file and what may not: the values that are known to be no secrets, the texts that are, and the
    places of keys that may be one, because they stand where a secret belongs."""

    shown: set[Scalar] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    hidden_keys: set[Place] = field(default_factory=set)

    def learn(self, models: Models, node: MapNode) -> None:
        """Add what models say about a block. What belongs to no known key is not shown: its key may be a misspelt one."""
        for name, entry in node.entries.items():
            fields = [keys[name] for keys in map(keys_of, models) if name in keys]
            secret = any(_holds_secret(info.annotation) for info in fields)
            if secret:
                self.secrets |= {value.text for value in scalars(entry.node) if value.text and value.origin != "broken"}
            if secret or not fields:
                self.hidden_keys.update(_keys_below(entry.node))
            else:
                self._learn_value([inner for info in fields for inner in _models(info.annotation)], entry.node)

    def _learn_value(self, models: Models, node: Node) -> None:
        if not models:
            self.shown.update(scalars(node))
        elif isinstance(node, ListNode):
            for item in node.items:
                self._learn_value(models, item)
        elif isinstance(node, MapNode):
            self.learn(models, node)
            for name, entry in node.entries.items():  # a mapping of names to models
                if isinstance(entry.node, MapNode) and not any(name in keys_of(model) for model in models):
                    self._learn_value(models, entry.node)


def scalars(node: Node) -> Iterator[Scalar]:
    """All values at and below a node."""
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
    """All types that an annotation is made of."""
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


def _holds_secret(annotation: Any) -> bool:
    return any(isinstance(part, type) and issubclass(part, (SecretStr, SecretBytes, AnySecret)) for part in _parts(annotation))
