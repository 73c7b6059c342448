"""The power goes at any moment: disks are rebuilt as they may then be, and opened.

The bundled store is run once under strace, which notes all that is written, cut, made, removed and synced, and each deed that was
acknowledged. From that the disk is rebuilt after every call, where of all that was not synced by then each 512-byte sector may
have arrived or not, in any mixture; a file that was made or removed is so only once its directory was synced, or sooner.

| what is cut | the mechanism that must hold |
|---|---|
| a commit | `synchronous = FULL`: the write-ahead log is synced before anybody is told; its frames carry checksums |
| a checkpoint | the log is synced before pages are copied, and begun anew only when those are synced |
| the first start | the schema comes with one commit |
| a clean end, the next start | the log goes only once it was copied |

That losses would be found is proven each time: with `synchronous = NORMAL` the very same finds them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.operations.problem_registry import ProblemRegistry
from sara.testing.clock import ManualClock
from tests.effort import OFFSET, chosen, spread
from tests.faults.rig import Strace
from tests.journeys.conftest import DEADLINE

SECTOR = 512
ROUNDS, DRAWS = chosen(short=(2, 1), full=(10, 3))
"""So many deeds, and for each cut so many mixtures of what was not synced; besides, nothing of it arrived, where something was synced."""

LOOKED_AT = 200
"""Cuts of a short run."""


# ── the disk ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class File:
    """A file as the process sees it, as it surely is on the disk, and what lies in between."""

    seen: bytearray = field(default_factory=bytearray)
    sure: bytes = b""
    sectors: dict[int, list[bytes]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def write(self, data: bytes, at: int) -> None:
        if at > len(self.seen):
            self.seen.extend(bytes(at - len(self.seen)))
        self.seen[at : at + len(data)] = data
        self.sizes.append(len(self.seen))
        self._changed(at, at + len(data))

    def cut(self, size: int) -> None:
        before = len(self.seen)
        self.seen = self.seen[:size].ljust(size, b"\0")
        self.sizes.append(size)
        self._changed(size, max(before, size))

    def _changed(self, start: int, end: int) -> None:
        for sector in range(start // SECTOR, -(-end // SECTOR)):
            now = bytes(self.seen[sector * SECTOR : (sector + 1) * SECTOR])
            self.sectors.setdefault(sector, []).append(now.ljust(SECTOR, b"\0"))

    def sync(self) -> None:
        self.sure = bytes(self.seen)
        self.sectors.clear()
        self.sizes.clear()

    def left(self, chance: random.Random | None) -> bytes:
        """What a power cut leaves: what is sure, and by chance any of what is not."""
        if chance is None:
            return self.sure
        size = chance.choice([len(self.sure), *self.sizes])
        content = bytearray(self.sure.ljust(max(len(self.sure), *self.sizes, 0), b"\0")) if self.sizes else bytearray(self.sure)
        for sector, versions in self.sectors.items():
            if pick := chance.randrange(len(versions) + 1):
                content[sector * SECTOR : (sector + 1) * SECTOR] = versions[pick - 1]
        return bytes(content[:size])


@dataclass
class Disk:
    """One directory."""

    seen: dict[str, File] = field(default_factory=dict)
    sure: dict[str, File] = field(default_factory=dict)
    between: list[tuple[str, File | None]] = field(default_factory=list)

    def make(self, name: str) -> None:
        if name not in self.seen:
            self.seen[name] = File()
            self.between.append((name, self.seen[name]))

    def remove(self, name: str) -> None:
        del self.seen[name]
        self.between.append((name, None))

    def sync(self) -> None:
        self.sure = dict(self.seen)
        self.between.clear()

    def left(self, chance: random.Random | None) -> dict[str, bytes]:
        """What a power cut leaves. What happens to a directory arrives in order, so that a part of it is its beginning."""
        files = dict(self.sure)
        for name, file in self.between[: 0 if chance is None else chance.randrange(len(self.between) + 1)]:
            if file is None:
                files.pop(name, None)
            else:
                files[name] = file
        return {name: file.left(chance) for name, file in files.items()}


# ── the trace ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink"
LINE = re.compile(
    r"(?P<thread>\d+) +"
    r"(?:(?P<name>\w+)\((?P<args>.*?)|<\.\.\. \w+ resumed>.*?)"
    r"(?P<end> <unfinished \.\.\.>|\) += (?P<result>-?\d+).*)$"
)


@dataclass(frozen=True)
class Call:
    """A system call that succeeded: on which file, with what."""

    name: str
    file: str
    data: bytes
    number: int
    flags: str


def text(literal: str) -> bytes:
    """The bytes that strace wrote as \\x.."""
    return bytes.fromhex(literal.replace("\\x", ""))


def calls(trace: Path) -> Iterator[Call]:
    """The calls of a trace, in the order in which they ended."""
    begun: dict[str, tuple[str, str]] = {}
    for line in trace.read_text(encoding="ascii").splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        if found["end"].startswith(" <unfinished"):
            begun[found["thread"]] = found["name"], found["args"]
            continue
        name, args = (found["name"], found["args"]) if found["name"] else begun.pop(found["thread"])
        if int(found["result"]) >= 0:
            yield call(name, args, int(found["result"]))


def call(name: str, args: str, result: int) -> Call:
    """One call from what strace wrote between the brackets."""
    words = args.split(", ")
    if name in ("openat", "unlink"):
        path = words[1 if name == "openat" else 0].strip('"')
        return Call(name, Path(text(path).decode()).name, b"", 0, words[2] if name == "openat" else "")
    path = words[0][words[0].index("<") + 1 : -1]
    data = text(words[1].strip('"'))[:result] if name in ("write", "pwrite64") else b""
    number = int(words[-1]) if name in ("pwrite64", "ftruncate") else 0
    return Call(name, Path(text(path).decode()).name, data, number, "")


async def traced(strace: Strace, folder: Path, synchronous: str, rounds: int) -> list[Call]:
    """Run the deeds and return what they did to the disk."""
    folder.mkdir()  # noqa: ASYNC240  # nothing else goes on
    only = [word for name in ("", "sara.db", "sara.db-wal", "sara.db-journal", "acks") for word in ("-P", str(folder / name))]
    trace = folder.with_suffix(".trace")
    running = await asyncio.create_subprocess_exec(
        *(strace.program, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", *only, "-o", str(trace)),
        *(sys.executable, "-m", "tests.faults.deeds", str(folder), synchronous, str(rounds)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE * 2):
        _, said = await running.communicate()
    assert running.returncode == 0, said.decode()
    return list(calls(trace))


# ── the cuts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = {word: step for step, word in enumerate(("sending", "accepted", "sent", "delivered", "read"))}


def losses(image: Path, acknowledged: list[list[str]]) -> list[str]:
    """What an image lacks of what was acknowledged; "corrupt" where it is no sound database."""
    if not image.exists():
        return [str(each) for each in acknowledged]
    with closing(sqlite3.connect(image)) as db:
        try:
            db.execute("PRAGMA synchronous = OFF")  # what is looked at here is thrown away
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return ["corrupt"]
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                return [str(each) for each in acknowledged]
            messages = {row[0]: row[1:] for row in db.execute("SELECT external_id, text, state FROM messages")}
            attempts = dict(db.execute("SELECT id, state FROM attempts"))
        except sqlite3.DatabaseError as error:
            return [f"corrupt: {error}"]

    def kept(what: str, key: str, value: str) -> bool:
        if what == "attempt":
            return STEPS.get(attempts.get(key, ""), -1) >= STEPS[value]
        body, state = messages.get(key, ("", ""))
        return bool({"message": body == value, "answer": state == value, "receipt": state == value}[what])

    return [str(each) for each in acknowledged if not kept(*each)]


@dataclass
class Cuts:
    """What became of a disk at all the moments at which the power could go."""

    images: int = 0
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)


async def cut_everywhere(happened: list[Call], folder: Path, chance: random.Random, draws: int) -> Cuts:
    """Rebuild and open the disk for every cut, in a short run for some of them."""
    looked_at = set(spread(range(len(happened)), LOOKED_AT))
    disk, cuts, acknowledged = Disk(), Cuts(), list[list[str]]()
    for number, each in enumerate(happened):
        news = each.name in ("fsync", "fdatasync")
        match each.name:
            case "openat":
                if "O_CREAT" in each.flags:
                    disk.make(each.file)
            case "unlink":
                disk.remove(each.file)
            case "write":
                acknowledged += map(json.loads, each.data.splitlines())
                news = True
            case "pwrite64":
                disk.seen[each.file].write(each.data, each.number)
            case "ftruncate":
                disk.seen[each.file].cut(each.number)
            case _ if each.file in disk.seen:
                disk.seen[each.file].sync()
            case _:
                disk.sync()
        if number not in looked_at:
            continue
        for mixture in [*[chance] * draws, *([None] if news else [])]:
            cuts.images += 1
            image = rebuilt(folder, disk.left(mixture))
            where = f"after call {number} ({each.name} {each.file}), {'mixed' if mixture else 'nothing unsynced'}"
            found = losses(image, acknowledged)
            if found and found[0].startswith("corrupt"):
                cuts.corrupt.append(f"{where}: {found[0]}")
            elif found:
                cuts.lost.append(f"{where}: {found}")
            if cuts.images % chosen(short=25, full=100) == 0 and image.exists():
                await served(image)
    return cuts


def rebuilt(folder: Path, files: dict[str, bytes]) -> Path:
    """Write an image; the path of its database."""
    folder.mkdir(exist_ok=True)
    for former in folder.iterdir():
        former.unlink()
    for name, content in files.items():
        if name != "acks":
            (folder / name).write_bytes(content)
    return folder / "sara.db"


async def served(image: Path) -> None:
    """The store itself opens it, puts right what was cut off, and writes."""
    clock = ManualClock()
    store = SqliteStore(SqliteOptions(), Context("store", image.parent, clock, ProblemRegistry(clock)))
    await store.open()
    try:
        await store.recover("another life", clock())
        await store.ping()
    finally:
        await store.close()


@pytest.fixture
def chance() -> random.Random:
    """The same each time, and another one for each offset."""
    return random.Random(OFFSET)  # noqa: S311  # a sample that can be drawn again


async def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(
    strace: Strace, tmp_path: Path, chance: random.Random
) -> None:
    happened = await traced(strace, tmp_path / "state", "as the store does", ROUNDS)
    cuts = await cut_everywhere(happened, tmp_path / "image", chance, DRAWS)
    print(f"{len(happened)} calls, {cuts.images} images, {len(cuts.lost)} with losses, {len(cuts.corrupt)} corrupt")
    assert cuts.corrupt == []
    assert cuts.lost == []


async def test_the_same_cuts_find_what_is_lost_where_commits_are_not_synced(
    strace: Strace, tmp_path: Path, chance: random.Random
) -> None:
    happened = await traced(strace, tmp_path / "state", "NORMAL", 2)
    cuts = await cut_everywhere(happened, tmp_path / "image", chance, 1)
    print(f"{len(happened)} calls, {cuts.images} images, {len(cuts.lost)} with losses, {len(cuts.corrupt)} corrupt")
    assert cuts.lost
    assert cuts.corrupt == []
