"""A listener with a bounded number of connections, altogether and per address, that never decompresses a request body."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

from aiohttp import web

from sara.web.counted_log import CountedLog

Network: TypeAlias = IPv4Network | IPv6Network

MOST_CONNECTIONS = 1_024
"""Connections of a listener at once, where the process may have twice as many files open; otherwise half of those."""

HEADERS_WITHIN_S = 5.0
"""A connection is closed if the headers of its first request are not complete after this time."""

KEEPALIVE_S = 15.0
"""The same for each further request, counted from the previous answer; aiohttp's own default is over an hour."""

LINGER_S = 1.0
"""How long an unread body is received and dropped after its request was answered, so that the sender can read the answer."""

NOSNIFF = ("X-Content-Type-Options", "nosniff")
FULL = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n{': '.join(NOSNIFF)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
).encode()


def most_connections() -> int:
    """Return how many connections leave enough open files for the database, the provider and the AI."""
    return min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Maximum numbers of connections of a listener. `per_address` does not apply to trusted proxies, whose connections carry the
    requests of many clients."""

    total: int = MOST_CONNECTIONS
    per_address: int | None = None
    trusted_proxies: Sequence[Network] = ()

    def limit_of(self, peer: str) -> int:
        """Return how many connections the peer may hold."""
        if self.per_address is None or not peer:
            return self.total
        address = _address(peer)
        if any(address in network for network in self.trusted_proxies):
            return self.total
        return min(self.per_address, self.total)


def _address(peer: str) -> IPv4Address | IPv6Address:
    address = ip_address(peer.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def client_key(peer: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network of an IPv6 address, all of which one client has."""
    if not peer:
        return peer
    address = _address(peer)
    return str(ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


class LimitedRunner(web.AppRunner):
    """An application's runner that answers 503 to a connection beyond the limits and closes it."""

    def __init__(self, app: web.Application, limits: ConnectionLimits) -> None:
        super().__init__(app, handle_signals=False, shutdown_timeout=1)
        self._limits = limits
        self._open: Counter[str] = Counter()
        self._refused = CountedLog("sara.web", "connections_refused")

    @property
    def server(self) -> Any:
        """Return the factory of protocols, one for each new connection."""
        return None if super().server is None else lambda: _Admission(self)

    def admit(self, peer: str) -> _Connection | None:
        """Return the protocol for a new connection of the peer; None where a limit is reached."""
        server = super().server
        assert server is not None  # noqa: S101  # connections come in after `setup`
        client = client_key(peer)
        if len(server.connections) >= self._limits.total or self._open[client] >= self._limits.limit_of(peer):
            self._refused.add(peer=peer, open_from_peer=self._open[client], open=len(server.connections))
            return None
        self._open[client] += 1
        return _Connection(server, lambda: self._forget(client))

    def _forget(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class _Admission(asyncio.Protocol):
    """The first protocol of each connection: it knows the peer, and passes the transport on or closes it."""

    def __init__(self, door: LimitedRunner) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a listener's transports are
        connection = self._door.admit((transport.get_extra_info("peername") or ("",))[0])
        if connection is None:
            transport.write(FULL)
            transport.close()
            return
        transport.set_protocol(connection)
        connection.connection_made(transport)


class _Connection(web.RequestHandler):
    """aiohttp's protocol with SARA's limits and headers."""

    def __init__(self, server: web.Server, on_lost: Callable[[], None]) -> None:
        # Built here and not by `server`, which silently falls back to aiohttp's defaults when it does not know an option.
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # documented: None switches it off
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGER_S,
            # aiohttp decompresses on the loop, also the bodies of requests that are refused.
            auto_decompress=False,
        )
        self._on_lost = on_lost
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._headers_due = asyncio.get_running_loop().call_later(HEADERS_WITHIN_S, self._close_without_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._headers_due is not None:
            self._headers_due.cancel()
        self._on_lost()

    def _close_without_request(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        # aiohttp's own message quotes the bytes that it could not parse, which may hold a token.
        return super().handle_error(request, status, exc, message and HTTPStatus(status).phrase)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        # Every answer passes here, also aiohttp's own to a request that it could not parse.
        if not isinstance(resp, web.StreamResponse):
            resp = self.handle_error(request, 500, TypeError(f"the handler returned {type(resp).__name__} and no response"))
        if isinstance(resp, web.HTTPExpectationFailed):
            resp.text = resp.reason  # aiohttp's own text quotes the header
        if not resp.prepared:
            resp.headers.setdefault(*NOSNIFF)
        return await super().finish_response(request, resp, start_time)
