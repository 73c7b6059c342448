"""Files that customers send: fetched from Meta alone, and the token is shown to nobody else."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sara_whatsapp.api import media_download
from sara_whatsapp.api.client import GraphClient
from sara_whatsapp.api.media_download import MediaDownloader, is_public
from sara_whatsapp.channel import WhatsAppChannel
from structlog.testing import capture_logs
from yarl import URL

from sara import Attachment, GiveUp, RetryLater, SaraError, Secret
from tests.patience import patience
from tests.rows import each_row

TOKEN = "EAAinventedtoken"
NUMBER = "109000000000555"
BYTES = bytes(range(256)) * 1_024
PHOTO = Attachment("image", "image/jpeg", "4490709327384033")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Host:
    """Another end: what it answers is set by path, what it was asked is kept."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None]] = []
        self.answers: dict[str, list[Handler]] = {}
        self.agents: set[str | None] = set()
        self.url = ""

    def on(self, path: str, *answers: Handler) -> None:
        """Answer in turn; the last one for ever."""
        self.answers[path] = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.path_qs, request.headers.get("Authorization")))
        self.agents.add(request.headers.get("User-Agent"))
        answers = self.answers.get(request.path)
        if not answers:
            return web.Response(status=404)
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)

    @property
    def paths(self) -> list[str]:
        return [path.partition("?")[0] for path, _ in self.calls]


def says(status: int = 200, body: bytes = b"", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={key.replace("_", "-"): value for key, value in headers.items()})

    return answer


def node(url: str, **more: Any) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"messaging_product": "whatsapp", "id": PHOTO.reference, "url": url} | more)

    return answer


def error(status: int, code: int, **more: Any) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": code, "message": f"about {TOKEN}"} | more}, status=status)

    return answer


NODE = f"/v26.0/{PHOTO.reference}"


@pytest.fixture
async def make_host() -> AsyncIterator[Callable[[], Awaitable[Host]]]:
    async with AsyncExitStack() as ending:

        async def make() -> Host:
            host = Host()
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", host.handle)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            ending.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host.url = "http://{}:{}".format(*runner.addresses[0][:2])
            return host

        yield make


@pytest.fixture
async def host(make_host: Callable[[], Awaitable[Host]]) -> Host:
    """The simulated Meta: its Graph API and its files on one address."""
    host = await make_host()
    host.on(NODE, node(f"{host.url}/file?hash=a%2Fb"))
    host.on("/file", says(200, BYTES))
    return host


@pytest.fixture
async def make_downloads() -> AsyncIterator[Callable[..., Awaitable[MediaDownloader]]]:
    async with AsyncExitStack() as ending:

        async def make(url: str, is_loopback: bool = True) -> MediaDownloader:
            graph = GraphClient(url, "v26.0", NUMBER, Secret(TOKEN))
            downloads = MediaDownloader(graph, url, NUMBER, Secret(TOKEN), is_loopback=is_loopback)
            for each in (graph, downloads):
                await each.open()
                ending.push_async_callback(each.close)
            return downloads

        yield make


@pytest.fixture
async def downloads(host: Host, make_downloads: Callable[..., Awaitable[MediaDownloader]]) -> MediaDownloader:
    return await make_downloads(host.url)


async def fetched(downloads: MediaDownloader, attachment: Attachment = PHOTO) -> bytes:
    return b"".join([chunk async for chunk in downloads.fetch(attachment)])


async def failure(downloads: MediaDownloader, attachment: Attachment = PHOTO) -> SaraError:
    with pytest.raises(SaraError) as caught:
        await fetched(downloads, attachment)
    # Whoever prints the whole chain must not print the token.
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


def with_url(url: str) -> Attachment:
    return Attachment("image", "image/jpeg", PHOTO.reference, url=url)


# two steps


async def test_a_file_is_fetched_by_its_id_with_the_token_in_both_steps(host: Host, downloads: MediaDownloader) -> None:
    assert await fetched(downloads) == BYTES
    assert host.calls == [(f"{NODE}?phone_number_id={NUMBER}", f"Bearer {TOKEN}"), ("/file?hash=a%2Fb", f"Bearer {TOKEN}")]
    assert host.agents == {"SARA"}


async def test_the_channel_fetches_through_it(host: Host, make_channel: Callable[..., WhatsAppChannel]) -> None:
    channel = make_channel(graph_url=host.url)
    await channel.open()
    try:
        assert b"".join([chunk async for chunk in channel.fetch(PHOTO)]) == BYTES
    finally:
        await channel.close()


async def test_a_large_file_comes_in_chunks(host: Host, downloads: MediaDownloader) -> None:
    sizes = [len(chunk) async for chunk in downloads.fetch(PHOTO)]
    assert sum(sizes) == len(BYTES)
    assert max(sizes) <= 1 << 16


async def test_an_address_that_came_with_the_message_saves_the_first_step(host: Host, downloads: MediaDownloader) -> None:
    assert await fetched(downloads, with_url(f"{host.url}/file")) == BYTES
    assert host.paths == ["/file"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_address_that_has_grown_old_is_replaced_by_a_fresh_one(
    status: int, host: Host, downloads: MediaDownloader
) -> None:
    host.on("/old", says(status))
    assert await fetched(downloads, with_url(f"{host.url}/old")) == BYTES
    assert host.paths == ["/old", NODE, "/file"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says(408), id="408"),
        pytest.param(says(429), id="429"),
        pytest.param(says(500), id="500"),
        pytest.param(says(503), id="503"),
        pytest.param(says(302, Location="https://www.facebook.com/login"), id="a redirect to a stranger"),
        pytest.param(says(302, Location="/old"), id="a circle"),
        pytest.param(says(200, b"<html>log in</html>", Content_Type="text/html"), id="a page"),
    ],
)
async def test_whatever_is_wrong_with_the_address_that_came_along_the_id_leads_to_the_file(
    answer: Handler, host: Host, downloads: MediaDownloader
) -> None:
    host.on("/old", answer)
    assert await fetched(downloads, with_url(f"{host.url}/old")) == BYTES
    assert host.paths[-2:] == [NODE, "/file"]


async def test_where_the_address_that_came_along_is_not_to_be_reached_the_id_leads_to_the_file(
    host: Host, downloads: MediaDownloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = downloads._ask

    async def ask(url: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        if url.path == "/old":
            raise RetryLater("no connection")
        return await really(url, headers)

    monkeypatch.setattr(downloads, "_ask", ask)
    assert await fetched(downloads, with_url(f"{host.url}/old")) == BYTES


async def test_a_page_is_a_file_where_a_page_was_sent(host: Host, downloads: MediaDownloader) -> None:
    host.on("/old", says(200, b"<html>", Content_Type="text/html"))
    page = Attachment("document", "text/html", PHOTO.reference, url=f"{host.url}/old")
    assert await fetched(downloads, page) == b"<html>"


async def test_an_address_that_is_not_metas_is_not_tried(
    host: Host, make_host: Callable[[], Awaitable[Host]], downloads: MediaDownloader
) -> None:
    stranger = await make_host()
    assert await fetched(downloads, with_url(f"{stranger.url}/file")) == BYTES
    assert stranger.calls == []


async def test_a_file_that_is_not_there_is_asked_for_once_more_and_then_given_up(host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(404))
    assert type(await failure(downloads)) is GiveUp
    assert host.paths == [NODE, "/file", NODE, "/file"]


async def test_a_file_that_appears_at_the_fresh_address_is_taken(host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(404), says(200, BYTES))
    assert await fetched(downloads) == BYTES


@pytest.mark.parametrize("status", [401, 403])
async def test_a_file_that_the_token_does_not_open_may_come_later(status: int, host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(status))
    assert type(await failure(downloads)) is RetryLater


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_trouble_at_the_file_host_is_waited_out(status: int, host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(status, Retry_After="7"))
    caught = await failure(downloads)
    assert isinstance(caught, RetryLater)
    assert caught.after == 7_000
    assert host.paths == [NODE, "/file"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(error(400, 100, error_subcode=33), GiveUp, id="the id has expired"),
        pytest.param(error(401, 190), RetryLater, id="the token has expired"),
        pytest.param(error(403, 10), RetryLater, id="a permission is missing"),
        pytest.param(error(400, 4), RetryLater, id="too many calls"),
        pytest.param(error(500, 131000), RetryLater, id="unknown"),
        pytest.param(says(502, b"<html>"), RetryLater, id="a gateway in between"),
        pytest.param(says(404), RetryLater, id="not Meta"),
        pytest.param(says(200, b"<html>"), RetryLater, id="no JSON"),
        pytest.param(says(200, b"{}"), RetryLater, id="no address"),
        pytest.param(says(200, b'{"url": 5}'), RetryLater, id="an address that is a number"),
    ],
)
async def test_a_question_that_fails_says_whether_to_ask_again(
    answer: Handler, expected: type[SaraError], host: Host, downloads: MediaDownloader
) -> None:
    host.on(NODE, answer)
    assert type(await failure(downloads)) is expected


@each_row("reference", ["", "../me", "1/2", "1?fields=id", "1#", "a b", "é", "1" * 257])
async def test_what_is_no_media_id_is_asked_for_nowhere(reference: str, host: Host, downloads: MediaDownloader) -> None:
    assert type(await failure(downloads, Attachment("image", "image/jpeg", reference))) is GiveUp
    assert host.calls == []


async def test_a_connection_that_breaks_in_the_file_is_told(host: Host, downloads: MediaDownloader) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(BYTES))})
        await response.prepare(request)
        await response.write(BYTES[:1_000])
        assert request.transport is not None
        request.transport.close()
        return response

    host.on("/file", half)
    assert type(await failure(downloads)) is RetryLater


async def test_a_refused_connection_may_work_later(make_downloads: Callable[..., Awaitable[MediaDownloader]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can have it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        downloads = await make_downloads(url)
        assert type(await failure(downloads)) is RetryLater
        assert type(await failure(downloads, with_url(f"{url}/file"))) is RetryLater


async def test_a_closed_channel_fetches_nothing(host: Host, downloads: MediaDownloader) -> None:
    await downloads.close()
    assert type(await failure(downloads, with_url(f"{host.url}/file"))) is RetryLater


async def test_a_reader_that_stops_halfway_frees_the_connection(host: Host, downloads: MediaDownloader) -> None:
    for _ in range(40):  # more than there are connections
        async with asyncio.timeout(patience(5)), aclosing(downloads.fetch(PHOTO)) as chunks:
            async for _ in chunks:
                break


async def test_nothing_is_unpacked(host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(200, b"not really gzip", Content_Encoding="gzip"))
    assert await fetched(downloads) == b"not really gzip"


# size


@pytest.mark.parametrize("size", [100_000_001, "100000001", "9" * 5_000])
async def test_a_file_that_says_it_is_too_large_is_not_asked_for(size: Any, host: Host, downloads: MediaDownloader) -> None:
    host.on(NODE, node(f"{host.url}/file", file_size=size))
    assert type(await failure(downloads)) is GiveUp
    assert host.paths == [NODE]


@pytest.mark.parametrize("size", [len(BYTES), str(len(BYTES)), None, "many", "²", -1, True, {}])
async def test_a_file_that_names_a_bearable_size_or_none_is_fetched(size: Any, host: Host, downloads: MediaDownloader) -> None:
    host.on(NODE, node(f"{host.url}/file", file_size=size))
    assert await fetched(downloads) == BYTES


async def test_a_file_whose_answer_is_too_large_is_not_read(
    host: Host, downloads: MediaDownloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_download, "MAX_FILE_BYTES", len(BYTES) - 1)
    assert type(await failure(downloads)) is GiveUp
    assert host.paths == [NODE, "/file"]


async def test_a_file_that_grows_too_large_is_given_up(
    host: Host, downloads: MediaDownloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(BYTES)

    monkeypatch.setattr(media_download, "MAX_FILE_BYTES", 1_000_000)
    host.on("/file", endless)
    assert type(await failure(downloads)) is GiveUp


# only Meta


@pytest.mark.parametrize(
    "url",
    [
        "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=ARx%2By",
        "https://LOOKASIDE.FBSBX.COM/a",
        "https://lookaside.fbsbx.com:443/a",
        "https://scontent-fra3-1.xx.fbcdn.net/a",
        "https://mmg.whatsapp.net/a",
    ],
)
async def test_metas_own_hosts_are_asked(
    url: str, host: Host, make_downloads: Callable[..., Awaitable[MediaDownloader]], monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = await make_downloads(host.url, is_loopback=False)
    host.on(NODE, error(400, 100))
    asked: list[tuple[str, dict[str, str]]] = []

    async def ask(url: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        asked.append((str(url), headers))
        raise RetryLater("seen")

    monkeypatch.setattr(downloads, "_ask", ask)
    await failure(downloads, with_url(url))
    assert len(asked) == 1
    assert asked[0][0].lower() == url.lower().replace(":443", "")
    assert asked[0][1] == {"Authorization": f"Bearer {TOKEN}"}


@each_row(
    "url",
    [
        "http://lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com:8443/a",
        "https://user@lookaside.fbsbx.com/a",
        "https://user:word@lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com.example.org/a",
        "https://example.org/lookaside.fbsbx.com",
        "https://example.org#.fbsbx.com",
        "https://example.org\\.fbsbx.com/a",
        "https://example.org?.fbsbx.com",
        "https://evilfbsbx.com/a",
        "https://fbsbx.com/a",
        "https://lookaside.fbsbx.com./a",
        "https://157.240.0.1/a",
        "https://[2a03:2880::1]/a",
        "https://127.0.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/a",
        "https://exämple.fbsbx.com/a",
        "https://lookaside.fbsbx.com/a b",
        "https://lookaside.fbsbx.com/a\r\nHost: example.org",
        "ftp://lookaside.fbsbx.com/a",
        "file:///etc/passwd",
        "//lookaside.fbsbx.com/a",
        "lookaside.fbsbx.com/a",
        "https://",
        "https://[",
        "https://lookaside.fbsbx.com:99999/",
        "",
        "https://lookaside.fbsbx.com/" + "a" * 5_000,
    ],
)
async def test_any_other_address_is_neither_asked_nor_shown_the_token(
    url: str, host: Host, downloads: MediaDownloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(url: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        raise AssertionError(url)

    monkeypatch.setattr(downloads, "_ask", ask)
    host.on(NODE, node(url))
    assert type(await failure(downloads)) is (GiveUp if url else RetryLater)


@pytest.mark.parametrize("url", ["https://lookaside.fbsbx.com/a", "https://scontent.fbcdn.net/a"])
async def test_with_a_simulator_nothing_but_its_own_address_is_asked_not_even_meta(
    url: str, host: Host, downloads: MediaDownloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(url: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        raise AssertionError(url)

    monkeypatch.setattr(downloads, "_ask", ask)
    host.on(NODE, node(url))
    assert type(await failure(downloads, with_url(url))) is GiveUp


async def test_with_a_simulator_nothing_but_its_own_port_is_dialled(
    host: Host, make_host: Callable[[], Awaitable[Host]], downloads: MediaDownloader
) -> None:
    other = await make_host()
    with pytest.raises(RetryLater, match="not a public one"):
        await downloads._ask(URL(other.url), {})
    assert other.calls == []


async def test_without_a_simulator_loopback_is_like_any_other_stranger(
    host: Host, make_downloads: Callable[..., Awaitable[MediaDownloader]]
) -> None:
    downloads = await make_downloads(host.url, is_loopback=False)
    assert type(await failure(downloads)) is GiveUp
    assert host.paths == [NODE]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd00::1"])
async def test_a_name_of_metas_that_leads_to_a_private_address_is_not_dialled(
    address: str, make_downloads: Callable[..., Awaitable[MediaDownloader]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lead(name: str, port: int, **_: Any) -> list[Any]:
        assert name == "lookaside.fbsbx.com"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, socket.SOCK_STREAM, 6, "", where)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lead)
    downloads = await make_downloads("https://graph.facebook.com", is_loopback=False)
    with pytest.raises(RetryLater, match="not a public one"):
        await downloads._ask(URL("https://lookaside.fbsbx.com/a"), {})


@each_row("address", ["31.13.92.1", "157.240.0.1", "2a03:2880:f0::1", "64:ff9b::1f0d:5c01"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@each_row(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.0.1"),
        *("224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff0e::1"),
        *("::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
def test_an_address_of_a_local_net_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


# redirects


async def test_a_redirect_to_the_same_host_is_followed(host: Host, downloads: MediaDownloader) -> None:
    host.on("/moved", says(302, Location="/file"))
    assert await fetched(downloads, with_url(f"{host.url}/moved")) == BYTES


async def test_a_redirect_to_another_host_is_not_followed(
    host: Host, make_host: Callable[[], Awaitable[Host]], downloads: MediaDownloader
) -> None:
    stranger = await make_host()
    host.on("/file", says(302, Location=f"{stranger.url}/file"))
    assert type(await failure(downloads)) is GiveUp
    assert stranger.calls == []


async def test_a_redirect_to_another_host_of_metas_takes_no_token_along(
    host: Host, make_downloads: Callable[..., Awaitable[MediaDownloader]], monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = await make_downloads(host.url, is_loopback=False)
    asked: list[tuple[str, bool]] = []

    async def ask(url: Any, headers: dict[str, str]) -> aiohttp.ClientResponse:
        asked.append((url.host, "Authorization" in headers))
        if url.host.endswith(".fbcdn.net"):
            raise RetryLater("seen")
        return await really.get(f"{host.url}/moved", allow_redirects=False)

    monkeypatch.setattr(downloads, "_ask", ask)
    host.on(NODE, node("https://lookaside.fbsbx.com/a"))
    host.on("/moved", says(302, Location="https://scontent.fbcdn.net/a"))
    async with aiohttp.ClientSession() as really:
        await failure(downloads)
    assert asked == [("lookaside.fbsbx.com", True), ("scontent.fbcdn.net", False)]


async def test_redirects_in_a_circle_end(host: Host, downloads: MediaDownloader) -> None:
    host.on("/file", says(302, Location="/file"))
    assert type(await failure(downloads)) is RetryLater
    assert len(host.calls) < 10


async def test_nothing_of_a_file_is_logged(host: Host, downloads: MediaDownloader) -> None:
    with capture_logs() as logs:
        await fetched(downloads)
        host.on("/file", says(404))
        await failure(downloads)
    assert logs == []
