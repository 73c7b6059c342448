"""What the internet may reach."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from sara import InboundMessage, Request, Response, UnparsedPayload, WebhookResult
from sara.engines import AcceptResult, CommitUnknown, OpenWork, StoreUnavailable
from sara.operations.load_shedding import IntakeGuard
from sara.pipeline.bindings import ChannelBinding
from sara.policy.settings import ConversationSettings
from sara.web import body_limits
from sara.web.body_limits import BODY_LIMIT, LARGE, MOST_HELD
from sara.web.crash_log import DEADLY, ParseCrashLog
from sara.web.webhooks import IN_THREAD_FROM, MOST_SET_ASIDE, WebhookApp
from tests.fakes import ACCOUNT, ANA, CONVERSATION, DEADLINE, NOW, DoorServer, FakeChannel, House

WEBHOOK = "/webhook/messages"
MESSAGE = InboundMessage(ACCOUNT, "in-1", ANA, "text", "hello", NOW)
GENUINE = WebhookResult(Response(200, b"taken"), verified=True, messages=(MESSAGE,))
FORGED = WebhookResult(Response(401, b"who are you?"))

Client = TestClient[web.Request, web.Application]


class Front:
    """A house with its public listener on loopback. A second number shares the webhook once `also` was called."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.house = House()
        self.house.channel.understands = lambda _: GENUINE
        self.inbox = self.house.inbound
        self.routes = [self.house.route]
        self.down: set[str] = set()
        self.watch = IntakeGuard(Path(), self.house.store, self.house.problems)
        self.routes_by_path = {WEBHOOK: self.routes}
        self.app = WebhookApp(
            self.routes_by_path, self.down, self.inbox, self.watch, ParseCrashLog(state, self.house.problems), self.house.problems
        )
        self.client: Client = TestClient(DoorServer(self.app.application()))

    @property
    def channel(self) -> FakeChannel:
        return self.house.channel

    def also(self, understands: WebhookResult) -> FakeChannel:
        channel = FakeChannel("test:2")
        channel.understands = lambda _: understands
        self.routes.append(ChannelBinding("sales", channel, ConversationSettings(responder="assistant"), {}))
        return channel

    async def post(self, body: Any = b"{}", path: str = WEBHOOK, **more: Any) -> tuple[int, str]:
        async with self.client.post(path, data=body, **more) as response:
            return response.status, await response.text()

    def stored(self) -> list[str]:
        """The accounts for which something was stored."""
        return [intake.account for intake, _ in self.house.store.called("accept")]


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    front = Front(tmp_path)
    async with front.client:
        yield front
    await front.inbox.close()


async def test_what_a_channel_takes_for_genuine_is_stored_and_answered_as_it_says(front: Front) -> None:
    assert await front.post() == (200, "taken")
    [(intake, now)] = front.house.store.called("accept")
    assert now == NOW
    assert [arrival.message for arrival in intake.arrivals] == [MESSAGE]


async def test_a_channel_is_given_the_request_as_it_came(front: Front) -> None:
    body = b'{"text": "caf\xc3\xa9",\n "raw": true }'
    await front.client.post(f"{WEBHOOK}?hub.mode=subscribe&x=a%20b", data=body, headers={"X-Hub-Signature-256": "sha256=1"})
    [asked] = front.channel.asked
    assert (asked.method, asked.path, asked.body) == ("POST", WEBHOOK, body)
    assert asked.query == {"hub.mode": "subscribe", "x": "a b"}
    assert asked.headers["x-hub-signature-256"] == "sha256=1"
    assert all(name == name.lower() for name in asked.headers)


async def test_the_200_waits_for_the_store_and_not_for_the_wake(front: Front) -> None:
    front.house.store.taken = AcceptResult(work=(OpenWork(CONVERSATION, ACCOUNT, NOW, None),))
    front.house.queue.fails = StoreUnavailable("disk full")
    assert await front.post() == (200, "taken")
    await front.inbox.close()
    assert "queue:jobs:schedule_failed" in front.house.problems


async def test_everything_else_is_not_found(front: Front) -> None:
    for path in ("/", "/healthz", "/metrics", "/webhook", "/webhook/messages/x", "/webhook/messages//", "/api/v1/queue"):
        for method in ("GET", "POST", "PUT"):
            async with front.client.request(method, path) as response:
                assert response.status == 404, (method, path)
    assert front.channel.asked == []


async def test_a_slash_at_the_end_of_the_webhook_makes_no_difference(front: Front) -> None:
    front.routes_by_path["/entered/with/"] = [
        ChannelBinding("sales", front.channel, ConversationSettings(responder="assistant"), {})
    ]
    front.routes_by_path["/"] = front.routes_by_path["/entered/with/"]
    for asked in (WEBHOOK, WEBHOOK + "/", "/entered/with", "/entered/with/", "/entered/with/?hub.mode=subscribe", "/"):
        assert await front.post(path=asked) == (200, "taken"), asked
    front.down.add("/down/")
    for asked in ("/down", "/down/"):
        assert (await front.post(path=asked))[0] == 503, asked


async def test_the_answer_to_another_method_is_the_channels(front: Front) -> None:
    front.channel.understands = lambda asked: WebhookResult(
        Response(405 if asked.method == "PUT" else 200, asked.method.encode())
    )
    for method, status in (("PUT", 405), ("GET", 200), ("POST", 200)):
        async with front.client.request(method, WEBHOOK) as response:
            assert (response.status, await response.text()) == (status, method)


async def test_a_type_of_content_is_passed_on(front: Front) -> None:
    front.channel.understands = lambda _: WebhookResult(Response(200, b"<Response/>", "text/xml"))
    async with front.client.post(WEBHOOK) as response:
        assert response.content_type == "text/xml"


async def test_a_body_of_just_the_limit_is_taken(front: Front) -> None:
    assert (await front.post(b"x" * BODY_LIMIT))[0] == 200


async def test_a_body_over_the_limit_is_refused_and_not_read(front: Front) -> None:
    assert (await front.post(b"x" * (BODY_LIMIT + 1)))[0] == 413
    assert front.channel.asked == []


async def test_the_largest_body_that_meta_sends_is_taken() -> None:
    assert BODY_LIMIT >= 3 * 1024 * 1024


async def test_a_compressed_body_is_refused_unread_whatever_the_headers_say_beside_it(front: Front) -> None:
    rows = [
        (["gzip"], 415),
        (["GZIP"], 415),
        (["deflate"], 415),
        (["br"], 415),
        (["zstd"], 415),
        (["x-gzip"], 415),
        (["anything"], 415),
        (["identity", "gzip"], 415),
        (["gzip", "identity"], 415),
        (["identity, gzip"], 415),
        (["gzip,identity"], 415),
        ([""], 200),
        (["Identity"], 200),
        (["identity", "identity"], 200),
        ([" identity ,, identity "], 200),
    ]
    for codings, status in rows:
        before = len(front.channel.asked)
        headers = [("Content-Encoding", coding) for coding in codings]
        async with front.client.post(WEBHOOK, data=gzip.compress(b"{}"), headers=headers) as response:
            assert response.status == status, codings
        assert len(front.channel.asked) - before == (status == 200), codings


async def test_several_headers_of_one_name_reach_the_channel_as_one_list(front: Front) -> None:
    await front.client.post(
        WEBHOOK, data=b"{}", headers=[("X-Hub-Signature-256", "sha256=1"), ("X-Hub-Signature-256", "sha256=2")]
    )
    [asked] = front.channel.asked
    assert asked.headers["x-hub-signature-256"] == "sha256=1, sha256=2"


async def test_a_body_that_breaks_off_or_breaks_its_own_form_is_no_fault_of_ours(front: Front) -> None:
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    for broken in ("zz\r\n", "5\r\nhello", "-1\r\n", "ffffffffffffffffffff\r\n"):
        reader, writer = await asyncio.open_connection(front.client.server.host, front.client.server.port)
        writer.write((head + broken).encode())
        if broken.endswith("\r\n"):
            async with asyncio.timeout(DEADLINE):
                assert (await reader.readline()).split()[1] == b"400", broken
        writer.close()
        await writer.wait_closed()
    await held(front, lambda held: held == 0)
    assert front.channel.asked == []


async def test_a_body_that_does_not_arrive_in_time_is_given_up(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limits, "BODY_WITHIN", 0.01)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await done.wait()

    done = asyncio.Event()
    async with asyncio.timeout(DEADLINE):
        status, _ = await front.post(never())
    done.set()
    assert status == 408
    assert front.channel.asked == []


@asynccontextmanager
async def unfinished(front: Front, count: int, size: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """So many requests whose body lacks its last byte; those that were not refused are held."""
    server = front.client.server
    opened = [await asyncio.open_connection(server.host, server.port) for _ in range(count)]
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: {size + 1}\r\n\r\n".encode()
    try:
        for _, writer in opened:
            writer.write(head + b"x" * size)
        await asyncio.gather(*(writer.drain() for _, writer in opened), return_exceptions=True)
        yield [writer for _, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def held(front: Front, so: Callable[[int], bool]) -> None:
    """Wait until so many bytes are held."""
    never = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(DEADLINE):
        while not so(front.app._bodies.held):
            await asyncio.wait([never], timeout=0.01)


async def test_bodies_that_nobody_has_signed_for_take_only_so_much_room(front: Front) -> None:
    count, size = 30, BODY_LIMIT - 1
    assert count * size > MOST_HELD
    async with unfinished(front, count, size):
        await held(front, lambda held: held > MOST_HELD * 3 // 4 - BODY_LIMIT)
        assert front.app._bodies.held <= MOST_HELD * 3 // 4
        assert (await front.post(b"x" * LARGE))[0] == 200, "what is small, as most are, is still taken"
    await held(front, lambda held: held == 0)
    assert (await front.post(b"x" * BODY_LIMIT))[0] == 200


@pytest.mark.parametrize(
    ("taken", "size", "status"),
    [
        (MOST_HELD * 3 // 4, LARGE + 1, 503),
        (MOST_HELD * 3 // 4, LARGE, 200),
        (MOST_HELD - LARGE, LARGE, 200),
        (MOST_HELD - LARGE + 1, LARGE, 503),
    ],
)
async def test_while_there_is_no_room_for_a_body_it_is_to_come_again(front: Front, taken: int, size: int, status: int) -> None:
    front.app._bodies.held = taken
    async with front.client.post(WEBHOOK, data=b"x" * size) as response:
        assert response.status == status
        assert ("Retry-After" in response.headers) == (status == 503)
    assert front.app._bodies.held == taken, "it takes no room once it is answered"


async def test_who_is_stopping_takes_nothing_in(front: Front) -> None:
    front.app.draining = True
    async with front.client.post(WEBHOOK) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    assert front.channel.asked == []
    assert (await front.post(path="/elsewhere"))[0] == 404


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), CommitUnknown()])
async def test_what_is_not_stored_is_never_acknowledged(front: Front, error: Exception) -> None:
    front.house.store.fails["accept"] = [error]
    async with front.client.post(WEBHOOK) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    assert front.house.listed() == {"store:messages:write_failed": 1}
    assert await front.post() == (200, "taken")
    assert front.house.listed() == {}


def breaking(_: Request) -> WebhookResult:
    raise RuntimeError("a bug")


async def test_a_channel_that_breaks_has_the_provider_deliver_again(front: Front) -> None:
    front.channel.understands = breaking
    assert (await front.post())[0] == 503
    assert front.house.listed() == {"channel:support:webhook_unreadable": 1}
    assert front.stored() == []


async def test_a_channel_that_reads_requests_again_is_no_problem_any_more(front: Front) -> None:
    front.channel.understands = breaking
    await front.post()
    assert "channel:support:webhook_unreadable" in front.house.problems
    front.channel.understands = lambda _: GENUINE
    await front.post()
    assert "channel:support:webhook_unreadable" not in front.house.problems


async def test_what_is_forged_is_answered_by_the_channel_and_not_stored(front: Front) -> None:
    front.channel.understands = lambda _: FORGED
    assert await front.post() == (401, "who are you?")
    assert front.stored() == []


@pytest.mark.parametrize(("size", "elsewhere"), [(IN_THREAD_FROM - 1, False), (IN_THREAD_FROM, True)])
async def test_a_large_body_is_understood_where_it_holds_up_nobody(front: Front, size: int, elsewhere: bool) -> None:
    threads: list[bool] = []

    def understand(_: Request) -> WebhookResult:
        threads.append(threading.current_thread() is not threading.main_thread())
        return GENUINE

    front.channel.understands = understand
    assert await front.post(b"x" * size) == (200, "taken")
    assert threads == [elsewhere]


class TestBodiesThatEndTheProcess:
    def noted(self, front: Front) -> bool:
        """Whether some body is noted as being read at this moment."""
        return bool((front.state / "parsing").read_bytes().strip(b"\0"))

    async def test_only_a_verified_body_is_noted_while_it_is_read(self, front: Front) -> None:
        rows = [(True, GENUINE, True), (False, FORGED, False), (False, GENUINE, False)]
        for verified, reception, wanted in rows:
            seen: list[bool] = []

            def understand(_: Request, reception: WebhookResult = reception, seen: list[bool] = seen) -> WebhookResult:
                seen.append(self.noted(front))
                return reception

            front.channel.verifies = lambda _, verified=verified: verified  # type: ignore[misc]
            front.channel.understands = understand
            for size in (10, IN_THREAD_FROM):
                assert (await front.post(b"x" * size))[0] == reception.response.status
            assert seen == [wanted] * 2, (verified, reception)
            assert not self.noted(front)

    async def test_only_a_verified_body_is_set_aside_unread(self, front: Front) -> None:
        body = b"it was in hand at two ends"
        front.app._parsing._deaths = {hashlib.sha256(body).hexdigest(): DEADLY}
        front.channel.verifies = lambda _: False
        front.channel.understands = lambda _: FORGED
        assert (await front.post(body))[0] == 401
        assert front.stored() == []
        front.channel.verifies = lambda _: True
        asked = len(front.channel.asked)
        assert (await front.post(body))[0] == 200
        assert len(front.channel.asked) == asked
        [(intake, _)] = front.house.store.called("accept")
        assert [item.body for item in intake.unparsed] == [body]

    async def test_of_two_numbers_that_share_a_webhook_each_decides_for_itself(self, front: Front) -> None:
        body = b"signed for the second number only"
        front.app._parsing._deaths = {hashlib.sha256(body).hexdigest(): DEADLY}
        front.channel.verifies = lambda _: False
        front.channel.understands = lambda _: FORGED
        other = front.also(GENUINE)
        assert (await front.post(body))[0] == 200
        assert other.asked == []
        assert front.stored() == ["test:2"]


async def test_a_body_of_little_but_odd_elements_is_set_aside_once_and_whole(front: Front) -> None:
    for odd in (MOST_SET_ASIDE, MOST_SET_ASIDE + 1, 100_000):
        front.house.store.calls.clear()
        aside = tuple(UnparsedPayload(ACCOUNT, "not an object", str(n).encode()) for n in range(odd))
        front.channel.understands = lambda _, aside=aside: replace(GENUINE, unparsed=aside)  # type: ignore[misc]
        assert (await front.post(b"the whole body"))[0] == 200
        kept = [item for intake, _ in front.house.store.called("accept") for item in intake.unparsed]
        messages = [arrival.message for intake, _ in front.house.store.called("accept") for arrival in intake.arrivals]
        assert messages == [MESSAGE], "what was understood is kept in any case"
        if odd <= MOST_SET_ASIDE:
            assert kept == list(aside)
        else:
            assert [item.body for item in kept] == [b"the whole body"]
            assert str(odd) in kept[0].reason


# ── two numbers behind one webhook ────────────────────────────────────────────────────────────────────────────────────────


async def test_numbers_that_share_a_webhook_each_take_what_is_their_own(front: Front) -> None:
    other = front.also(WebhookResult(Response(200, b"mine"), verified=True))
    assert await front.post() == (200, "taken")
    assert len(front.channel.asked) == len(other.asked) == 1
    assert front.stored() == [ACCOUNT, "test:2"]


async def test_the_one_that_takes_it_for_genuine_gives_the_answer(front: Front) -> None:
    front.channel.understands = lambda _: FORGED
    front.also(WebhookResult(Response(200, b"mine"), verified=True))
    assert await front.post() == (200, "mine")
    assert front.stored() == ["test:2"]


async def test_what_all_take_for_forged_is_forged(front: Front) -> None:
    front.channel.understands = lambda _: FORGED
    front.also(WebhookResult(Response(403, b"nor mine")))
    assert await front.post() == (401, "who are you?")


async def test_while_one_of_the_numbers_is_down_all_is_to_be_delivered_again(front: Front) -> None:
    front.down.add(WEBHOOK)
    async with front.client.post(WEBHOOK) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    assert front.stored() == [ACCOUNT]


async def test_a_webhook_whose_only_number_is_down_is_not_unknown(front: Front) -> None:
    front.down.add("/webhook/down")
    assert (await front.post(path="/webhook/down"))[0] == 503
    assert front.stored() == []


async def test_what_is_forged_stays_forged_while_a_number_is_down(front: Front) -> None:
    front.down.add(WEBHOOK)
    front.channel.understands = lambda _: FORGED
    assert await front.post() == (401, "who are you?")


async def test_nothing_is_acknowledged_until_every_number_has_stored_its_share(front: Front) -> None:
    front.also(WebhookResult(Response(200, b"mine"), verified=True))
    accept = front.house.store.accept

    async def second_fails(intake: Any, now: int) -> AcceptResult:
        taken = await accept(intake, now)
        if intake.account != ACCOUNT:
            raise StoreUnavailable("disk full")
        return taken

    front.house.store.accept = second_fails  # type: ignore[method-assign]  # the same, but for one account
    assert (await front.post())[0] == 503


async def test_without_room_nothing_is_taken_in_and_the_provider_is_told_to_come_again(front: Front) -> None:
    front.watch.accepting = False
    assert (await front.post())[0] == 503
    assert front.stored() == []
    front.watch.accepting = True
    assert (await front.post())[0] == 200
