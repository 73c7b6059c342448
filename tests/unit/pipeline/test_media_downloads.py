"""Downloads: begun for every message, tried until they end, waited for only by an answer that needs them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Attachment, Context, GiveUp, Responder, RetryLater, Turn
from sara.engines import Conflict, Download, HistoryLimits, InboundDecision, StoreUnavailable
from sara.helpers import ProblemRegistry
from sara.operations.erasure import ErasureService
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.media import EXPIRED, MediaStore
from sara.pipeline.media_downloads import AT_ONCE, GONE, LEAST_FREE, MAX_DELAY, MediaDownloads, delay_after, left_of
from sara.pipeline.turns import turn_of
from sara.plugins.call_guard import CallGuard
from sara.policy.settings import ConversationSettings, MediaSettings
from sara.testing import ManualClock
from sara.testing.store.attachments import DAY
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, STOP, WISH, StoreScenario, message
from tests.fakes import FakeChannel, FakeResponder, MemoryQueue
from tests.patience import patience

DEADLINE = patience(20)
Told = bytes | Exception


class Provider(FakeChannel):
    """Gives each file by its reference: bytes, an error, or nothing until its event is set."""

    account = ACCOUNT

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Told | list[Told]] = {}
        self.silent: dict[str, asyncio.Event] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.stubborn = False
        self.changed = asyncio.Event()

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        self.asked.append((attachment.reference, attachment.url))
        self.changed.set()
        yield b"the beginning of "
        if (silent := self.silent.get(attachment.reference)) is not None:
            while not silent.is_set():
                try:
                    await silent.wait()
                except asyncio.CancelledError:
                    if not self.stubborn:
                        raise
        told = self.files.get(attachment.reference, attachment.reference.encode())
        if isinstance(told, list):
            told = told.pop(0)
        if isinstance(told, Exception):
            raise told
        yield told


class Reader(FakeResponder):
    """Opens the files of these kinds."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = kinds

    def select_attachments(self, turn: Turn) -> Iterable[Attachment]:
        return [each for line in turn.messages for each in line.attachments if each.kind in self.kinds]


@dataclass
class Place:
    """A store in a file, a media folder, a provider, and the downloads between them."""

    state: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(100 * DAY))
    provider: Provider = field(default_factory=Provider)
    policy: MediaSettings = field(default_factory=MediaSettings)
    free: int = LEAST_FREE * 8

    def __post_init__(self) -> None:
        self.problems = ProblemRegistry(self.clock)
        self.store = SqliteStore(SqliteOptions(), Context("store", self.state, self.clock, self.problems))
        self.shop = StoreScenario(self.store, self.clock)
        self.route = ChannelBinding("support", self.provider, ConversationSettings(responder="assistant"), {})
        self.call_guard = CallGuard(self.problems)
        self.numbers = iter(range(1_000))
        self.begin()

    def begin(self) -> None:
        """As a new process would."""
        self.files = MediaStore(
            self.state / "media",
            self.store,
            self.policy,
            self.problems,
            self.clock,
            lambda: f"{next(self.numbers):032x}",
            self.call_guard,
        )
        self.files.open()
        self.downloads = MediaDownloads(
            self.store, self.files, ChannelBindings([self.route]), self.problems, self.clock, self.call_guard, lambda _: self.free
        )

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.state / "media").iterdir())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Downloads in the background."""
        task = asyncio.create_task(self.downloads.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def say(
        self, external_id: str, *files: Attachment, at: int | None = None, verdict: InboundDecision | None = None
    ) -> str:
        """A message with files from Ana; its conversation."""
        brought = replace(message(external_id, ANA, "[files]", self.clock() if at is None else at), attachments=files)
        [stored] = (await self.shop.take(brought, verdict=verdict)).stored
        self.downloads.notice(ACCOUNT)
        return stored.conversation

    async def known(self, conversation: str) -> Mapping[str, Attachment]:
        """The files of a conversation by their references."""
        return {each.reference: each for _, each in await self.store.attachments(conversation, None, 1_000)}

    async def until(self, what: Callable[[], Any]) -> Any:
        async with asyncio.timeout(DEADLINE):
            while True:
                result = what()
                result = await result if asyncio.iscoroutine(result) else result
                if result:
                    return result
                self.provider.changed.clear()
                await asyncio.wait([asyncio.ensure_future(self.provider.changed.wait())], timeout=0.01)

    async def settled(self, conversation: str, states: Mapping[str, str]) -> None:
        """Wait until the files of a conversation have these states."""

        async def look() -> bool:
            return {name: each.state for name, each in (await self.known(conversation)).items()} == states

        await self.until(look)

    async def turn(self, conversation: str) -> Turn:
        view = await self.store.reply_view(conversation, HistoryLimits(messages=20))
        assert view is not None
        return turn_of(view, self.route, self.clock())

    async def prepared(self, conversation: str, responder: Responder, within: int) -> dict[str, Attachment]:
        """What the responder is given."""
        turn = await self.downloads.prepare(self.route, await self.turn(conversation), responder, within)
        return {each.reference: each for line in (*turn.history, *turn.messages) for each in line.attachments}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.store.open()
    yield place
    await place.store.close()


def file(reference: str, kind: str = "image", **more: Any) -> Attachment:
    return Attachment(kind, f"{kind}/x", reference, **more)


def content(attachment: Attachment) -> bytes:
    assert attachment.path is not None
    return Path(attachment.path).read_bytes()


# ── in the background ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_file_is_fetched_whoever_answers(place: Place) -> None:
    rows: Sequence[tuple[str, InboundDecision | None]] = (
        ("answered", None),
        ("recorded", InboundDecision(skip="recorded")),
        ("while a person answers", WISH),
        ("behind it", None),
        ("the customer opts out", STOP),
        ("from an opted-out customer", None),
    )
    kinds = ("image", "video", "audio", "document", "sticker")
    async with place.running():
        for n, (_, verdict) in enumerate(rows):
            place.clock.forward(1_000)
            brought = [file(f"{kinds[n % 5]}-{n}", kinds[n % 5], url="https://files.example/1"), file(f"other-{n}", "unheard-of")]
            conversation = await place.say(f"in-{n}", *brought, verdict=verdict)
        await place.settled(
            conversation,
            {f"{kinds[n % 5]}-{n}": "fetched" for n in range(len(rows))} | {f"other-{n}": "fetched" for n in range(len(rows))},
        )
    found = await place.known(conversation)
    assert len(place.names) == len(found) == len(place.provider.asked)
    assert await place.store.downloads(ACCOUNT, 10) == []
    for reference, each in found.items():
        assert (place.files.folder / str(each.path)).read_bytes() == b"the beginning of " + reference.encode()


async def test_a_download_is_tried_again_until_it_ends_also_by_the_next_process(place: Place) -> None:
    place.provider.files = {"busy": RetryLater("busy"), "broken": RuntimeError("a bug"), "gone": GiveUp("it was deleted")}
    async with place.running():
        conversation = await place.say("in-1", file("busy", url="https://files.example/1"), file("broken"), file("gone"))
        await place.settled(conversation, {"busy": "pending", "broken": "pending", "gone": "failed"})
        await place.until(lambda: len(place.provider.asked) == 3)

        async def put_off() -> bool:
            return all(each.tries == 1 for each in await place.store.downloads(ACCOUNT, 10))

        await place.until(put_off)
        assert {each.due for each in await place.store.downloads(ACCOUNT, 10)} == {place.clock() + delay_after(0)}
    place.begin()
    async with place.running():
        place.clock.forward(delay_after(0))
        place.downloads.notice(ACCOUNT)
        await place.until(lambda: len(place.provider.asked) == 5)
        assert ("busy", None) in place.provider.asked, "an address that did not lead to the file is not asked again"
    place.provider.files = {}
    place.begin()
    place.clock.forward(MAX_DELAY)
    async with place.running():
        await place.settled(conversation, {"busy": "fetched", "broken": "fetched", "gone": "failed"})
    assert (await place.known(conversation))["gone"].error == "it was deleted"
    assert place.names == sorted(str(each.path) for each in (await place.known(conversation)).values() if each.path)


async def test_it_ends_where_the_provider_or_the_policy_keeps_it_no_longer(tmp_path: Path) -> None:
    """A row per age in days, what the policy keeps, and what becomes of a file that cannot be had just now."""
    for age, keep, state, error in ((6.9, 30, "pending", None), (7.1, 30, "failed", GONE), (2.1, 2, "failed", EXPIRED)):
        place = Place(tmp_path / f"{age}", policy=MediaSettings(keep=keep * DAY))
        await place.store.open()
        place.provider.files = {"busy": RetryLater("busy")}
        async with place.running():
            conversation = await place.say("in-1", file("busy"), at=place.clock() - int(age * DAY))
            await place.until(partial(_looked_at, place, conversation))
        found = (await place.known(conversation))["busy"]
        assert (found.state, found.error) == (state, error)
        assert len(place.provider.asked) == (1 if state == "pending" else 0)
        await place.store.close()


async def _looked_at(place: Place, conversation: str) -> bool:
    due = await place.store.downloads(ACCOUNT, 10)
    return (await place.known(conversation))["busy"].error is not None or all(each.tries for each in due)


def test_the_waits_between_tries_double_up_to_an_hour_and_are_never_shorter_than_asked_for() -> None:
    for tries, after, expected in (
        (0, None, 2_000),
        (1, None, 4_000),
        (3, None, 16_000),
        (11, None, MAX_DELAY),
        (5_000, None, MAX_DELAY),
        (0, 30_000, 30_000),
        (4, 5_000, 32_000),
        (0, 10 * MAX_DELAY, MAX_DELAY),
    ):
        assert delay_after(tries, after) == expected, (tries, after)


async def test_a_silent_host_takes_few_places_and_no_others_answer_waits_behind_it(place: Place) -> None:
    names = [f"video-{n}" for n in range(AT_ONCE * 3)]
    place.provider.silent = {name: asyncio.Event() for name in names}
    async with place.running():
        conversation = await place.say("in-1", *(file(name, "video") for name in names))
        await place.until(lambda: len(place.provider.asked) == AT_ONCE)
        conversation = await place.say("in-2", file("wanted"))
        found = await place.prepared(conversation, Reader("image"), 60_000)
        assert content(found["wanted"]) == b"the beginning of wanted"
        assert len(place.provider.asked) == AT_ONCE + 1
        for event in place.provider.silent.values():
            event.set()
        await place.settled(conversation, dict.fromkeys((*names, "wanted"), "fetched"))


async def test_what_a_full_disk_leaves_is_for_messages(place: Place) -> None:
    place.free = LEAST_FREE + 999
    async with place.running():
        conversation = await place.say("in-1", file("large", size=1_000), file("wanted", "audio"))
        await place.until(lambda: [each.key for each in place.problems])
        assert [each.key for each in place.problems] == ["media:folder:disk_low"]
        assert place.provider.asked == []
        assert (await place.prepared(conversation, Reader("audio"), 60_000))["wanted"].state == "fetched"
        place.free += 1
        place.downloads.notice(ACCOUNT)
        await place.settled(conversation, {"large": "fetched", "wanted": "fetched"})
    assert [each.key for each in place.problems] == []


async def test_a_clock_that_went_back_puts_nothing_off(place: Place) -> None:
    place.provider.files = {"busy": RetryLater("busy")}
    async with place.running():
        conversation = await place.say("in-1", file("busy"))
        await place.until(lambda: _looked_at(place, conversation))
        place.provider.files = {}
        place.clock.forward(-2 * MAX_DELAY)
        place.downloads.notice(ACCOUNT)
        await place.settled(conversation, {"busy": "fetched"})


async def test_a_store_that_is_away_is_not_asked_without_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    really = place.store.download

    async def away(attachment: str) -> Download | None:
        asked.append(attachment)
        raise StoreUnavailable("the database is busy")

    monkeypatch.setattr(place.store, "download", away)
    async with place.running():
        conversation = await place.say("in-1", file("photo"))
        await place.until(lambda: asked)
        monkeypatch.setattr(place.store, "download", really)
        assert (await place.prepared(conversation, Reader("image"), 60_000))["photo"].state == "fetched"
    assert len(asked) == 1


# ── for an answer ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_waits_for_what_its_responder_opens_and_for_nothing_else(place: Place) -> None:
    """A row per file that never comes: its kind, and whether the responder opens it; what is asked for is a bound of 50 ms."""
    for n, (kind, opened) in enumerate(
        (("image", True), ("audio", True), ("video", False), ("document", False), ("sticker", False), ("unheard-of", False))
    ):
        place.provider.silent[f"silent-{n}"] = asyncio.Event()
        conversation = await place.say(f"in-{n}", file(f"silent-{n}", kind))
        found = await place.prepared(conversation, Reader("image", "audio"), 50 if opened else 10**9)
        assert found[f"silent-{n}"].state == "pending"
        assert (f"silent-{n}" in dict(place.provider.asked)) is opened
        await place.shop.answer(conversation, "fine")
    # What was waited for in vain goes on, and is there for the next answer.
    for event in place.provider.silent.values():
        event.set()
    await place.settled(
        conversation, {f"silent-{n}": "fetched" if n < 2 else "pending" for n in range(len(place.provider.silent))}
    )
    await place.say("in-9")
    found = await place.prepared(conversation, Reader(), 0)
    assert content(found["silent-0"]) == b"the beginning of silent-0"


async def test_one_bound_holds_for_all_files_of_a_turn(place: Place) -> None:
    for name in (names := [f"silent-{n}" for n in range(AT_ONCE + 2)]):
        place.provider.silent[name] = asyncio.Event()
    conversation = await place.say("in-1", *map(file, names), file("quick", "audio"))
    found = await place.prepared(conversation, Reader("audio", "image"), 200)
    assert {each.state for name, each in found.items() if name in names} == {"pending"}
    found = await place.prepared(conversation, Reader("audio", "image"), 0)
    assert {each.state for name, each in found.items() if name in names} == {"pending"}, "nothing is left of the bound"


async def test_what_came_since_the_turn_was_read_is_given_also_when_nothing_is_left_of_the_bound(place: Place) -> None:
    conversation = await place.say("in-1", file("photo"))
    turn = await place.turn(conversation)
    for within in (60_000, 0):
        prepared = await place.downloads.prepare(place.route, turn, Reader("image"), within)
        assert content(prepared.messages[0].attachments[0]) == b"the beginning of photo"
    assert len(place.provider.asked) == 1


async def test_a_failure_that_may_pass_is_tried_again_while_the_answer_waits(place: Place) -> None:
    place.provider.files["photo"] = [RetryLater("busy"), b"a cat"]
    conversation = await place.say("in-1", file("photo", url="https://files.example/1"))
    found = await place.prepared(conversation, Reader("image"), 60_000)
    assert content(found["photo"]) == b"the beginning of a cat"
    assert place.provider.asked == [("photo", "https://files.example/1"), ("photo", None)]


async def test_a_responder_sees_what_became_of_each_file(place: Place) -> None:
    place.provider.files = {"gone": GiveUp("it was deleted")}
    place.provider.silent = {"silent": asyncio.Event()}
    conversation = await place.say("in-1", file("gone"), file("here"), file("silent"))
    found = await place.prepared(conversation, Reader("image"), 500)
    assert {name: (each.state, each.error) for name, each in found.items()} == {
        "gone": ("failed", "it was deleted"),
        "here": ("fetched", None),
        "silent": ("pending", None),
    }


async def test_a_file_is_fetched_once_whoever_wants_it(place: Place) -> None:
    place.provider.silent = {"photo": asyncio.Event()}
    async with place.running():
        conversation = await place.say("in-1", file("photo"))
        await place.until(lambda: place.provider.asked)
        waiting = [asyncio.ensure_future(place.prepared(conversation, Reader("image"), 60_000)) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.05)
        place.provider.silent["photo"].set()
        for each in await asyncio.gather(*waiting):
            assert each["photo"].sha256 == hashlib.sha256(b"the beginning of photo").hexdigest()
    assert len(place.provider.asked) == 1


def test_what_is_left_of_a_bound() -> None:
    for since, now, expected in ((None, 5, 100), (0, 0, 100), (0, 60, 40), (0, 100, 0), (0, 10**9, 0), (50, 0, 100)):
        assert left_of(100, since, now) == expected, (since, now)


async def test_by_default_a_responder_opens_all_that_the_unanswered_messages_bring(place: Place) -> None:
    conversation = await place.say("in-1", file("a"), file("b", "video"))
    turn = await place.turn(conversation)
    assert [each.reference for each in FakeResponder().select_attachments(turn)] == ["a", "b"]


# ── erasing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_erasing_a_person_while_their_file_comes_leaves_nothing_of_it(tmp_path: Path) -> None:
    """In the background or for an answer, from a plugin that ends when it is told to, and from one that does not."""
    for in_background in (True, False):
        for stubborn in (False, True):
            place = Place(tmp_path / f"{in_background}-{stubborn}")
            await place.store.open()
            place.provider.stubborn = stubborn
            place.provider.silent = {"hers": asyncio.Event(), "his": asyncio.Event()}
            erasing = ErasureService(place.store, MemoryQueue(place.clock), place.files, place.clock, place.downloads.abandon)
            conversation = await place.say("in-1", file("hers"))
            await place.shop.take(replace(message("in-2", KOFI, at=place.clock()), attachments=(file("his"),)))
            background = asyncio.create_task(place.downloads.run()) if in_background else None
            answering = asyncio.ensure_future(place.prepared(conversation, Reader("image"), 60_000))
            await place.until(partial(place.provider.asked.count, ("hers", None)))
            told = await erasing.forget("US.1")
            assert told.conversations == (conversation,)
            assert all(name.endswith(".part") for name in place.names)
            assert len(place.names) == (1 if in_background else 0), "only what comes for somebody else"
            for event in place.provider.silent.values():
                event.set()
            with pytest.raises(Conflict):  # and so no AI is asked about them
                await answering
            await place.files.settled()
            if background is not None:
                await place.until(partial(_all_settled, place))
                background.cancel()
                await asyncio.wait([background])
            assert len(place.names) == (1 if in_background else 0)
            await place.store.close()


async def _all_settled(place: Place) -> bool:
    return await place.store.downloads(ACCOUNT, 10) == []


async def test_nothing_is_fetched_for_a_view_that_is_older_than_the_erasure(place: Place) -> None:
    conversation = await place.say("in-1", file("hers"))
    turn = await place.turn(conversation)
    erasing = ErasureService(place.store, MemoryQueue(place.clock), place.files, place.clock, place.downloads.abandon)
    await erasing.forget("US.1")
    with pytest.raises(Conflict):
        await place.downloads.prepare(place.route, turn, Reader("image"), 60_000)
    assert place.provider.asked == []
    assert place.names == []


async def test_files_of_others_are_not_cut_off(place: Place) -> None:
    place.provider.silent = {"his": asyncio.Event()}
    async with place.running():
        conversation = await place.say("in-1", file("his"))
        await place.until(lambda: place.provider.asked)
        await place.downloads.abandon(["c999"])
        place.provider.silent["his"].set()
        await place.settled(conversation, {"his": "fetched"})
    assert len(place.provider.asked) == 1
