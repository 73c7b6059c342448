"""Files that we send: only our own, as what Meta takes, and none uploaded twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sara_whatsapp.api import media_upload as module
from sara_whatsapp.api.media_upload import LocalFile, MediaUploader, choose_kind, inspect_file

from sara import ChannelUnavailable, Identity, NotSent, OutboundMessage, Rejected, SaraError
from tests.patience import patience
from tests.rows import each_row

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 20
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 20
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + b"\x00" * 20
MOVING = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + b"\x00" * 20


class Meta:
    """Stands for the Graph API: takes files, or fails as it is told."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, str]] = []
        self.failure: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def upload(self, file: BinaryIO, mime: str, name: str) -> str:
        self.asked.set()
        await self.open.wait()
        self.taken.append((file.read(), mime, name))
        if self.failure is not None:
            raise self.failure
        return f"media-{len(self.taken)}"


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


@pytest.fixture
async def make(meta: Meta, folder: Path) -> AsyncIterator[Callable[..., MediaUploader]]:
    made = []

    def build(**settings: Any) -> MediaUploader:
        made.append(MediaUploader(meta, folder, **settings))  # type: ignore[arg-type]  # all of the client that is used
        return made[-1]

    yield build
    for each in made:
        await each.close()


@pytest.fixture
def uploads(make: Callable[..., MediaUploader]) -> MediaUploader:
    return make()


def part(kind: str = "image", text: str = "", **content: Any) -> OutboundMessage:
    return OutboundMessage("p1", "c1", "whatsapp:1", Identity(phone="15550001111"), kind, text, "reply", content)


def put(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return name


# what goes up


async def test_a_file_is_given_to_meta_and_its_id_to_the_message(folder: Path, meta: Meta, uploads: MediaUploader) -> None:
    wanted = part(path=put(folder, "a1", JPEG), mime="image/jpeg")
    assert await uploads.prepare(wanted) == (wanted, "media-1")
    assert meta.taken == [(JPEG, "image/jpeg", "file.jpg")]


async def test_a_whole_path_into_the_folder_is_as_good(folder: Path, uploads: MediaUploader) -> None:
    assert await uploads.prepare(part(path=str(folder / put(folder, "a1", JPEG)))) == (part(path=str(folder / "a1")), "media-1")


@pytest.mark.parametrize(
    "other", [part("text", "hello", path="a1"), part("image", url="https://example.org/a.jpg"), part("location", latitude=1)]
)
async def test_what_brings_no_file_of_ours_is_left_as_it_is(other: OutboundMessage, meta: Meta, uploads: MediaUploader) -> None:
    assert await uploads.prepare(other) == (other, None)
    assert meta.taken == []


async def test_a_file_is_uploaded_once_however_often_it_is_sent(folder: Path, meta: Meta, uploads: MediaUploader) -> None:
    wanted = part(path=put(folder, "a1", JPEG))
    assert {(await uploads.prepare(wanted))[1] for _ in range(3)} == {"media-1"}
    assert len(meta.taken) == 1


async def test_whoever_wants_the_same_file_at_the_same_time_shares_the_upload(
    folder: Path, meta: Meta, uploads: MediaUploader
) -> None:
    wanted = part(path=put(folder, "a1", JPEG))
    assert {found for _, found in await asyncio.gather(*(uploads.prepare(wanted) for _ in range(10)))} == {"media-1"}
    assert len(meta.taken) == 1


async def test_a_file_that_was_changed_is_uploaded_anew(folder: Path, uploads: MediaUploader) -> None:
    wanted = part(path=put(folder, "a1", JPEG))
    assert (await uploads.prepare(wanted))[1] == "media-1"
    put(folder, "a1", JPEG + b"more")
    assert (await uploads.prepare(wanted))[1] == "media-2"


async def test_a_file_that_meta_no_longer_has_is_uploaded_anew(folder: Path, uploads: MediaUploader) -> None:
    wanted = part(path=put(folder, "a1", JPEG))
    _, first = await uploads.prepare(wanted)
    assert first is not None
    uploads.forget(first)
    assert (await uploads.prepare(wanted))[1] == "media-2"


async def test_only_so_many_files_are_remembered(
    folder: Path, uploads: MediaUploader, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED_FILES", 2)
    parts = [part(path=put(folder, f"a{n}", JPEG)) for n in range(4)]
    for each in parts:
        await uploads.prepare(each)
    await uploads.prepare(parts[3])
    assert len(meta.taken) == 4
    await uploads.prepare(parts[0])
    assert len(meta.taken) == 5


# when it does not work


@pytest.mark.parametrize("failure", [NotSent("busy"), Rejected("wrong type"), ChannelUnavailable("token")])
async def test_what_meta_says_to_a_file_is_passed_on(
    failure: SaraError, folder: Path, meta: Meta, uploads: MediaUploader
) -> None:
    meta.failure = failure
    with pytest.raises(type(failure), match=str(failure)):
        await uploads.prepare(part(path=put(folder, "a1", JPEG)))
    meta.failure = None
    assert (await uploads.prepare(part(path="a1")))[1] == "media-2"


async def test_a_failure_that_nobody_foresaw_still_leaves_no_doubt(folder: Path, meta: Meta, uploads: MediaUploader) -> None:
    meta.failure = RuntimeError("surprise")
    with pytest.raises(NotSent):
        await uploads.prepare(part(path=put(folder, "a1", JPEG)))


async def test_an_upload_that_takes_long_lets_the_conversation_wait_and_goes_on(
    folder: Path, meta: Meta, make: Callable[..., MediaUploader]
) -> None:
    uploads, wanted = make(wait_s=0.01), part(path=put(folder, "a1", JPEG))
    meta.open.clear()
    for _ in range(3):
        with pytest.raises(NotSent) as caught:
            await uploads.prepare(wanted)
        assert caught.value.scope == "conversation"
    meta.open.set()
    uploads._wait_s = 5
    assert (await uploads.prepare(wanted))[1] == "media-1"
    assert len(meta.taken) == 1


async def test_how_a_long_upload_failed_is_told_to_whoever_asks_next(
    folder: Path, meta: Meta, make: Callable[..., MediaUploader]
) -> None:
    uploads, wanted = make(wait_s=0.01), part(path=put(folder, "a1", JPEG))
    meta.open.clear()
    meta.failure = Rejected("wrong type")
    with pytest.raises(NotSent):
        await uploads.prepare(wanted)
    meta.open.set()
    uploads._wait_s = 5
    with pytest.raises(Rejected, match="wrong type"):
        await uploads.prepare(wanted)
    assert len(meta.taken) == 1


async def test_a_cancelled_send_takes_nobody_elses_upload_with_it(folder: Path, meta: Meta, uploads: MediaUploader) -> None:
    wanted = part(path=put(folder, "a1", JPEG))
    meta.open.clear()
    first, second = (asyncio.ensure_future(uploads.prepare(wanted)) for _ in range(2))
    await asyncio.wait_for(meta.asked.wait(), patience(5))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    meta.open.set()
    assert (await second)[1] == "media-1"


async def test_closing_ends_what_is_being_uploaded(folder: Path, meta: Meta, uploads: MediaUploader) -> None:
    meta.open.clear()
    sending = asyncio.ensure_future(uploads.prepare(part(path=put(folder, "a1", JPEG))))
    await asyncio.wait_for(meta.asked.wait(), patience(5))
    await uploads.close()
    with pytest.raises(NotSent):
        await asyncio.wait_for(sending, patience(5))


async def test_uploads_that_nobody_came_back_for_are_not_piled_up(
    folder: Path, meta: Meta, make: Callable[..., MediaUploader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED_FILES", 2)
    uploads = make(wait_s=0)
    for n in range(6):
        with pytest.raises(NotSent):
            await uploads.prepare(part(path=put(folder, f"a{n}", JPEG)))
        await asyncio.wait(set(uploads._running.values()), timeout=patience(5))
    assert len(uploads._running) <= 2


# only our own files


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret", "a/../../secret", "link", "folder", "missing", "a1/deeper", "pipe", "bad\x00name", "."]
)
async def test_nothing_but_a_file_in_the_media_folder_is_ever_sent(
    path: str, folder: Path, meta: Meta, uploads: MediaUploader
) -> None:
    (folder.parent / "secret").write_bytes(JPEG)
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    put(folder, "a1", JPEG)
    with pytest.raises(Rejected):
        await asyncio.wait_for(uploads.prepare(part(path=path)), patience(5))
    assert meta.taken == []


def test_without_a_media_folder_nothing_is_sent(folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(Rejected):
        inspect_file(folder, "a1")


async def test_the_media_folder_may_itself_be_a_link(folder: Path, tmp_path: Path, meta: Meta) -> None:
    put(folder, "a1", JPEG)
    (tmp_path / "elsewhere").symlink_to(folder)
    assert inspect_file(tmp_path / "elsewhere", "a1").size == len(JPEG)
    assert inspect_file(tmp_path / "elsewhere", str(tmp_path / "elsewhere" / "a1")).size == len(JPEG)


# as what


@each_row(
    ("head", "claimed", "name", "mime"),
    [
        (JPEG, "", "", "image/jpeg"),
        (JPEG, "image/png", "a.png", "image/jpeg"),
        (PNG, "application/pdf", "", "image/png"),
        (WEBP, "image/jpeg", "", "image/webp"),
        (b"OggS" + b"\x00" * 28, "audio/ogg; codecs=opus", "", "audio/ogg; codecs=opus"),
        (b"OggS" + b"\x00" * 28, "", "", "audio/ogg"),
        (b"#!AMR\n", "", "", "audio/amr"),
        (b"ID3\x04", "", "", "audio/mpeg"),
        (b"\xff\xf1\x50", "", "", "audio/aac"),
        (b"%PDF-1.7\n", "text/plain", "", "application/pdf"),
        (b"\x00\x00\x00\x18ftypmp42", "", "", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "", "", "audio/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp4", "", "", "video/3gpp"),
        (b"\x00\x00\x00\x18ftypmp42", "audio/mp4", "", "audio/mp4"),
        (b"plain words", "", "prices.txt", "text/plain"),
        (b"plain words", "text/csv", "prices.csv", "text/plain"),
        (b"plain words", "", "prices.md", "text/plain"),
        (b"PK\x03\x04", "", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"who knows", "", "", "application/octet-stream"),
        (b"who knows", "text/plain\r\nX: y", "", "application/octet-stream"),
        (b"RIFF\x00\x00\x00\x00WAVE", "", "", "application/octet-stream"),
    ],
)
def test_a_files_type_is_what_its_bytes_say_before_what_it_is_called(
    head: bytes, claimed: str, name: str, mime: str, folder: Path
) -> None:
    assert inspect_file(folder, put(folder, "a1", head), claimed, name).mime == mime


def test_a_sticker_that_moves_is_known(folder: Path) -> None:
    assert inspect_file(folder, put(folder, "a1", MOVING)).is_animated
    assert not inspect_file(folder, put(folder, "a2", WEBP)).is_animated


MB = 1_000_000


@each_row(
    ("kind", "mime", "size", "animated", "sent_as"),
    [
        ("image", "image/jpeg", 5 * MB, False, "image"),
        ("image", "image/png", 5 * MB + 1, False, "document"),
        ("image", "image/webp", 1, False, "document"),
        ("image", "image/gif", 1, False, "document"),
        ("video", "video/mp4", 16 * MB, False, "video"),
        ("video", "video/3gpp", 16 * MB + 1, False, "document"),
        ("video", "video/quicktime", 1, False, "document"),
        ("audio", "audio/ogg; codecs=opus", 16 * MB, False, "audio"),
        ("audio", "audio/aac", 1, False, "audio"),
        ("audio", "audio/wav", 1, False, "document"),
        ("sticker", "image/webp", 100_000, False, "sticker"),
        ("sticker", "image/webp", 100_001, False, "document"),
        ("sticker", "image/webp", 500_000, True, "sticker"),
        ("sticker", "image/webp", 500_001, True, "document"),
        ("sticker", "image/png", 200_000, False, "image"),
        ("document", "application/pdf", 100 * MB, False, "document"),
        ("document", "image/jpeg", 1, False, "document"),
    ],
)
def test_a_file_goes_as_what_it_is_meant_for_or_as_a_document(
    kind: str, mime: str, size: int, animated: bool, sent_as: str
) -> None:
    assert choose_kind(kind, LocalFile(Path("a"), mime, size, 0, animated)) == sent_as


@each_row("kind", ["image", "video", "audio", "document", "sticker"])
@each_row("size", [0, 100 * MB + 1])
def test_a_file_that_is_empty_or_too_large_for_anything_is_refused(kind: str, size: int) -> None:
    with pytest.raises(Rejected):
        choose_kind(kind, LocalFile(Path("a"), "image/jpeg", size, 0))


async def test_what_becomes_a_document_keeps_its_caption_and_gets_a_name(folder: Path, uploads: MediaUploader) -> None:
    sent, _ = await uploads.prepare(part("image", "Our offer", path=put(folder, "a1", WEBP)))
    assert (sent.kind, sent.text, sent.content["name"]) == ("document", "Our offer", "file.webp")
    named, _ = await uploads.prepare(part("document", path="a1", name="offer.webp"))
    assert named.content["name"] == "offer.webp"
