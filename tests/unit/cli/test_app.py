"""The commands as they are put together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from sara.cli import main
from sara.cli.app import app
from sara.cli.invocation import find_config
from sara.cli.lazy_commands import app_for
from sara.cli.renamed_commands import RENAMED_COMMANDS, find_new_name


def test_only_the_command_that_is_called_is_prepared_and_looks_as_among_all() -> None:
    whole = typer.main.get_command(app)
    assert isinstance(whole, TyperGroup)
    called = [[name] for name in whole.commands] + [
        [name, inner] for name, group in whole.commands.items() if isinstance(group, TyperGroup) for inner in group.commands
    ]
    called = [words for words in called if len(words) == 2 or not isinstance(whole.commands[words[0]], TyperGroup)]
    assert ["handoff"] in called
    assert ["queue", "list"] in called
    for words in called:
        chosen, everything = app_for([*words, "--help"], app), CliRunner().invoke(app, [*words, "--help"])
        prepared = typer.main.get_command(chosen)
        for word in words:
            assert isinstance(prepared, TyperGroup)
            assert list(prepared.commands) == [word]
            prepared = prepared.commands[word]
        shown = CliRunner().invoke(chosen, [*words, "--help"])
        assert (shown.exit_code, shown.output) == (everything.exit_code, everything.output)
    for others in ([], ["--version"], ["--help"], ["chek"], ["--config", "run"]):
        assert app_for(others, app) is app


class TestOldNames:
    def test_old_commands_name_the_new_one_and_do_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [
            (["hand-over", "c1", "--pause"], "`sara hand-over` is now `sara handoff`"),
            (["hand-back", "c1"], "`sara hand-back` is now `sara resume`"),
            (["export", "c1", "--set-aside"], "`sara export --set-aside` is now `sara export --unparsed`"),
            (["plugins"], "`sara plugins` is now `sara plugin list`"),
        ]
        assert set(RENAMED_COMMANDS) == {(words[0], *(each for each in words if each == "--set-aside")) for words, _ in rows}
        for words, told in rows:
            monkeypatch.setattr(sys, "argv", ["sara", *words])
            with pytest.raises(SystemExit) as ended:
                main()
            assert (ended.value.code, *capsys.readouterr()) == (2, "", f"sara: {told}\n")

    def test_present_commands_have_no_new_name(self) -> None:
        for words in ([], ["handoff", "c1"], ["send", "c1", "hand-over"], ["export", "c1"], ["plugin", "list"]):
            assert find_new_name(words) is None


class TestConfigFile:
    def test_the_first_of_the_usual_places_is_read(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        system = tmp_path / "etc" / "sara.yaml"
        system.parent.mkdir()
        monkeypatch.setattr("sara.cli.invocation.SYSTEM_CONFIG", system)
        monkeypatch.delenv("SARA_CONFIG", raising=False)
        monkeypatch.chdir(tmp_path)
        assert find_config() == Path("sara.yaml"), "the name to say where there is none"
        system.touch()
        assert find_config() == system
        Path("sara.yaml").touch()
        assert find_config() == Path("sara.yaml")
        monkeypatch.setenv("SARA_CONFIG", "/srv/shop.yaml")
        assert find_config() == Path("/srv/shop.yaml"), "what is named there counts, also where it does not exist"

    def test_commands_use_it_unless_a_file_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "shop.yaml").write_text("bogus: 1\n")
        monkeypatch.setenv("SARA_CONFIG", str(tmp_path / "shop.yaml"))
        assert f"{tmp_path}/shop.yaml:1:1: bogus" in CliRunner().invoke(app, ["check"]).output
        other = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "other.yaml")])
        assert f"{tmp_path}/other.yaml" in other.output
        assert "bogus" not in other.output
