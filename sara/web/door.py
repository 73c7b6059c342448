"""A listener that keeps no more connections than it can serve."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from aiohttp import web

MOST_CONNECTIONS = 1_024
"""Connections of a listener at once, where the process may have twice as many files open; otherwise half of those."""

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def most_connections() -> int:
    """How many connections leave enough files for the database, the provider and the AI."""
    return min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


class Door(web.AppRunner):
    """An application's runner; whoever comes when it is full is told so at once and sent away."""

    def __init__(self, app: web.Application, most: int, **options: Any) -> None:
        super().__init__(app, **options)
        self._most = most

    @property
    def server(self) -> Any:
        """What makes a protocol for each new connection."""
        server = super().server
        return None if server is None else lambda: _Away() if len(server.connections) >= self._most else server()


class _Away(asyncio.Protocol):
    """Says that it is full, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a listener's transports are
        transport.write(FULL)
        transport.close()
