"""Files that customers send: fetched whole or not at all, under names that nobody chose."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from sara import Attachment, GiveUp, Line, Stale, TryLater, files
from sara.config import Media
from sara.files import EXPIRE_PAGE, MEGABYTE, Files
from tests.fakes import NOW, FakeChannel, FakeStore, House, line
from tests.patience import patience

PICTURE = b"a picture of a cat"
DIGEST = hashlib.sha256(PICTURE).hexdigest()


class Shelf(FakeStore):
    """Remembers what was kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, tuple[str | None, str, int, str | None]] = {}
        self.old: list[str] = []
        self.gone: set[str] = set()

    async def keep_attachment(
        self, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: int
    ) -> None:
        if attachment in self.gone:
            raise Stale
        self.kept[attachment] = (file, sha256, size, error)

    async def attachment_file(self, sha256: str) -> str | None:
        return next((file for file, digest, _, _ in self.kept.values() if digest == sha256), None)

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

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        self.asked.append(attachment.reference)
        if self.failures:
            raise self.failures.pop(0)
        try:
            for chunk in self.chunks:
                yield chunk
        finally:
            self.closed += 1


class Place(House):
    """A house with a media folder."""

    def __init__(self, folder: Path, source: Source | None = None, policy: Media | None = None) -> None:
        super().__init__(folder=folder)
        self.source = source or Source()
        self.shelf = Shelf()
        self.route = replace(self.route, channel=self.source)
        names = iter(f"name{n}" for n in range(100))
        self.files = Files(folder, self.shelf, policy or Media(), self.problems, self.clock, lambda: next(names), self.strays)
        self.files.open()

    async def completed(self, *attachments: Attachment) -> tuple[Attachment, ...]:
        lines = await self.files.complete(self.route, [with_files(*attachments)])
        return lines[0].attachments


def with_files(*attachments: Attachment) -> Line:
    return replace(line("in-1", "[image]"), attachments=attachments)


def picture(id: str = "at1", **changes: object) -> Attachment:
    return replace(Attachment("image", "image/jpeg", f"media-{id}", id=id), **changes)  # type: ignore[arg-type]  # fields by name


def content(path: PurePath) -> bytes:
    return Path(path).read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_an_address_that_did_not_lead_to_the_file_is_not_asked_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "media")
    hints: list[str | None] = []
    really = place.source.fetch

    def fetch(attachment: Attachment) -> AsyncIterator[bytes]:
        hints.append(attachment.url)
        place.source.chunks = (b"a page",) if attachment.url else (PICTURE,)
        return really(attachment)

    place.source.fetch = fetch  # type: ignore[method-assign]  # this source looks at the address
    [found] = await place.completed(picture(url="https://example.org/old", sha256=DIGEST))
    assert found.path is not None
    assert hints == ["https://example.org/old", None]
    assert content(found.path) == PICTURE


async def test_a_file_is_fetched_whole_and_kept_under_a_name_that_nobody_chose(tmp_path: Path) -> None:
    place = Place(tmp_path / "media")
    [found] = await place.completed(picture(name="../../etc/passwd"))
    assert found.path == tmp_path / "media" / "name0"
    assert content(found.path) == PICTURE
    assert (found.sha256, found.size) == (DIGEST, len(PICTURE))
    assert place.shelf.kept == {"at1": ("name0", DIGEST, len(PICTURE), None)}
    assert (tmp_path / "media" / "name0").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "media").stat().st_mode & 0o777 == 0o700


async def test_the_same_file_is_kept_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.completed(picture("at1"))
    [again] = await place.completed(picture("at2"))
    assert again.path == tmp_path / "name0"
    assert names(tmp_path) == ["name0"]
    assert place.shelf.kept["at2"][0] == "name0"


async def test_what_is_here_already_is_not_fetched_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "name7").write_bytes(PICTURE)
    here, never = picture(path=Path("name7")), picture("at2", error="gone")
    assert await place.completed(here, never) == (replace(here, path=tmp_path / "name7"), never)
    assert place.source.asked == []
    assert place.files.placed([with_files(here)])[0].attachments[0].path == tmp_path / "name7"


async def test_what_can_never_be_had_is_noted_with_its_reason(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.source.failures = [GiveUp("it was deleted")]
    [found] = await place.completed(picture())
    assert (found.path, found.error) == (None, "it was deleted")
    assert place.shelf.kept == {"at1": (None, "", 0, "it was deleted")}
    assert names(tmp_path) == []


@pytest.mark.parametrize("announced", [None, 2 * MEGABYTE])
async def test_a_file_that_is_too_large_is_given_up_before_it_fills_the_disk(tmp_path: Path, announced: int | None) -> None:
    source = Source(*[b"x" * 300_000] * 20)
    place = Place(tmp_path, source, Media(largest=1))
    [found] = await place.completed(picture(size=announced))
    assert found.error == "larger than 1 MB"
    assert names(tmp_path) == []
    assert source.closed == (1 if announced is None else 0), "the rest was not asked for"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting them."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(files, "pause", pause)
    return waited


async def test_a_server_that_is_busy_is_asked_again_and_then_the_answer_does_without(tmp_path: Path, pauses: list[float]) -> None:
    place = Place(tmp_path)
    place.source.failures = [TryLater("busy"), ConnectionResetError()]
    assert (await place.completed(picture()))[0].path is None, "what is not foreseen is not tried again"
    place.source.failures = [TryLater("busy"), TryLater("busy")]
    assert (await place.completed(picture()))[0].path is not None
    place.source.failures = [TryLater("busy")] * 3
    assert (await place.completed(picture()))[0] == picture(), "it may work at the next turn"
    assert place.listed() == {}
    assert pauses == [1, 1, 2, 1, 2]


async def test_bytes_that_are_not_those_announced_are_not_kept(tmp_path: Path, pauses: list[float]) -> None:
    place = Place(tmp_path)
    [found] = await place.completed(picture(sha256="0" * 64))
    assert found.path is None
    assert len(place.source.asked) == 3
    assert names(tmp_path) == []
    [found] = await place.completed(picture(sha256=DIGEST.upper()))
    assert found.path is not None


async def test_a_folder_that_takes_nothing_is_a_problem_and_costs_no_answer(tmp_path: Path) -> None:
    place = Place(tmp_path / "media")
    (tmp_path / "media").rmdir()
    assert (await place.completed(picture()))[0].path is None
    assert place.listed() == {"files:write": 1}
    place.files.open()
    assert (await place.completed(picture()))[0].path is not None
    assert place.listed() == {}


async def test_half_files_of_a_former_life_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "name9.part").write_bytes(b"half")
    (tmp_path / "name8").write_bytes(b"whole")
    # However old: what the operator has put there to be sent is theirs, and a file may belong to a message of today.
    os.utime(tmp_path / "name8", (0, 0))
    Place(tmp_path)
    assert names(tmp_path) == ["name8"]


async def test_a_file_that_is_gone_from_the_folder_is_not_promised(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.files.placed([with_files(picture(path=Path("name7")))])[0].attachments[0].path is None


async def test_old_files_are_removed_in_small_steps(tmp_path: Path) -> None:
    place = Place(tmp_path, policy=Media(keep=1_000_000))
    place.shelf.old = [f"old{n}" for n in range(EXPIRE_PAGE + 1)]
    for name in [*place.shelf.old[1:], "young"]:
        (tmp_path / name).write_bytes(b"x")
    ended = asyncio.Event()
    running = asyncio.create_task(place.files.expire(ended))
    async with asyncio.timeout(patience(5)):
        while names(tmp_path) != ["young"]:
            await asyncio.wait([running], timeout=0.01)
    ended.set()
    await running
    assert place.shelf.called("old_files") == [(NOW - 1_000_000, EXPIRE_PAGE)] * 3


async def test_a_file_is_forgotten_only_once_it_is_gone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.shelf.old = ["old0"]
    (tmp_path / "old0").mkdir()  # cannot be unlinked
    with pytest.raises(OSError, match="old0"):
        await place.files.expire_all()
    assert place.shelf.called("forget_files") == []


async def test_a_file_of_somebody_who_was_erased_meanwhile_is_not_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.completed(picture("at1"))
    place.shelf.gone = {"at2", "at3"}
    place.source.chunks = (b"another picture",)
    assert (await place.completed(picture("at2")))[0].path is None
    assert names(tmp_path) == ["name0"]
    place.source.chunks = (PICTURE,)
    assert (await place.completed(picture("at3")))[0].path is None
    assert names(tmp_path) == ["name0"], "it is somebody else's, too"
