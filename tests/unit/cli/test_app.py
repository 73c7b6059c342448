"""The commands as they are put together."""

from __future__ import annotations

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from sara.cli.app import app, app_for


def test_only_the_command_that_is_called_is_prepared_and_looks_as_among_all() -> None:
    whole = typer.main.get_command(app)
    assert isinstance(whole, TyperGroup)
    called = [[name] for name in whole.commands] + [
        [name, inner] for name, group in whole.commands.items() if isinstance(group, TyperGroup) for inner in group.commands
    ]
    called = [words for words in called if len(words) == 2 or not isinstance(whole.commands[words[0]], TyperGroup)]
    assert ["hand-over"] in called
    assert ["queue", "list"] in called
    for words in called:
        chosen, everything = app_for([*words, "--help"]), CliRunner().invoke(app, [*words, "--help"])
        prepared = typer.main.get_command(chosen)
        for word in words:
            assert isinstance(prepared, TyperGroup)
            assert list(prepared.commands) == [word]
            prepared = prepared.commands[word]
        shown = CliRunner().invoke(chosen, [*words, "--help"])
        assert (shown.exit_code, shown.output) == (everything.exit_code, everything.output)
    for others in ([], ["--version"], ["--help"], ["chek"], ["--config", "run"]):
        assert app_for(others) is app
