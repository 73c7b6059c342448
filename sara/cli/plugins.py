"""`sara plugin …`"""

from __future__ import annotations

from pathlib import Path

from sara.cli.context import plugins_beside
from sara.cli.output import print_json, table
from sara.domain.errors import PluginError
from sara.plugins.loader import REGISTER_HOOKS, PluginLocation, Plugins


def listing(config: Path, *, as_json: bool) -> int:
    """Print the plugins that a file here can name, which one wins, and what each brings."""
    plugins = plugins_beside(config)
    found = [(places[0], places[1:], _brings(plugins, name)) for name, places in plugins.available().items()]
    if as_json:
        print_json(
            [
                {
                    "plugin": first.name,
                    "origin": first.origin,
                    "where": first.where,
                    "brings": brings,
                    "instead_of": [each.origin for each in rest],
                }
                for first, rest, brings in found
            ]
        )
        return 0
    table(
        ["plugin", "brings", "from", "where"],
        [(first.name, brings, _origin(first, rest), first.where) for first, rest, brings in found],
        "No plugins were found.",
    )
    return 0


def _origin(first: PluginLocation, rest: list[PluginLocation]) -> str:
    return first.origin if not rest else f"{first.origin} (instead of {', '.join(each.origin for each in rest)})"


def _brings(plugins: Plugins, name: str) -> str:
    try:
        module = plugins.load(name)
    except PluginError as error:
        return f"error: {error}"
    registers = {**REGISTER_HOOKS, "simulator": "register_simulators"}
    return ", ".join(kind for kind, register in registers.items() if hasattr(module, register)) or "hooks"
