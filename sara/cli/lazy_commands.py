"""The part of an application that one call needs. Preparing the options of every command takes longer than most commands do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

import typer
from typer.models import TyperInfo


def app_for(words: Sequence[str], whole: typer.Typer) -> typer.Typer:
    """Return `whole` with only the command that `words` begin with, or with all commands where they begin with none."""
    if not words:
        return whole
    commands = [each for each in whole.registered_commands if each.callback and _name_of(each.name, each.callback) == words[0]]
    groups = [each for each in whole.registered_groups if each.name == words[0]]
    if not commands and not groups:
        return whole
    chosen = copy(whole)
    chosen.registered_commands = commands
    chosen.registered_groups = [_group_for(words[1:], each) for each in groups]
    return chosen


def _name_of(given: str | None, callback: Callable[..., object]) -> str:
    return given or callback.__name__.replace("_", "-")


def _group_for(words: Sequence[str], group: TyperInfo) -> TyperInfo:
    chosen = copy(group)
    if group.typer_instance is not None:
        chosen.typer_instance = app_for(words, group.typer_instance)
    return chosen
