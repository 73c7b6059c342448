"""Commands that root runs on a state folder in which the service's user may have laid traps."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sara.cli.config import check

from .conftest import Process, Town
from .test_running import sara

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")

NOBODY = 65534
PRECIOUS = "what only root may read and write"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Root's own folder, with files that a link may lead to."""
    folder = tmp_path / "roots-own"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text(PRECIOUS, encoding="ascii")
    (folder / "file").chmod(0o640)
    (folder / "folder").mkdir(mode=0o755)
    yield folder
    assert untouched(folder)


def untouched(folder: Path) -> bool:
    file = folder / "file"
    return (
        file.read_text(encoding="ascii") == PRECIOUS
        and file.stat().st_mode & 0o777 == 0o640
        and {each.name: each.stat().st_uid for each in folder.rglob("*")} == {"file": 0, "folder": 0}
    )


def give_away(folder: Path) -> None:
    for each in (folder, *folder.rglob("*")):
        os.lchown(each, NOBODY, NOBODY)


async def lived(town: Town, process: Process) -> Path:
    """A state folder after a first day, which belongs to the service's user."""
    await process.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    assert await process.end() == 0
    state = town.folder / "state"
    give_away(state)
    return state


TRAPS = (
    # (what is replaced by a link, what it leads to, the command, what is refused)
    ("sara.db.lock", "file", ("forget", "15550001111", "--yes"), True),
    ("sara.db", "file", ("conversations", "list"), True),
    ("sara.db-wal", "file", ("export",), True),
    ("backups", "folder", ("backup",), True),
    ("sara.db.backups", "file", ("backup",), False),
    ("forget-key", "file", ("forget", "15550001111", "--yes"), True),
    ("forget-key.new", "file", ("forget", "15550001111", "--yes"), False),
    ("listening.json", "file", ("run",), True),
    ("admin-token", "file", ("run",), True),
    ("parsing", "file", ("run",), True),
    ("sara.db.corrupt", "file", ("run",), True),
    ("doctor-whatsapp.json", "file", ("doctor",), False),
)


async def test_root_follows_no_link_that_the_services_user_has_planted(town: Town, process: Process, outside: Path) -> None:
    state = await lived(town, process)
    whole = town.folder / "whole"
    shutil.copytree(state, whole)
    for name, target, words, refused in TRAPS:
        shutil.rmtree(state)
        shutil.copytree(whole, state)
        trap = state / name
        if trap.is_dir():
            shutil.rmtree(trap)
        trap.unlink(missing_ok=True)
        trap.symlink_to(outside / target)
        give_away(state)
        code, out, err = await sara(town, *words)
        told = f"{name}, {words}: {code}\n{out}{err}"
        assert untouched(outside), told
        assert "Traceback" not in out + err, told
        if refused:
            assert code != 0, told
            assert f"{trap} " in err, told
            assert "is a link" in err, told
            assert "remove it" in err, told


async def test_a_command_of_roots_leaves_nothing_of_roots_behind(town: Town, process: Process, outside: Path) -> None:
    state = await lived(town, process)
    for words in (("backup",), ("queue", "stats"), ("forget", "15550001111", "--yes"), ("doctor",)):
        code, out, err = await sara(town, *words)
        assert code == 0 or words == ("doctor",), out + err
        assert {each.lstat().st_uid for each in state.rglob("*")} == {NOBODY}, words
    code, out, err = await sara(town, "backup", str(outside / "copy.db"))
    assert code == 1
    assert "leave the file out" in err
    [backup] = (state / "backups").iterdir()
    code, out, err = await sara(town, "restore", str(backup), "--yes")
    assert code == 0, out + err
    await process.start()
    await town.phone.say("ana", "hello again")
    await town.answers(2)
    assert {each.lstat().st_uid for each in state.rglob("*")} == {NOBODY}
    assert await process.end() == 0


async def test_the_state_folder_itself_may_be_a_link_of_roots_and_of_nobody_elses(
    town: Town, process: Process, outside: Path
) -> None:
    # As systemd lays it out for a service with a user of its own: behind a folder that only root may enter.
    state = await lived(town, process)
    private = town.folder / "private"
    private.mkdir(mode=0o700)
    state.rename(private / "state")
    state.symlink_to(private / "state")
    code, out, err = await sara(town, "conversations", "list")
    assert code == 0, err
    assert "Ana Duarte" in out
    state.unlink()
    state.symlink_to(outside / "folder")
    os.lchown(state, NOBODY, NOBODY)
    for words in (("backup",), ("run",)):
        code, out, err = await sara(town, *words)
        # What it leads to is the property of root, so only the link itself can be refused.
        assert code != 0, out
        assert f"{state} is a link" in err, err


async def test_root_runs_nothing_that_others_may_write(town: Town) -> None:
    plugins = town.folder / "plugins"
    plugins.mkdir()
    ran = town.folder / "ran"
    (plugins / "sara_spy.py").write_text(f"open({str(ran)!r}, 'w').close()\n", encoding="ascii")
    town.config["plugins"] = ["spy"]
    town.write()
    include = town.folder / "retry.yaml"
    include.write_text("{}", encoding="ascii")
    text = town.file.read_text(encoding="utf-8").rstrip().removesuffix("}")
    town.file.write_text(text + ', "words": !include retry.yaml}', encoding="utf-8")
    rows = (
        # (what others may write, in which way, the commands that must not run it)
        (town.file, 0o002, ("check",)),
        (town.file, 0o020, ("run",)),
        (include, 0o002, ("check",)),
        (plugins, 0o002, ("run",)),
        (plugins, 0o020, ("plugin", "list")),
        (plugins / "sara_spy.py", 0o002, ("plugin", "list")),
        (plugins / "sara_spy.py", 0o020, ("check",)),
        (town.folder, 0o002, ("check",)),
    )
    for place, bits, words in rows:
        mode = place.stat().st_mode
        place.chmod(mode | bits)
        os.chown(place, -1, NOBODY)
        code, out, err = await sara(town, *words)
        told = f"{place} {oct(bits)} {words}\n{out}{err}"
        assert not ran.exists(), told
        assert code != 0 or words[0] == "plugin", told
        assert f"chmod {'o' if bits == 0o002 else 'g'}-w {place}" in re.sub(r"\s+", " ", out + err) or words[0] == "plugin", told
        os.chown(place, -1, 0)
        place.chmod(mode)
    code, out, err = await sara(town, "plugin", "list")
    assert ran.exists(), out + err


async def test_a_user_is_warned_of_what_others_may_write(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    town.write()
    town.file.chmod(0o666)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert await asyncio.to_thread(check, town.file, strict=False, as_json=False) == 0
    assert f"chmod o-w {town.file}" in capsys.readouterr().out
    assert await asyncio.to_thread(check, town.file, strict=True, as_json=False) == 1
    daemon = await town.start()
    assert any(str(town.file) in problem.message for problem in daemon.problems)
