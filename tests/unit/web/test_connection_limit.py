"""The listeners: how many connections they keep, for how long, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network

import pytest
from aiohttp import web

from sara.web import connection_limit as door_module
from sara.web.connection_limit import ConnectionLimits, LimitedRunner, client_key
from tests.fakes import DEADLINE
from tests.unit.web.admin.test_app import BEARER, Desk
from tests.unit.web.test_webhooks import WEBHOOK, Front


@asynccontextmanager
async def listening(app: web.Application, limits: ConnectionLimits, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A listener as the daemon has it; its port."""
    door = LimitedRunner(app, limits)
    await door.setup()
    try:
        await web.TCPSite(door, host, 0).start()
        yield door.addresses[0][1]
    finally:
        await door.cleanup()


async def answer_to(port: int, request: bytes, peer: str = "127.0.0.1") -> bytes:
    """All that is answered to some bytes, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(peer, 0))
    try:
        writer.write(request)
        async with asyncio.timeout(DEADLINE):
            return await reader.read()
    finally:
        writer.close()


async def nothing(_: web.Request) -> None: ...


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def desk() -> Desk:
    return Desk()


class TestEveryAnswer:
    async def test_it_forbids_browsers_to_guess_its_type(self, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
        front = Front(tmp_path_factory.mktemp("front"))
        broken = Front(tmp_path_factory.mktemp("broken"))
        broken.channel.understands = lambda _: 1 / 0  # type: ignore[assignment,return-value]
        key = f"Authorization: {BEARER['Authorization']}\r\n"
        post = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        forgetful = web.Application()
        forgetful.router.add_get("/", nothing)  # type: ignore[arg-type]  # it returns no response
        rows: list[tuple[web.Application, str, int]] = [
            (front.app.application(), f"{post}Content-Length: 2\r\n\r\n{{}}", 200),
            (front.app.application(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
            (front.app.application(), "GET / HTTP/1.0\r\n\r\n", 404),
            (front.app.application(), f"{post}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}", 415),
            (front.app.application(), f"{post}Content-Length: 9999999\r\n\r\n", 413),
            (front.app.application(), f"{post}Expect: a miracle\r\nContent-Length: 2\r\n\r\n{{}}", 417),
            (front.app.application(), f"{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (front.app.application(), f"{post}Content-Length: x\r\n\r\n", 400),
            (front.app.application(), f"{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (front.app.application(), "no HTTP at all\r\n\r\n", 400),
            (front.app.application(), "GET /\udcff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (front.app.application(), f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (front.app.application(), "GET / HTTP/1.1\r\n" + "X: y\r\n" * 200 + "\r\n", 400),
            (broken.app.application(), f"{post}Content-Length: 2\r\n\r\n{{}}", 503),
            (desk.app.application(), HEALTH.decode(), 200),
            (desk.app.application(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 401),
            (desk.app.application(), "GET / HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", 421),
            (desk.app.application(), f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}\r\n", 404),
            (desk.app.application(), f"DELETE /api/v1/queue HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}\r\n", 405),
            (desk.app.application(), "GET / HTTP/9.9\r\n\r\n", 400),
            (forgetful, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 500),
        ]
        for app, request, status in rows:
            async with listening(app, ConnectionLimits()) as port:
                answer = (await answer_to(port, request.encode("utf-8", "surrogateescape"))).decode()
            head = answer.partition("\r\n\r\n")[0].lower()
            assert head.startswith((f"http/1.1 {status} ", f"http/1.0 {status} ")), (request[:80], head)
            assert "x-content-type-options: nosniff" in head, (request[:80], head)
        await front.inbox.close()

    async def test_it_repeats_nothing_of_the_request(self, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
        front = Front(tmp_path_factory.mktemp("front"))
        begun = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        rows = [
            "SECRET\r\n\r\n",
            "SECRET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "GET / SECRET/1.1\r\n\r\n",
            "GET /SECRET\udcff HTTP/1.1\r\n\r\n",
            f"GET /{'SECRET' * 2_000} HTTP/1.1\r\n\r\n",
            "GET http://SECRET[/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "GET /SECRET<b> HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            f"{begun}Authorization Bearer SECRET\r\n\r\n",
            f"{begun}X: SECRET\0\r\n\r\n",
            f"{begun}X: {'SECRET' * 2_000}\r\n\r\n",
            f"{begun}Content-Length: SECRET\r\n\r\n",
            f"{begun}Transfer-Encoding: SECRET\r\n\r\n",
            f"{begun}Transfer-Encoding: chunked\r\n\r\nSECRET\r\n",
            f"{begun}Expect: SECRET\r\n\r\n",
            f"{begun}Content-Encoding: SECRET\r\n\r\n",
        ]
        for app in (front.app.application(), desk.app.application()):
            async with listening(app, ConnectionLimits()) as port:
                for row in rows:
                    answer = await answer_to(port, row.encode("utf-8", "surrogateescape"))
                    assert answer.startswith(b"HTTP/1."), row[:80]
                    assert b"SECRET" not in answer, (row[:80], answer)
        await front.inbox.close()

    async def test_also_the_one_for_want_of_room(self, desk: Desk) -> None:
        async with listening(desk.app.application(), ConnectionLimits(0)) as port:
            answer = await answer_to(port, b"")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5\r\nX-Content-Type-Options: nosniff\r\n" in answer


class TestConnections:
    async def test_one_beyond_the_limit_is_told_so_and_closed_and_a_place_that_is_left_is_free(self, desk: Desk) -> None:
        async with listening(desk.app.application(), ConnectionLimits(3)) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            assert (await answer_to(port, HEALTH)).startswith(b"HTTP/1.1 503 ")
            silent[0][1].close()
            await silent[0][1].wait_closed()
            async with asyncio.timeout(DEADLINE):
                while not (await answer_to(port, HEALTH)).startswith(b"HTTP/1.1 200 "):
                    pass
            for _, each in silent:
                each.close()

    async def test_one_address_holds_its_share_and_others_are_served(self, desk: Desk) -> None:
        rows = [
            ("no share", ConnectionLimits(6), 5, 200, 200),
            ("a share", ConnectionLimits(6, 4), 4, 503, 200),
            ("more than all", ConnectionLimits(6, 99), 6, 503, 503),
            ("a trusted proxy", ConnectionLimits(6, 2, [ip_network("127.0.0.1")]), 5, 200, 200),
            ("a trusted network", ConnectionLimits(6, 2, [ip_network("127.0.0.0/31")]), 5, 200, 200),
            ("another trusted proxy", ConnectionLimits(6, 4, [ip_network("10.0.0.1"), ip_network("::1")]), 4, 503, 200),
        ]
        for what, limits, held, same, other in rows:
            async with listening(desk.app.application(), limits) as port:
                silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(held)]
                answers = [await answer_to(port, HEALTH, peer) for peer in ("127.0.0.1", "127.0.0.2")]
                assert [int(answer.split()[1]) for answer in answers] == [same, other], what
                for _, each in silent:
                    each.close()

    async def test_a_connection_that_is_gone_counts_no_more(self, desk: Desk) -> None:
        async with listening(desk.app.application(), ConnectionLimits(50, 2)) as port:
            for _ in range(10):
                async with asyncio.timeout(DEADLINE):
                    while not (await answer_to(port, HEALTH)).startswith(b"HTTP/1.1 200 "):
                        pass

    def test_what_counts_as_one_address(self) -> None:
        rows = [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
        ]
        assert [client_key(peer) for peer, _ in rows] == [key for _, key in rows]

    def test_a_trusted_proxy_is_known_by_all_spellings_of_its_address(self) -> None:
        limits = ConnectionLimits(100, 3, [ip_network("10.0.0.0/8"), ip_network("::1"), ip_network("fe80::/10")])
        rows = [("10.1.2.3", 100), ("::ffff:10.1.2.3", 100), ("::1", 100), ("fe80::2%eth0", 100), ("11.0.0.1", 3), ("::2", 3)]
        assert [limits.limit_of(peer) for peer, _ in rows] == [limit for _, limit in rows]

    async def test_half_sent_headers_are_not_waited_for(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(door_module, "HEADERS_WITHIN_S", 0.2)
        beginnings = [b"", b"G", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y"]
        async with listening(desk.app.application(), ConnectionLimits()) as port:
            assert await asyncio.gather(*(answer_to(port, each) for each in beginnings)) == [b""] * len(beginnings)

            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
            closed = asyncio.ensure_future(reader.read())
            async with asyncio.timeout(DEADLINE):
                while not closed.done():  # one byte of a header at a time, for as long as it is taken
                    writer.write(b"x")
                    await asyncio.wait([closed], timeout=0.01)
            # Closed while bytes were under way, it may end as a reset.
            with suppress(ConnectionError):
                assert await closed == b""
            writer.close()
            monkeypatch.setattr(door_module, "HEADERS_WITHIN_S", DEADLINE)
            assert (await answer_to(port, HEALTH)).startswith(b"HTTP/1.1 200 ")

    async def test_a_request_whose_headers_came_in_time_may_take_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(door_module, "HEADERS_WITHIN_S", 0.3)
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def handle(_: web.Request) -> web.Response:
            arrived.set()
            await go_on.wait()
            return web.Response(text="done")

        app = web.Application()
        app.router.add_get("/", handle)
        async with listening(app, ConnectionLimits()) as port:
            asked = asyncio.create_task(answer_to(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            await arrived.wait()
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.5)
            go_on.set()
            assert (await asked).endswith(b"done")

    async def test_a_refused_body_is_not_waited_for(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(door_module, "LINGER_S", 0.1)
        front_rows = [("Host: evil.example", b"421"), ("Host: localhost", b"401")]
        async with listening(desk.app.application(), ConnectionLimits()) as port:
            for header, status in front_rows:
                head = f"POST /api/v1/forget HTTP/1.1\r\n{header}\r\nContent-Length: 60000\r\n\r\n".encode()
                answer = await answer_to(port, head + b"x" * 100)
                assert answer.split()[1] == status, "it is answered, and then closed, though the body never ends"
