"""What an options model says about a place in the file: which keys there are, and which of them hold secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr
from pydantic import Secret as AnySecret
from pydantic.fields import FieldInfo

from sara.config.nodes import ListNode, MapNode, Node, Scalar

Models = Sequence[type[BaseModel]]


def keys_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The keys that a model takes from a file, with their fields."""
    keys: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias or field.alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names = [choice for choice in choices if isinstance(choice, str)]
        if not names or model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.append(name)
        keys |= dict.fromkeys(names, field)
    return keys


def models_at(model: type[BaseModel], location: Iterable[int | str]) -> Models:
    """The models that may stand at a location below `model`."""
    models: Models = [model]
    for step in location:
        fields = [keys[step] for keys in map(keys_of, models) if isinstance(step, str) and step in keys]
        if fields:  # else the step is an index, a key of a free mapping, or pydantic's name for a branch
            models = [inner for field in fields for inner in _models(field.annotation)]
    return models


def reveal(models: Models, node: MapNode) -> tuple[set[Scalar], set[str]]:
    """The values below a node that may be shown, and the texts of those that are secret. What belongs to no known key is
    neither: it may be a secret under a misspelt key."""
    shown: set[Scalar] = set()
    secret: set[str] = set()
    for name, entry in node.entries.items():
        fields = [keys[name] for keys in map(keys_of, models) if name in keys]
        if any(_holds_secret(field.annotation) for field in fields):
            secret |= {scalar.text for scalar in scalars(entry.node) if scalar.text and scalar.origin != "broken"}
        elif fields:
            _reveal_value([inner for field in fields for inner in _models(field.annotation)], entry.node, shown, secret)
    return shown, secret


def _reveal_value(models: Models, node: Node, shown: set[Scalar], secret: set[str]) -> None:
    if not models:
        shown.update(scalars(node))
    elif isinstance(node, ListNode):
        for item in node.items:
            _reveal_value(models, item, shown, secret)
    elif isinstance(node, MapNode):
        more_shown, more_secret = reveal(models, node)
        shown |= more_shown
        secret |= more_secret
        for name, entry in node.entries.items():  # a mapping of names to models
            if isinstance(entry.node, MapNode) and not any(name in keys_of(model) for model in models):
                _reveal_value(models, entry.node, shown, secret)


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
