"""Downloads the files that customers send, in two steps; the access token is shown to Meta's hosts only."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncGenerator, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from yarl import URL

from sara import Attachment, ChannelUnavailable, DeliveryUnknown, GiveUp, NotSent, RetryLater, SaraError, Secret
from sara_whatsapp.api.client import CONNECT_TIMEOUT_S, GraphClient, read_retry_after
from sara_whatsapp.webhook.safe_json import to_dict, to_text

MAX_FILE_BYTES = 100_000_000
"""Maximum size of a WhatsApp file."""

HOSTS = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net")
"""Meta's domains; files are at `lookaside.fbsbx.com` and other hosts below them."""

_CHUNK_BYTES = 1 << 16
_TOTAL_TIMEOUT_S, _READ_TIMEOUT_S = 300.0, 30.0  # an address is valid for five minutes
_MAX_CONNECTIONS = 16
_MAX_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_HTML = "text/html"
_MISSING_OBJECT_CODE = 100  # Meta's code for an object that does not exist
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HOST = re.compile(r"[a-z0-9.-]+")
_PLAIN = re.compile(r"[!-~]{1,4096}")
_NAT64 = IPv6Network("64:ff9b::/96")


class MediaDownloader:
    """Downloads files from Meta's hosts, or from the simulator only if the Graph API is one (`is_loopback`)."""

    def __init__(self, graph: GraphClient, graph_url: str, phone_number_id: str, token: Secret, *, is_loopback: bool) -> None:
        self._graph = graph
        self._number = phone_number_id
        self._token = token
        self._simulator_origin = URL(graph_url).origin() if is_loopback else None
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the session, without connecting yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, socket_factory=_make_socket_factory(self._simulator_origin)),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=_TOTAL_TIMEOUT_S, connect=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=_READ_TIMEOUT_S
            ),
            headers={"User-Agent": "SARA", "Accept-Encoding": "identity"},
            auto_decompress=False,  # the bytes as sent: a file that decompresses to more than its announced size is refused
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def fetch(self, attachment: Attachment) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file. Raises what `Channel.fetch` promises."""
        response = await self._open(attachment)
        outcome: SaraError
        try:
            size = 0
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_FILE_BYTES:
                    raise GiveUp(_TOO_LARGE)
                yield chunk
            return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            outcome = RetryLater(f"The download of a file was interrupted: {type(error).__name__}")
        finally:
            response.close()
        raise outcome

    async def _open(self, attachment: Attachment) -> aiohttp.ClientResponse:
        """Return the response whose body is the file.

        The address that came with the message is tried first; if it fails, the address is looked up by media id, twice if it has
        expired meanwhile.
        """
        hint = self._allowed(attachment.url) if attachment.url else None
        if hint is not None and (response := await self._try_hint(hint, attachment.mime)) is not None:
            return response
        status = 0
        for _ in range(2 if hint is None else 1):
            response = await self._get(await self._look_up_url(attachment.reference))
            if response.status == 200 and (response.content_length or 0) <= MAX_FILE_BYTES:
                return response
            response.close()
            status = response.status
            if status == 200:
                raise GiveUp(_TOO_LARGE)
        if status in _GONE:
            raise GiveUp("The file no longer exists at Meta.")
        raise RetryLater(f"Meta's file host answered {status}.")

    async def _try_hint(self, hint: URL, mime: str) -> aiohttp.ClientResponse | None:
        """Return the response at the address that came with the message; None if the file is not there."""
        try:
            response = await self._get(hint)
        except SaraError:
            return None
        page = response.content_type == _HTML and mime != _HTML  # e.g. a login page
        if response.status == 200 and (response.content_length or 0) <= MAX_FILE_BYTES and not page:
            return response
        response.close()
        return None

    async def _look_up_url(self, reference: str) -> URL:
        """Return the current address of a file, looked up by media id."""
        if not _REFERENCE.fullmatch(reference):
            raise GiveUp("The file's reference is not a media id.")
        outcome: SaraError
        try:
            answer = await self._graph.get_node(reference, {"phone_number_id": self._number})
        except (NotSent, DeliveryUnknown) as error:
            outcome = RetryLater(str(error))
        else:
            if answer.status == 200 and not answer.error:
                return self._read_location(to_dict(answer.value))
            gone = (answer.error or {}).get("code") == _MISSING_OBJECT_CODE
            outcome = GiveUp("Meta no longer has this file.") if gone else _to_fetch_error(answer.to_error())
        raise outcome

    def _read_location(self, node: dict[str, Any]) -> URL:
        size, url = to_text(node.get("file_size")), node.get("url")  # as a number or as its digits
        if size.isdecimal() and int(size[:20]) > MAX_FILE_BYTES:
            raise GiveUp(_TOO_LARGE)
        if not isinstance(url, str) or not url:
            raise RetryLater("Meta returned no address of the file.")
        if (allowed := self._allowed(url)) is None:
            raise GiveUp("The file's address is not on a host of Meta.")
        return allowed

    async def _get(self, url: URL) -> aiohttp.ClientResponse:
        """Request `url` and follow redirects between Meta's hosts; the token is sent to the first host only."""
        origin = url.origin()
        for _ in range(_MAX_HOPS):
            headers = {"Authorization": f"Bearer {self._token.reveal()}"} if url.origin() == origin else {}
            response = await self._ask(url, headers)
            if response.status not in _REDIRECTS:
                break
            response.close()
            following = self._allowed(response.headers.get("Location", ""), url)
            if following is None:
                raise GiveUp("The file's address redirects to a host that is not Meta's.")
            url = following
        else:
            raise RetryLater("The file's address redirects too often.")
        if response.status in (408, 429) or response.status >= 500:
            response.close()
            after = read_retry_after(response.headers)
            raise RetryLater(f"Meta's file host answered {response.status}.", after=after)
        return response

    async def _ask(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        session = self._session
        if session is None or session.closed:
            raise RetryLater("The channel is closed.")
        try:
            return await session.get(url, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError as error:
            outcome = RetryLater(f"No connection to Meta's file host: {error.os_error.strerror or type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = RetryLater(f"No answer from Meta's file host: {type(error).__name__}")
        # Raised outside the handler: aiohttp's exceptions hold the request's headers with the token.
        raise outcome

    def _allowed(self, text: str, base: URL | None = None) -> URL | None:
        """Return `text` as an address that may receive the token; None for any other address."""
        if not _PLAIN.fullmatch(text):
            return None
        try:
            # Unchanged: quoting it again could invalidate Meta's signature in it.
            url = URL(text, encoded=True)
            url = base.join(url) if base else url
            if not url.raw_host or url.raw_user is not None or url.raw_password is not None:
                return None
            if self._simulator_origin is not None:
                return url if url.origin() == self._simulator_origin else None
        except ValueError:
            return None
        host = url.raw_host.lower()
        if url.scheme == "https" and url.port == 443 and _HOST.fullmatch(host) and host.endswith(HOSTS):
            return url
        return None


_TOO_LARGE = f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB."


def _to_fetch_error(failure: SaraError) -> SaraError:
    """Return the exception of `fetch` for a failed lookup.

    An invalid token is a reason to wait here: the sending of messages reports it.
    """
    if isinstance(failure, NotSent):
        return RetryLater(str(failure), after=failure.after)
    if isinstance(failure, ChannelUnavailable | DeliveryUnknown):
        return RetryLater(str(failure))
    return GiveUp(str(failure))


def _make_socket_factory(simulator: URL | None) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return a socket factory that refuses addresses that are not public, or not the simulator's.

    The check is made on the address that is dialled, because a host name may resolve to another address each time.
    """

    def make(dialled: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, (host, port, *_) = dialled
        address = ip_address(str(host).partition("%")[0])
        if not is_public(address) if simulator is None else not (address.is_loopback and port == simulator.port):
            raise PermissionError(errno.EACCES, "the host's address is not a public one")
        return socket.socket(family, kind, proto)

    return make


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is a public unicast address, judged also by an IPv4 address that it contains."""
    if isinstance(address, IPv6Address):
        wrapped = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped or address.sixtofour
        if wrapped is not None:
            address = wrapped
    return address.is_global and not address.is_multicast
