"""The Graph API client against real sockets: whether a message left must never be guessed wrong."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from sara_whatsapp.api.client import GraphClient, GraphResponse, read_usage
from sara_whatsapp.api.error_codes import FileRejected
from sara_whatsapp.channel import WhatsAppChannel

from sara import (
    ChannelUnavailable,
    DeliveryUnknown,
    Identity,
    NotSent,
    OutboundMessage,
    Rejected,
    ReplyWindowClosed,
    SaraError,
    Secret,
)
from tests.patience import patience
from tests.rows import each_row

TOKEN = "EAAinventedtoken"
ACCEPTED = {"messaging_product": "whatsapp", "messages": [{"id": "wamid.accepted"}]}
BODY = {"messaging_product": "whatsapp", "to": "+15550001111"}


class Graph:
    """A stand-in for Meta: `answer` decides, `calls` are kept."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.accept
        self.url = ""

    async def accept(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(ACCEPTED)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if request.content_type == "application/json" else raw
        self.calls.append((request.path_qs, dict(request.headers), body))
        return await self.answer(request)

    def answers(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def respond(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=raw, headers=headers)

        self.answer = respond


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    graph = Graph()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", graph.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    graph.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield graph
    await runner.cleanup()


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., Awaitable[GraphClient]]]:
    clients = []

    async def make(url: str, **settings: Any) -> GraphClient:
        client = GraphClient(url, "v26.0", "109000000000555", Secret(TOKEN), **settings)
        await client.open()
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def client(graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]) -> GraphClient:
    return await make_client(graph.url)


async def failure(client: GraphClient) -> SaraError:
    with pytest.raises(SaraError) as caught:
        await client.send(BODY)
    # Whoever prints the whole chain must not print the token.
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


# what leaves


async def test_a_message_is_posted_once_with_the_token_and_its_id_comes_back(graph: Graph, client: GraphClient) -> None:
    assert (await client.send(BODY)).external_id == "wamid.accepted"
    ((path, headers, body),) = graph.calls
    assert path == "/v26.0/109000000000555/messages"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert body == BODY


async def test_whom_meta_says_a_message_went_to_is_read_from_its_answer(graph: Graph, client: GraphClient) -> None:
    rows: list[tuple[object, Identity | None]] = [
        ([{"input": "+5511912345678", "wa_id": "551112345678"}], Identity(phone="551112345678")),
        ([{"input": "US.1", "user_id": "US.1"}], Identity(user_id="US.1")),
        ([{"input": "+1555", "wa_id": "+15550001111", "user_id": "US.1"}], Identity(user_id="US.1", phone="15550001111")),
        ([{"input": "+1555"}], None),
        ([{"wa_id": "15550001111"}, {"wa_id": "15550002222"}], None),
        ([], None),
        ("odd", None),
        ([17], None),
        (None, None),
    ]
    for contacts, recipient in rows:
        graph.answers(200, {**ACCEPTED, "contacts": contacts})
        accepted = await client.send(BODY)
        assert (accepted.external_id, accepted.recipient) == ("wamid.accepted", recipient), contacts
    template = {"messages": [{"id": "wamid.held", "message_status": "paused"}], "contacts": [{"wa_id": "15550001111"}]}
    graph.answers(200, template)
    held = await client.send(BODY)
    assert (type(held).__name__, held.external_id, held.recipient) == (
        "TemplatePaused",
        "wamid.held",
        Identity(phone="15550001111"),
    )


async def test_the_channel_sends_a_part_through_it(graph: Graph, make_channel: Callable[..., WhatsAppChannel]) -> None:
    channel = make_channel(graph_url=graph.url)
    await channel.open()
    try:
        to = Identity(phone="15550001111")
        accepted = await channel.send(OutboundMessage("p1", "c1", channel.account, to, "text", "Hello", "reply"), "p1.1")
    finally:
        await channel.close()
    assert accepted.external_id == "wamid.accepted"
    assert graph.calls[0][2]["biz_opaque_callback_data"] == "p1.1"


# answers


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, 190, ChannelUnavailable),
        (400, 131056, NotSent),
        (400, 131047, ReplyWindowClosed),
        (500, 131000, DeliveryUnknown),
        (503, 2, NotSent),
    ],
)
async def test_an_error_of_meta_leads_to_what_its_code_says(
    status: int, code: int, expected: type[SaraError], graph: Graph, client: GraphClient
) -> None:
    graph.answers(status, {"error": {"code": code, "message": f"Malformed access token {TOKEN}"}})
    assert type(await failure(client)) is expected
    assert len(graph.calls) == 1


@pytest.mark.parametrize("header", ["17", " 17 "])
async def test_the_wait_that_meta_asks_for_is_kept(header: str, graph: Graph, client: GraphClient) -> None:
    graph.answers(429, None, {"Retry-After": header})
    error = await failure(client)
    assert isinstance(error, NotSent)
    assert (error.scope, error.after) == ("channel", 17_000)


@pytest.mark.parametrize(
    ("until", "after"),
    [
        ("Wed, 21 Oct 2026 07:28:17 GMT", 17_000),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 5_000),
        ("Thu, 22 Oct 2026 07:28:00 GMT", 3_600_000),
        ("Wed, 21 Oct 2026 07:28:17", 5_000),
        ("Wed, 99 Oct 2026 07:28:17 GMT", 5_000),
    ],
)
async def test_a_date_until_which_to_wait_counts_from_the_answers_own(
    until: str, after: int, graph: Graph, client: GraphClient
) -> None:
    graph.answers(429, None, {"Retry-After": until, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"})
    error = await failure(client)
    assert isinstance(error, NotSent)
    assert error.after == after


@each_row(
    ("header", "after"), [("soon", 5_000), ("0", 5_000), ("-1", 5_000), ("1.5", 5_000), ("9" * 40, 5_000), ("999999", 3_600_000)]
)
async def test_an_absurd_wait_is_not(header: str, after: int, graph: Graph, client: GraphClient) -> None:
    graph.answers(429, None, {"Retry-After": header})
    error = await failure(client)
    assert isinstance(error, NotSent)
    assert error.after == after


@each_row(
    "body",
    [
        pytest.param(b"<html>OK</html>", id="HTML"),
        pytest.param(b"", id="empty"),
        pytest.param({}, id="no messages"),
        pytest.param({"messages": []}, id="empty messages"),
        pytest.param({"messages": {}}, id="messages are an object"),
        pytest.param({"messages": [None]}, id="message is null"),
        pytest.param({"messages": [{"id": 5}]}, id="id is a number"),
        pytest.param({"messages": [{"id": ""}]}, id="id is empty"),
        pytest.param([ACCEPTED], id="list"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b'{"messages":[{"id":"\xff"}]}', id="not UTF-8"),
        pytest.param(b" " * (1 << 21) + json.dumps(ACCEPTED).encode(), id="larger than any answer"),
    ],
)
async def test_a_200_that_names_no_message_leaves_doubt(body: Any, graph: Graph, client: GraphClient) -> None:
    graph.answers(200, body)
    assert type(await failure(client)) is DeliveryUnknown


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_without_a_code_leaves_doubt(status: int, graph: Graph, client: GraphClient) -> None:
    graph.answers(status, b"<html><h1>Bad gateway</h1></html>")
    assert type(await failure(client)) is DeliveryUnknown


async def test_a_redirect_is_not_followed(graph: Graph, client: GraphClient) -> None:
    graph.answers(307, None, {"Location": f"{graph.url}/elsewhere"})
    assert type(await failure(client)) is ChannelUnavailable
    assert len(graph.calls) == 1


# never left


async def test_a_refused_connection_means_not_sent(make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can have it
        client = await make_client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        error = await failure(client)
    assert isinstance(error, NotSent)
    assert error.scope == "message"


async def test_an_unknown_host_means_not_sent(make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    client = await make_client("https://graph.invalid")
    assert type(await failure(client)) is NotSent


async def test_a_failed_handshake_means_not_sent(graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    client = await make_client(graph.url.replace("http://", "https://"))
    assert type(await failure(client)) is NotSent
    assert graph.calls == []


async def test_a_connection_that_never_stands_means_not_sent(make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    with socket.socket() as silent:  # accepts at the kernel's door, but never speaks TLS
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = await make_client(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        assert type(await failure(client)) is NotSent


async def test_a_closed_channel_sends_nothing(graph: Graph, client: GraphClient) -> None:
    await client.close()
    assert type(await failure(client)) is NotSent
    await client.close()
    assert graph.calls == []


# may have left


@pytest.fixture
async def rude() -> AsyncIterator[Callable[[bytes, bool], Awaitable[str]]]:
    """A server that reads the whole request, says something or nothing, and hangs up."""
    servers = []

    async def start(answer: bytes, reset: bool) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(answer)
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            else:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return "http://{}:{}".format(*server.sockets[0].getsockname())

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing said"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="cut in the head"),
        pytest.param(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"messages":', id="cut in the body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="not HTTP"),
    ],
)
async def test_a_connection_lost_after_the_request_leaves_doubt(
    answer: bytes, reset: bool, rude: Callable[[bytes, bool], Awaitable[str]], make_client: Callable[..., Awaitable[GraphClient]]
) -> None:
    client = await make_client(await rude(answer, reset))
    assert type(await failure(client)) is DeliveryUnknown


async def test_an_answer_that_never_comes_leaves_doubt(graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    graph.answer = never
    client = await make_client(graph.url, timeout=0.3)
    assert type(await failure(client)) is DeliveryUnknown
    assert asked.is_set()
    assert len(graph.calls) == 1


async def test_a_cancelled_send_stays_cancelled(graph: Graph, client: GraphClient) -> None:
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    graph.answer = never
    sending = asyncio.ensure_future(client.send(BODY))
    await asyncio.wait_for(asked.wait(), patience(5))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


# pace


async def test_a_message_that_would_wait_long_makes_the_whole_channel_wait_instead(
    graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]
) -> None:
    client = await make_client(graph.url, per_second=0.2)
    await client.send(BODY)
    error = await failure(client)
    assert isinstance(error, NotSent)
    assert error.scope == "channel"
    assert error.after is not None
    assert 4_000 < error.after <= 5_000
    assert len(graph.calls) == 1


async def test_whoever_was_told_to_wait_takes_nobodys_turn(
    graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]
) -> None:
    client = await make_client(graph.url, per_second=0.2)
    await client.send(BODY)
    waits = [await failure(client) for _ in range(3)]
    assert all(isinstance(error, NotSent) and (error.after or 0) <= 5_000 for error in waits)


# what is no message


async def test_a_read_mark_is_posted_where_messages_are(graph: Graph, client: GraphClient) -> None:
    graph.answers(200, {"success": True})
    await client.send_signal({"status": "read"})
    assert [(path, body) for path, _, body in graph.calls] == [("/v26.0/109000000000555/messages", {"status": "read"})]


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_refused_read_mark_is_told_without_the_token(status: int, graph: Graph, client: GraphClient) -> None:
    graph.answers(status, {"error": {"code": 131009, "message": f"no such message, {TOKEN}"}})
    with pytest.raises(SaraError) as caught:
        await client.send_signal({})
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


async def test_signs_are_no_messages_for_the_pace(graph: Graph, make_client: Callable[..., Awaitable[GraphClient]]) -> None:
    client = await make_client(graph.url, per_second=0.2)
    graph.answers(200, {"success": True})
    for _ in range(5):
        await client.send_signal({})
    assert len(graph.calls) == 5


async def test_a_node_is_read_with_its_query(graph: Graph, client: GraphClient) -> None:
    graph.answers(200, {"id": "5", "echo": f"of {TOKEN}"})
    assert await client.get_node("5", {"fields": "id,echo"}) == GraphResponse(200, {"id": "5", "echo": "of …"})
    ((path, headers, _),) = graph.calls
    assert (path, headers["Authorization"]) == ("/v26.0/5?fields=id,echo", f"Bearer {TOKEN}")


@each_row(
    ("headers", "expected"),
    [
        ({}, (0, 0)),
        ({"X-App-Usage": '{"call_count": 28, "total_time": 95, "total_cputime": 3}'}, (95, 0)),
        (
            {
                "X-Business-Use-Case-Usage": '{"104": [{"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": 7}]}'
            },
            (100, 420_000),
        ),
        ({"X-App-Usage": "{"}, (0, 0)),
        ({"X-App-Usage": "[1]"}, (0, 0)),
        ({"X-App-Usage": '{"call_count": "many", "total_time": true, "total_cputime": -1}'}, (0, 0)),
        ({"X-Business-Use-Case-Usage": '{"104": 5, "105": [6, {"call_count": 9e99}]}'}, (0, 0)),
    ],
)
def test_what_is_left_of_metas_limit_is_read_from_the_headers(headers: dict[str, str], expected: tuple[int, int]) -> None:
    assert read_usage(headers) == expected


# uploads


async def upload(client: GraphClient) -> str:
    return await client.upload(io.BytesIO(b"%PDF-1.7"), "application/pdf", "file.pdf")


async def test_a_file_is_uploaded_with_its_type(graph: Graph, client: GraphClient) -> None:
    graph.answers(200, {"id": "4490709327384033"})
    assert await upload(client) == "4490709327384033"
    ((path, headers, raw),) = graph.calls
    assert path == "/v26.0/109000000000555/media"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"].startswith("multipart/form-data")
    for piece in (b'name="messaging_product"', b'name="type"', b'name="file"; filename="file.pdf"', b"%PDF-1.7"):
        assert piece in raw
    assert b"Content-Type: application/pdf" in raw


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {}, NotSent),
        (200, b"<html>", NotSent),
        (200, {"error": {"code": 131053}}, FileRejected),
        (400, {"error": {"code": 100}}, Rejected),
        (401, {"error": {"code": 190}}, ChannelUnavailable),
        (400, {"error": {"code": 80007}}, NotSent),
        (500, {"error": {"code": 131000}}, NotSent),
        (502, b"<html>", NotSent),
    ],
)
async def test_a_failed_upload_never_leaves_doubt(
    status: int, body: Any, expected: type[SaraError], graph: Graph, client: GraphClient
) -> None:
    graph.answers(status, body)
    with pytest.raises(SaraError) as caught:
        await upload(client)
    assert type(caught.value) is expected


async def test_an_upload_that_is_cut_off_leaves_no_doubt(
    rude: Callable[[bytes, bool], Awaitable[str]], make_client: Callable[..., Awaitable[GraphClient]]
) -> None:
    client = await make_client(await rude(b"", True))
    with pytest.raises(NotSent) as caught:
        await upload(client)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
