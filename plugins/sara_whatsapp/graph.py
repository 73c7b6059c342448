"""Meta's Graph API over HTTP: one session, one attempt per call, and a clear word on whether anything left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from sara import Accepted, InDoubt, Millis, NotSent, SaraError, Secret
from sara_whatsapp.codes import classify
from sara_whatsapp.wire import Unreadable, decode, listed, mapping

_LARGEST_ANSWER = 1 << 20
_CONNECT_S = 10.0
_KEEPALIVE_S = 10.0  # a connection that was idle for longer may be half closed: a false doubt on every POST
_CONNECTIONS = 200
_LONGEST_WAIT_S = 3_600
_BURST_S = 0.25

# Raised before a connection stands, thus before a byte of the request can have left.
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end. `value` is its JSON; None where it is not JSON."""

    status: int
    value: Any
    retry_after: Millis | None


class Pace:
    """Spreads calls so that they stay within `per_second`; short bursts pass at once."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next free moment; return how many seconds away it is."""
        self._next = max(self._next + self._gap, now - _BURST_S)
        return max(0.0, self._next - now)


class GraphClient:
    """Sends messages from one business number. Never retries: whether to try again is the outbox's decision."""

    def __init__(
        self,
        graph_url: str,
        api_version: str,
        phone_number_id: str,
        token: Secret,
        *,
        per_second: float = 80,
        timeout: float = 30,
    ) -> None:
        self._messages_url = f"{graph_url}/{api_version}/{phone_number_id}/messages"
        self._token = token
        self._pace = Pace(per_second)
        # Connecting ends well before the whole call, so that a time-out there is never taken for one after sending.
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(_CONNECT_S, timeout / 2))
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session. No connection is opened yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            headers={"User-Agent": "SARA"},
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, body: Mapping[str, Any]) -> Accepted:
        """Post one message. Raises what `Channel.send` promises."""
        await asyncio.sleep(self._pace.reserve(asyncio.get_running_loop().time()))
        answer = await self._post(self._messages_url, body)
        if answer.status == 200 and (external_id := _message_id(answer.value)):
            return Accepted(external_id)
        if answer.status == 200 and not _error(answer.value):
            raise InDoubt("Meta answered 200 without a message id.")
        raise classify(answer.status, _hide(_error(answer.value), self._token.reveal()), answer.retry_after)

    async def _post(self, url: str, body: Mapping[str, Any]) -> Answer:
        session = self._session
        if session is None or session.closed:
            raise NotSent("The channel is closed.")
        data = json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Content-Type": "application/json"}
        outcome: SaraError
        try:
            async with session.post(url, data=data, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, await _json(response), _retry_after(response.headers.get("Retry-After")))
        except _NEVER_LEFT as error:
            outcome = NotSent(f"No connection to the Graph API: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = InDoubt(f"No answer from the Graph API: {type(error).__name__}")
        # Raised out here: aiohttp's own exceptions hold the request's headers, and the token with them.
        raise outcome


async def _json(response: aiohttp.ClientResponse) -> Any:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            response.close()
            return None
    try:
        return decode(bytes(body))
    except Unreadable:
        return None


def _message_id(value: Any) -> str | None:
    first = next(iter(listed(mapping(value).get("messages"))), None)
    found = mapping(first).get("id")
    return found if isinstance(found, str) and found else None


def _error(value: Any) -> dict[str, Any] | None:
    return mapping(mapping(value).get("error")) or None


def _hide(value: Any, token: str) -> Any:
    """Meta repeats a malformed token in its message."""
    if isinstance(value, str):
        return value.replace(token, "…")
    if isinstance(value, list):
        return [_hide(item, token) for item in value]
    if isinstance(value, dict):
        return {key: _hide(item, token) for key, item in value.items()}
    return value


def _retry_after(header: str | None) -> Millis | None:
    text = (header or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None  # Meta sends seconds; a date would need a clock that agrees with Meta's
    return min(int(text), _LONGEST_WAIT_S) * 1_000 or None
