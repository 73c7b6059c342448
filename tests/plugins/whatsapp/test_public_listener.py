"""Signed bodies that Meta should never send, at the real public listener, before the real store.

Meta delivers again what is not answered with 200, for days, and holds back what comes after it: one broken element must never
stop what is sound.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.webhook.safe_json import MAX_CONTAINERS, MAX_VALUES
from structlog.testing import capture_logs

from sara import Context
from sara.operations.load_shedding import IntakeGuard
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.inbound import InboundHandler
from sara.pipeline.services import Routing
from sara.policy.settings import ConversationSettings
from sara.queue.notifier import JobNotifier
from sara.web.crash_log import ParseCrashLog
from sara.web.webhooks import IN_THREAD_FROM, WebhookApp
from tests.effort import chosen
from tests.fakes import DoorServer, House
from tests.journeys.test_strangers import stalls
from tests.patience import patience
from tests.plugins.whatsapp.conftest import signed, whatsapp_options
from tests.plugins.whatsapp.hostile import SEEDS, anything, messages, places, put, text

NUMBERS = [str(2**63), str(-(2**63) - 1), "9" * 5_000, "1e999", "-1E99999", "-0", "0.1e-5000"]
TEXTS = [r"\ud800", r"\udc00\ud800", r"\u0000", r"a\ud83dz", r"\u202e", "x" * IN_THREAD_FROM]
DEPTHS = [1, 50, 300]
raw = (
    st.sampled_from(NUMBERS)
    | st.sampled_from(TEXTS).map(lambda words: f'"{words}"')
    | st.sampled_from(DEPTHS).map(lambda depth: "[" * depth + "]" * depth)
    | st.sampled_from(DEPTHS).map(lambda depth: '{"text":' * depth + "1" + "}" * depth)
    | st.sampled_from(
        ['{"id":"a","id":[]}', '{"from":1,"from":"15550001111"}', '{"type":"text","type":"text","text":1,"text":{}}']
    )
)
"""Valid JSON that few senders would write, as it stands in a body."""

wrong = anything | raw.map(lambda token: f"@{token}@")


LONGEST_STALL = patience(0.1)
"""Seconds that one callback may take of the loop. Usual are some hundredths."""

BULK = chosen(short=1_500, full=5_000)
"""Messages in one body. Without slices the rules alone would hold the loop for more than half a second."""


class Door:
    """The public listener with a WhatsApp channel and a store behind it."""

    def __init__(self, state: Path) -> None:
        self._house = house = House()
        context = Context("whatsapp", state, house.clock, house.problems)
        channel = WhatsAppChannel(whatsapp_options(), context)
        self.store = SqliteStore(SqliteOptions(), context)
        routes = ChannelBindings([ChannelBinding("whatsapp", channel, ConversationSettings(responder="assistant"), {})])
        self.inbox = InboundHandler(
            self.store,
            Routing(routes, JobNotifier(house.queue, routes.lanes_of), house.lanes),
            house.reporting,
            house.rules,
            house.downloads.notice,
            house.clock,
        )
        self._parsing = ParseCrashLog(state, house.problems)
        watch = IntakeGuard(state, self.store, house.problems)
        app = WebhookApp({channel.webhook: list(routes)}, set(), self.inbox, watch, self._parsing, house.problems)
        self._application = app.application()
        self._numbers = itertools.count()

    async def open(self) -> None:
        await self.store.open()
        self._client: TestClient[web.Request, web.Application] = TestClient(DoorServer(self._application))
        await self._client.start_server()

    async def close(self) -> None:
        await self._client.close()
        await self.inbox.close()
        await self.store.close()
        self._parsing.close()

    async def post(self, body: bytes) -> int:
        """Deliver a body; the status that it is answered with."""
        request = signed(body)
        async with self._client.post(request.path, data=body, headers=dict(request.headers)) as answer:
            return answer.status

    def sound(self) -> dict[str, Any]:
        """A message that was never sent before."""
        return text("sound", id=f"wamid.sound.{next(self._numbers)}")

    async def holds(self, message: dict[str, Any]) -> bool:
        """Whether a message is stored."""
        sql = "SELECT text FROM messages WHERE direction = 'in' AND external_id = ?"
        found = await self.store.database.read(lambda db: db.execute(sql, (message["id"],)).fetchall())
        return [row["text"] for row in found] == ["sound"]

    async def set_aside(self) -> list[bytes]:
        """What was kept without being understood."""
        return await self.store.database.read(
            lambda db: [row["body"] for row in db.execute("SELECT body FROM unparsed_payloads ORDER BY id")]
        )

    @property
    def broke(self) -> bool:
        """Whether anything raised on the way in."""
        return any(
            problem.key.startswith("store:") or problem.key.endswith(":webhook_unreadable") for problem in self._house.problems
        )


Run = asyncio.Runner


@pytest.fixture(scope="module")
def runner() -> Iterator[Run]:
    with Run() as runner, capture_logs():
        yield runner


@pytest.fixture(scope="module")
def door(runner: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    async def opened() -> Door:
        door = Door(tmp_path_factory.mktemp("door"))
        await door.open()
        return door

    door = runner.run(opened())
    yield door
    runner.run(door.close())


def written(document: Any) -> bytes:
    """A document as a body; what was drawn as raw JSON stands in it as it is."""
    told: list[str] = []

    def without(value: Any) -> Any:
        if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == "@":
            told.append(value[1:-1])
            return f"raw {len(told) - 1} "
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items()}
        return [without(each) for each in value] if isinstance(value, list) else value

    body = json.dumps(without(document))
    for number, token in enumerate(told):
        body = body.replace(f'"raw {number} "', token)
    return body.encode()


@st.composite
def neighbours(draw: st.DrawFn, level: str) -> list[Any]:
    """Elements of a level of a body, each of them wrong in some place, or altogether."""
    found = []
    for _ in range(draw(st.integers(0, 2))):
        element = copy.deepcopy(draw(st.sampled_from(ELEMENTS[level])))
        for _ in range(draw(st.integers(1, 2))):
            put(element, draw(st.sampled_from(list(places(element)))), draw(wrong))
        found.append(draw(st.just(element) | wrong))
    return found


def elements() -> dict[str, list[Any]]:
    entries = [entry for seed in SEEDS for entry in seed["entry"]]
    changes = [change for entry in entries for change in entry["changes"]]
    return {
        "entry": entries,
        "changes": changes,
        **{
            name: [each for change in changes if isinstance(change.get("value"), dict) for each in change["value"].get(name, [])]
            for name in ("messages", "statuses", "contacts")
        },
    }


ELEMENTS = elements()


@settings(
    max_examples=chosen(short=50, full=150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_sound_message_is_stored_whatever_stands_beside_it(runner: Run, door: Door, data: st.DataObject) -> None:
    sound = door.sound()
    among = {level: data.draw(neighbours(level), level) for level in ELEMENTS}
    before = {level: data.draw(st.integers(0, len(found))) for level, found in among.items()}

    def beside(level: str, *element: Any) -> list[Any]:
        found = among[level]
        return [*found[: before[level]], *element, *found[before[level] :]]

    document = messages(*beside("messages", sound), statuses=beside("statuses"), contacts=beside("contacts"))
    [entry] = document["entry"]
    entry["changes"] = beside("changes", *entry["changes"])
    document["entry"] = beside("entry", entry)
    assert runner.run(door.post(written(document))) == 200
    assert runner.run(door.holds(sound))
    assert not door.broke


@settings(
    max_examples=chosen(short=50, full=150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_no_signed_body_is_answered_with_anything_but_200(runner: Run, door: Door, data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 3))):
        put(document, data.draw(st.sampled_from(list(places(document)))), data.draw(wrong))
    body = written(document)
    match data.draw(st.sampled_from(["as it is", "cut off", "other bytes", "encoded otherwise", "no document"])):
        case "cut off":
            body = body[: data.draw(st.integers(0, len(body)))]
        case "other bytes":
            at = data.draw(st.integers(0, len(body)))
            body = body[:at] + data.draw(st.sampled_from([b"\xff", b"\xed\xa0\x80", b"\x00", b"NaN", b"\xc3", b"}"])) + body[at:]
        case "encoded otherwise":
            body = body.decode().encode(data.draw(st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7"])))
        case "no document":
            body = data.draw(st.binary(max_size=200))
    assert runner.run(door.post(body)) == 200
    assert not door.broke


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 1_000_000, id="a million lists that never end"),
        pytest.param(b'{"entry":' * 200_000 + b"1" + b"}" * 200_000, id="200,000 objects"),
        pytest.param(written(messages(text(), {"deep": "@" + "[" * 5_000 + "]" * 5_000 + "@"})), id="a message 5,000 lists deep"),
        pytest.param(json.dumps(messages(text(), {"id": float("nan")})).encode(), id="NaN"),
        pytest.param(json.dumps(messages(text(), {"id": float("-inf")})).encode(), id="infinity"),
        pytest.param(json.dumps(messages(text())).encode("utf-16"), id="UTF-16"),
        pytest.param(json.dumps(messages(text())).encode().replace(b"hello", b"h\xffllo"), id="not UTF-8"),
        pytest.param(b"9" * 3_000_000, id="a number of three million digits"),
    ],
)
def test_what_cannot_be_read_at_all_is_kept_as_it_came(runner: Run, door: Door, body: bytes) -> None:
    assert runner.run(door.post(body)) == 200
    assert body in runner.run(door.set_aside())
    assert not door.broke


def test_a_sound_message_among_three_megabytes_of_broken_ones_is_stored(runner: Run, door: Door) -> None:
    sound, broken = door.sound(), {"type": "text", "text": {"body": "nobody said this"}}
    assert runner.run(door.post(json.dumps(messages(*[broken] * 20, "x" * 3_000_000, sound)).encode())) == 200
    assert runner.run(door.holds(sound))


def test_braces_and_commas_that_customers_write_are_no_elements(runner: Run, door: Door) -> None:
    for words in (
        "{" * 3_000,
        "[" * 3_000,
        "," * 12_000,
        '{"' * 2_000,
        '\\"[' * 1_000,
        '"' * 4_000,
        "]}" * 2_000,
        "😀{," * 1_500,
    ):
        sound = door.sound()
        others = [text(words, id=f"wamid.{ord(words[0])}.{len(words)}.{number}") for number in range(45)]
        assert runner.run(door.post(json.dumps(messages(*others, sound)).encode())) == 200, words[:4]
        assert runner.run(door.holds(sound)), words[:4]


def test_of_two_keys_of_the_same_name_the_latter_counts_and_the_next_message_is_stored(runner: Run, door: Door) -> None:
    twice, sound = door.sound(), door.sound()
    body = json.dumps(messages(twice, sound)).replace('"id": "wamid', '"id": [], "id": "wamid').encode()
    assert runner.run(door.post(body)) == 200
    assert runner.run(door.holds(twice))
    assert runner.run(door.holds(sound))


class TestFloods:
    """Signed bodies of so many elements that each of them cannot be stored, or read, in one go."""

    def bulk(self, door: Door, count: int) -> tuple[bytes, list[str]]:
        """Messages of many people in one body, and their ids."""
        words = "Hello, do you open on Sunday, and is there a table for two by the window? " * 3
        sounds = [text(f"{words} {n}", id=door.sound()["id"]) for n in range(count)]
        people = [f"1555{n % 500:07d}" for n in range(count)]
        return json.dumps(messages(*({**each, "from": who} for each, who in zip(sounds, people, strict=True)))).encode(), [
            each["id"] for each in sounds
        ]

    async def stored(self, door: Door, ids: list[str]) -> int:
        sql = "SELECT count(*) FROM messages WHERE direction = 'in' AND external_id IN (SELECT value FROM json_each(?))"
        return int(await door.store.database.read(lambda db: db.execute(sql, (json.dumps(ids),)).fetchone()[0]))

    def test_thousands_of_messages_in_one_body_are_stored_once_and_the_loop_goes_on(self, runner: Run, door: Door) -> None:
        body, ids = self.bulk(door, BULK)

        async def delivered_twice() -> tuple[list[int], float]:
            with stalls() as worst:
                statuses = [await door.post(body), await door.post(body)]
            return statuses, worst[0]

        statuses, worst = runner.run(delivered_twice())
        assert statuses == [200, 200]
        assert runner.run(self.stored(door, ids)) == BULK
        assert worst < LONGEST_STALL
        assert not door.broke

    def test_a_flood_of_odd_elements_is_kept_whole_and_once_and_the_loop_goes_on(self, runner: Run, door: Door) -> None:
        def flooded(level: str, element: str, count: int) -> bytes:
            document = messages(text("sound", id="wamid.flood"))
            holder = {"entry": document, "changes": document["entry"][0]}.get(level, document["entry"][0]["changes"][0]["value"])
            holder[level] = [*holder.get(level, ()), "FLOOD"]
            return json.dumps(document).replace('"FLOOD"', ",".join([element] * count)).encode()

        fields = ",".join(f'{{"field":"f{n}","value":{{}}}}' for n in range(chosen(short=4_000, full=20_000)))
        most, nearly, many = (
            chosen(short=120_000, full=1_000_000),
            chosen(short=6_000, full=90_000),
            chosen(short=6_000, full=100_000),
        )
        rows: list[tuple[str, bytes, int]] = [
            ("more empty objects than are read", flooded("messages", "{}", most), 1),
            ("as many empty entries", b'{"entry":[' + b"{}," * most + b"{}]}", 1),
            ("as many lists", flooded("statuses", "[]", most), 1),
            ("many that are read", flooded("messages", "{}", nearly), 1),
            ("in the changes, of no field", flooded("changes", "{}", nearly), 0),
            ("in the entries", flooded("entry", "{}", nearly), 1),
            ("in the contacts, which nobody misses", flooded("contacts", "{}", nearly), 0),
            ("numbers", flooded("messages", "1", many), 1),
            ("more numbers", flooded("messages", "1", chosen(short=510_000, full=1_500_000)), 1),
            ("texts", flooded("statuses", '""', many), 1),
            ("errors of the account", flooded("errors", '{"code":1}', chosen(short=1_000, full=5_000)), 0),
            ("unknown fields", flooded("changes", fields, 1), 0),
            ("a few", flooded("messages", '{"few":1}', 150), 1),
            ("a few hundred", flooded("messages", "{}", 201), 1),
        ]
        for what, body, kept in rows:
            before = len(runner.run(door.set_aside()))

            async def delivered(body: bytes = body) -> tuple[int, float]:
                with stalls() as worst:
                    status = await door.post(body)
                return status, worst[0]

            status, worst = runner.run(delivered())
            assert status == 200, what
            assert worst < LONGEST_STALL, what
            aside = runner.run(door.set_aside())[before:]
            assert len(aside) == kept, what
            if kept and what != "a few":
                assert aside == [body], what
            assert not door.broke, what
        assert runner.run(self.stored(door, ["wamid.flood"])) == 1
        before = len(runner.run(door.set_aside()))
        assert runner.run(door.post(rows[0][1])) == 200
        assert len(runner.run(door.set_aside())) == before, "delivered again it is known"

    def test_the_fullest_bodies_that_meta_sends_are_far_from_the_limits(self) -> None:
        for seed in SEEDS:
            body = json.dumps(seed, separators=(",", ":")).encode()
            times = 3_000_000 / len(body)
            assert (body.count(b"{") + body.count(b"[")) * times < MAX_CONTAINERS
            assert body.count(b",") * times < MAX_VALUES
