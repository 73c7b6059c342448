"""Files that customers send: fetched whole or not at all, under names that nobody chose."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from sara import Attachment, GiveUp, RetryLater
from sara.engines import CommitUnknown, NotFound, StoreUnavailable
from sara.pipeline.media import CLEAN_EVERY_S, EXPIRE_EVERY_S, MEGABYTE, MISSING, ORPHAN_AGE, PAGE, DiskError, MediaStore
from sara.policy.settings import MediaSettings
from sara.runtime.background import periodic
from tests.fakes import NOW, FakeChannel, FakeStore, House
from tests.patience import patience

PICTURE = b"a picture of a cat"
DIGEST = hashlib.sha256(PICTURE).hexdigest()


class Shelf(FakeStore):
    """Remembers what was kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, tuple[str | None, str, int, str | None]] = {}
        self.old: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.moments: dict[str, Callable[[], object]] = {}

    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: int
    ) -> None:
        self.moments.get("keep_attachment", int)()
        if attachment in self.broken:
            raise self.broken[attachment]
        self.kept[attachment] = (file, sha256, size, error)

    async def attachment_file(self, sha256: str) -> str | None:
        self.moments.get("attachment_file", int)()
        return next((file for file, digest, _, _ in self.kept.values() if digest == sha256), None)

    async def named_files(self, names: Sequence[str]) -> set[str]:
        return {file for file, *_ in self.kept.values() if file in names}

    async def old_files(self, before: int, limit: int) -> Sequence[str]:
        self._note("old_files", before, limit)
        return self.old[:limit]

    async def forget_files(self, names: Sequence[str], now: int) -> None:
        self._note("forget_files", tuple(names), now)
        self.old = [name for name in self.old if name not in names]


class Source(FakeChannel):
    """Gives these chunks for every file; errors first."""

    def __init__(self, *chunks: bytes) -> None:
        super().__init__()
        self.chunks = chunks or (PICTURE[:5], PICTURE[5:])
        self.failures: list[Exception] = []
        self.asked: list[str] = []
        self.closed = 0
        self.moment: Callable[[], object] = int

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        self.asked.append(attachment.reference)
        if self.failures:
            raise self.failures.pop(0)
        try:
            for chunk in self.chunks:
                yield chunk
                self.moment()
        finally:
            self.closed += 1


class Place(House):
    """A house with a media folder."""

    def __init__(self, folder: Path, source: Source | None = None, policy: MediaSettings | None = None) -> None:
        super().__init__(folder=folder)
        self.source = source or Source()
        self.shelf = Shelf()
        self.route = replace(self.route, channel=self.source)
        names = map(named, range(100))
        self.files = MediaStore(
            folder, self.shelf, policy or MediaSettings(), self.problems, self.clock, lambda: next(names), self.call_guard
        )
        self.files.open()

    async def fetched(self, attachment: Attachment) -> Attachment:
        return await self.files.fetch(self.route, attachment)


def named(n: int) -> str:
    """The name that SARA gives to the file `n`."""
    return f"{n:032x}"


def picture(id: str = "at1", **changes: object) -> Attachment:
    return replace(Attachment("image", "image/jpeg", f"media-{id}", id=id), **changes)  # type: ignore[arg-type]  # fields by name


def content(path: PurePath) -> bytes:
    return Path(path).read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_is_fetched_whole_and_kept_under_a_name_that_nobody_chose(tmp_path: Path) -> None:
    place = Place(tmp_path / "media")
    found = await place.fetched(picture(name="../../etc/passwd"))
    assert found.path == tmp_path / "media" / named(0)
    assert content(found.path) == PICTURE
    assert (found.sha256, found.size) == (DIGEST, len(PICTURE))
    assert place.shelf.kept == {"at1": (named(0), DIGEST, len(PICTURE), None)}
    assert (tmp_path / "media" / named(0)).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700


async def test_the_same_file_is_kept_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.fetched(picture("at1"))
    again = await place.fetched(picture("at2"))
    assert again.path == tmp_path / named(0)
    assert names(tmp_path) == [named(0)]
    assert place.shelf.kept["at2"][0] == named(0)


async def test_what_can_never_be_had_is_noted_with_its_reason(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.source.failures = [GiveUp("it was deleted")]
    found = await place.fetched(picture())
    assert (found.path, found.error, found.state) == (None, "it was deleted", "failed")
    assert place.shelf.kept == {"at1": (None, "", 0, "it was deleted")}
    assert names(tmp_path) == []


async def test_a_file_that_is_too_large_is_given_up_before_it_fills_the_disk(tmp_path: Path) -> None:
    for announced, closed in ((None, 1), (2 * MEGABYTE, 0)):
        source = Source(*[b"x" * 300_000] * 20)
        found = await Place(tmp_path, source, MediaSettings(max_size=1)).fetched(picture(size=announced))
        assert found.error == "larger than 1 MB"
        assert names(tmp_path) == []
        assert source.closed == closed, "the rest was not asked for"


async def test_bytes_that_are_not_those_announced_are_not_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with pytest.raises(RetryLater, match="announced"):
        await place.fetched(picture(sha256="0" * 64))
    assert names(tmp_path) == []
    assert (await place.fetched(picture(sha256=DIGEST.upper()))).state == "fetched"


async def test_nothing_of_a_file_stays_where_it_could_not_be_kept(tmp_path: Path) -> None:
    """A row per fault: what goes wrong, with what it ends, and the problem that names it."""
    await Place(tmp_path).fetched(picture("at0"))
    for fault, error, listed in (
        (NotFound("erased"), NotFound, {}),
        (StoreUnavailable("the database is busy"), StoreUnavailable, {}),
        (RuntimeError("a bug"), RuntimeError, {}),
    ):
        for chunks in ((b"another picture",), (PICTURE,)):
            place = Place(tmp_path, Source(*chunks))
            place.shelf.kept["at0"] = (named(0), DIGEST, len(PICTURE), None)
            place.shelf.broken["at1"] = fault
            place.files._new_name = lambda: named(7)
            with pytest.raises(error):
                await place.fetched(picture())
            assert names(tmp_path) == [named(0)], "it is somebody else's, too"
            assert place.listed() == listed


async def test_a_file_of_which_nobody_knows_whether_it_was_noted_stays_for_the_next_start(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.shelf.broken["at1"] = CommitUnknown("the disk")
    with pytest.raises(CommitUnknown):
        await place.fetched(picture())
    assert names(tmp_path) == [named(0)]


async def test_a_download_that_is_cancelled_leaves_a_noted_file_or_none(tmp_path: Path) -> None:
    """Cancelled at each moment: while bytes come, before the file has its name, while it is noted, and after."""
    for moment, stays in (("fetch", False), ("attachment_file", True), ("keep_attachment", True), ("never", True)):
        place = Place(tmp_path / moment)
        place.shelf.moments[moment] = lambda: fetching.cancel()  # noqa: B023  # called before the next turn
        if moment == "fetch":
            place.source.moment = place.shelf.moments[moment]
        fetching = asyncio.ensure_future(place.fetched(picture()))
        await asyncio.wait([fetching])
        await place.files.settled()
        assert fetching.cancelled() is (moment != "never")
        assert names(tmp_path / moment) == ([named(0)] if stays else []), moment
        assert {file for file, *_ in place.shelf.kept.values()} == set(names(tmp_path / moment)), moment
        assert place.listed() == {}


async def test_a_folder_that_takes_nothing_is_a_problem_and_no_other_failure_is(tmp_path: Path) -> None:
    place = Place(tmp_path / "media")
    for failure in (TimeoutError(), ConnectionResetError(), RetryLater("busy")):
        place.source.failures = [failure]
        with pytest.raises(type(failure)):
            await place.fetched(picture())
        assert place.listed() == {}
    (tmp_path / "media").rmdir()
    with pytest.raises(DiskError, match="No such file"):
        await place.fetched(picture())
    assert place.listed() == {"media:folder:write_failed": 1}
    place.files.open()
    assert (await place.fetched(picture())).path is not None
    assert place.listed() == {}


async def test_half_files_of_a_former_process_are_cleared(tmp_path: Path) -> None:
    (tmp_path / f"{named(9)}.part").write_bytes(b"half")
    (tmp_path / "menu.part").write_bytes(b"the operator's")
    (tmp_path / named(8)).write_bytes(b"whole")
    Place(tmp_path)
    assert names(tmp_path) == [named(8), "menu.part"]


async def test_what_no_row_names_is_removed_unless_it_is_young_or_not_saras(tmp_path: Path) -> None:
    place = Place(tmp_path)
    old = (NOW - ORPHAN_AGE) / 1_000
    rows = (
        ("menu.pdf", 0.0, True, "what the operator put there to be sent"),
        ("0" * 31, 0.0, True, "no name that SARA gives"),
        (named(0xA0), old, False, "an orphan"),
        (named(0xA1), old + 1, True, "it may be of a download under way"),
        (named(0xA2), old, True, "a row names it"),
        (f"{named(0xA3)}.part", old, False, "a half file that a call left behind"),
        (named(0xA4), old, True, "in hand"),
        (f"{named(0xA4)}.part", old, True, "in hand"),
    )
    for name, at, _, _ in rows:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (at, at))
    place.shelf.kept["at9"] = (named(0xA2), DIGEST, 1, None)
    place.files._in_hand.add(named(0xA4))
    assert await place.files.remove_unnamed() == 2
    assert names(tmp_path) == sorted(name for name, _, stays, _ in rows if stays)
    ended = asyncio.Event()
    cleaning = asyncio.create_task(periodic(place.files.clean, CLEAN_EVERY_S, ended))
    async with asyncio.timeout(patience(10)):
        while named(0xA1) in names(tmp_path):
            await asyncio.wait([cleaning], timeout=0.01)
    ended.set()
    await cleaning
    assert named(0xA2) in names(tmp_path), "at the start the young ones go, too; what is named or in hand stays"
    assert named(0xA4) in names(tmp_path)


async def test_a_file_that_is_gone_from_the_folder_is_not_promised(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "name7").write_bytes(PICTURE)
    here, gone = picture(path=Path("name7")), picture(path=Path("name8"))
    placed = [place.files.place(each) for each in (here, gone)]
    assert placed == [replace(here, path=tmp_path / "name7"), replace(gone, path=None, error=MISSING)]


async def test_old_files_are_removed_in_small_steps(tmp_path: Path) -> None:
    place = Place(tmp_path, policy=MediaSettings(keep=1_000_000))
    place.shelf.old = [f"old{n}" for n in range(PAGE + 1)]
    for name in [*place.shelf.old[1:], "young"]:
        (tmp_path / name).write_bytes(b"x")
    ended = asyncio.Event()
    running = asyncio.create_task(periodic(place.files.expire_all, EXPIRE_EVERY_S, ended))
    async with asyncio.timeout(patience(5)):
        while names(tmp_path) != ["young"]:
            await asyncio.wait([running], timeout=0.01)
    ended.set()
    await running
    assert place.shelf.called("old_files") == [(NOW - 1_000_000, PAGE)] * 3


async def test_a_file_is_forgotten_only_once_it_is_gone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.shelf.old = ["old0"]
    (tmp_path / "old0").mkdir()  # cannot be unlinked
    with pytest.raises(OSError, match="old0"):
        await place.files.expire_all()
    assert place.shelf.called("forget_files") == []
