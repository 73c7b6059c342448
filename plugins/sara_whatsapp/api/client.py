"""The HTTP client of Meta's Graph API: one session, one attempt per call, and an exact answer to whether a request was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any, BinaryIO

import aiohttp

from sara import DeliveryUnknown, Identity, Milliseconds, NotSent, SaraError, Secret, SendResult
from sara_whatsapp.api.error_codes import classify_error
from sara_whatsapp.api.rate_limit import RateLimiter
from sara_whatsapp.webhook.identities import read_identity
from sara_whatsapp.webhook.safe_json import InvalidJson, decode, read_id, to_dict, to_list, to_text

CONNECT_TIMEOUT_S = 10.0
_MAX_RESPONSE_BYTES = 1 << 20
_KEEPALIVE_S = 10.0  # a connection idle for longer may be half closed, which would make a POST's delivery unknown
_MAX_CONNECTIONS = 200
_MAX_RETRY_AFTER_S = 3_600
_USAGE_HEADERS = ("X-App-Usage", "X-Business-Use-Case-Usage")
_SIGNAL_TIMEOUT_S = 8.0  # these calls are optional, and the answer follows soon
_UPLOAD_TIMEOUT_S = 600.0
_MAX_LOCAL_WAIT_S = 3.0  # if the rate limit requires a longer wait, the whole lane waits instead of one call

# Raised before the connection is established, so that no byte of the request has left.
_NOT_SENT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class GraphResponse:
    """An HTTP response, read to its end.

    `value` is its JSON, None if it is not JSON. `used_percent` is the used share of the calls that Meta allows in an hour,
    `pause_ms` how long no further call should be made.
    """

    status: int
    value: Any
    retry_after: Milliseconds | None = None
    used_percent: int = 0
    pause_ms: Milliseconds = 0

    @property
    def error(self) -> dict[str, Any] | None:
        """Meta's error object; None if there is none."""
        return to_dict(to_dict(self.value).get("error")) or None

    def to_error(self) -> SaraError:
        """Return the exception that an unsuccessful response stands for."""
        return classify_error(self.status, self.error, self.retry_after)


@dataclass(frozen=True, slots=True)
class TemplatePaused(SendResult):
    """The result of a template that Meta accepted but does not send; `template_status` is Meta's reason."""

    template_status: str = ""


class GraphClient:
    """A client that acts for one business number.

    It never retries: that decision belongs to the caller.
    """

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
        self._base = f"{graph_url}/{api_version}"
        self._number = phone_number_id
        self._token = token
        self._rate_limiter = RateLimiter(per_second)
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the session, without connecting yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "SARA"},
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, body: Mapping[str, Any]) -> SendResult:
        """Send one message. Raises what `Channel.send` promises."""
        now = asyncio.get_running_loop().time()
        if (wait := self._rate_limiter.seconds_until_free(now)) > _MAX_LOCAL_WAIT_S:
            raise NotSent("The rate limit of this number is reached.", after=ceil(wait * 1_000), scope="channel")
        await asyncio.sleep(self._rate_limiter.reserve(now))
        answer = await self._post(body, self._timeout)
        if answer.status == 200 and (external_id := _read_message_id(answer.value)):
            template_status = to_text(_find_message(answer.value).get("message_status"))
            recipient = _read_recipient(answer.value)
            if template_status in ("", "accepted"):
                return SendResult(external_id, recipient)
            return TemplatePaused(external_id, recipient, template_status)
        if answer.status == 200 and not answer.error:
            raise DeliveryUnknown("Meta answered 200 without a message id.")
        raise answer.to_error()

    async def send_signal(self, body: Mapping[str, Any]) -> None:
        """Send a read mark or a typing indicator. Raises SaraError if Meta did not accept it."""
        answer = await self._post(body, min(_SIGNAL_TIMEOUT_S, self._timeout))
        if answer.status != 200 or answer.error:
            raise answer.to_error()

    async def get_node(self, path: str, query: Mapping[str, str] | None = None) -> GraphResponse:
        """Fetch the node at `path` below the API's version.

        Raises NotSent or DeliveryUnknown if no response came.
        """
        return await self._call("GET", path, self._timeout, params=query)

    async def post_setting(self, path: str, fields: Mapping[str, str] | None = None) -> GraphResponse:
        """Change a setting at `path`, which sends no message.

        Raises NotSent or DeliveryUnknown if no response came.
        """
        body = json.dumps(fields).encode() if fields else None
        headers = {"Content-Type": "application/json"} if fields else None
        return await self._call("POST", path, self._timeout, data=body, headers=headers)

    async def upload(self, file: BinaryIO, mime: str, name: str) -> str:
        """Upload a file and return its media id, with which this number can send it for 30 days.

        `file` is read in a thread.
        Raises:
            NotSent, Rejected, ChannelUnavailable: as for a message. Never DeliveryUnknown, because an upload is invisible to
            customers.
        """
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime})
        form.add_field("file", file, filename=name, content_type=mime)
        outcome: SaraError
        try:
            answer = await self._call("POST", f"{self._number}/media", _UPLOAD_TIMEOUT_S, data=form)
            media_id = read_id(to_dict(answer.value).get("id"))
            if answer.status == 200 and media_id:
                return media_id
            outcome = (
                answer.to_error() if answer.status != 200 or answer.error else NotSent("Meta returned no media id for a file.")
            )
        except DeliveryUnknown as error:
            outcome = error
        if isinstance(outcome, DeliveryUnknown):
            told = NotSent(f"A file could not be uploaded: {outcome}")
            told.details = outcome.details
            raise told
        raise outcome

    async def _post(self, body: Mapping[str, Any], timeout: float) -> GraphResponse:
        headers = {"Content-Type": "application/json"}
        return await self._call("POST", f"{self._number}/messages", timeout, data=json.dumps(body).encode(), headers=headers)

    async def _call(
        self,
        method: str,
        path: str,
        timeout: float,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | aiohttp.FormData | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> GraphResponse:
        """Send one request. Raises NotSent if it cannot have left, DeliveryUnknown if it may have and no response came."""
        session = self._session
        if session is None or session.closed:
            raise NotSent("The channel is closed.")
        authorized = {"Authorization": f"Bearer {self._token.reveal()}", **(headers or {})}
        # The connect time-out is shorter than the total, so that it cannot be mistaken for a time-out after sending.
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(CONNECT_TIMEOUT_S, timeout / 2))
        outcome: SaraError
        try:
            async with session.request(
                method,
                f"{self._base}/{path}",
                params=params,
                data=data,
                headers=authorized,
                timeout=limits,
                allow_redirects=False,
            ) as response:
                value = hide_token(await _read_json(response), self._token.reveal())
                return GraphResponse(response.status, value, read_retry_after(response.headers), *read_usage(response.headers))
        except _NOT_SENT_ERRORS as error:
            outcome = NotSent(f"No connection to the Graph API: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = DeliveryUnknown(f"No answer from the Graph API: {type(error).__name__}")
        # Raised outside the handler: aiohttp's exceptions hold the request's headers with the token.
        raise outcome


def read_retry_after(headers: Mapping[str, str]) -> Milliseconds | None:
    """Return the wait in a `Retry-After` header, given in seconds or as a date, at most one hour; None if there is none."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        asked = float(text)
    else:
        try:
            # Relative to the response's own date, so that the two clocks need not agree.
            until, said = (parsedate_to_datetime(each) for each in (text, headers.get("Date", "")))
            asked = (until - said).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0, min(int(asked), _MAX_RETRY_AFTER_S)) * 1_000 or None


def read_usage(headers: Mapping[str, str]) -> tuple[int, Milliseconds]:
    """Return the used share of the allowed calls in percent, and the wait that the headers ask for."""
    used, rest = 0, 0
    for name in _USAGE_HEADERS:
        try:
            told = to_dict(decode(headers.get(name, "{}").encode()))
        except InvalidJson:
            continue
        # One of the headers contains a list of such figures per account.
        for figures in (told, *(to_dict(each) for group in told.values() for each in to_list(group))):
            used = max(used, *(_read_count(figures.get(key)) for key in ("call_count", "total_cputime", "total_time")))
            rest = max(rest, _read_count(figures.get("estimated_time_to_regain_access")))
    return used, rest * 60_000


def _read_count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000 else 0


async def _read_json(response: aiohttp.ClientResponse) -> Any:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _MAX_RESPONSE_BYTES:
            response.close()
            return None
    try:
        return decode(bytes(body))
    except InvalidJson:
        return None


def _find_message(value: Any) -> dict[str, Any]:
    return to_dict(next(iter(to_list(to_dict(value).get("messages"))), None))


def _read_recipient(value: Any) -> Identity | None:
    """Return the recipient that Meta names: its `wa_id` may spell the number differently from the request."""
    contacts = to_list(to_dict(value).get("contacts"))
    person = read_identity(to_dict(contacts[0])) if len(contacts) == 1 else None
    return person if person is not None and person.is_identifiable else None


def _read_message_id(value: Any) -> str | None:
    found = _find_message(value).get("id")
    return found if isinstance(found, str) and found else None


def hide_token(value: Any, token: str) -> Any:
    """Return `value` without the access token, which Meta repeats in its message if the token is malformed."""
    if isinstance(value, str):
        return value.replace(token, "…")
    if isinstance(value, list):
        return [hide_token(item, token) for item in value]
    if isinstance(value, dict):
        return {key: hide_token(item, token) for key, item in value.items()}
    return value
