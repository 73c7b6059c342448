"""Meta's Graph API over HTTP: one session, one attempt per call, and a clear word on whether anything left."""

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
from sara_whatsapp.api.error_codes import classify
from sara_whatsapp.api.rate_limit import Pace
from sara_whatsapp.webhook.identities import named
from sara_whatsapp.webhook.safe_json import Unreadable, decode, listed, mapping, name_of, words

CONNECT_S = 10.0
_LARGEST_ANSWER = 1 << 20
_KEEPALIVE_S = 10.0  # a connection that was idle for longer may be half closed: a false doubt on every POST
_CONNECTIONS = 200
_LONGEST_WAIT_S = 3_600
_USAGE = ("X-App-Usage", "X-Business-Use-Case-Usage")
_TELL_S = 8.0  # nothing depends on these calls, and the customer sees the answer soon
_UPLOAD_S = 600.0
_PACED_S = 3.0  # longer than this a message does not wait here for the number's pace: then the whole lane is to wait

# Raised before a connection stands, thus before a byte of the request can have left.
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end. `value` is its JSON; None where it is not JSON. `used` is how many percent of the calls that
    Meta allows in an hour are used up, `rest` how long to call no more."""

    status: int
    value: Any
    retry_after: Milliseconds | None = None
    used: int = 0
    rest: Milliseconds = 0

    @property
    def error(self) -> dict[str, Any] | None:
        """Meta's description of what went wrong; None where there is none."""
        return mapping(mapping(self.value).get("error")) or None

    def failure(self) -> SaraError:
        """What follows from this answer, which is no success."""
        return classify(self.status, self.error, self.retry_after)


@dataclass(frozen=True, slots=True)
class TemplatePaused(SendResult):
    """Meta took a template and does not send it yet; `standing` is its word for why."""

    standing: str = ""


class GraphClient:
    """Acts for one business number. Never retries: whether to try again is the caller's decision."""

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
        self._pace = Pace(per_second)
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session. No connection is opened yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "SARA"},
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, body: Mapping[str, Any]) -> SendResult:
        """Post one message. Raises what `Channel.send` promises."""
        now = asyncio.get_running_loop().time()
        if (wait := self._pace.wait(now)) > _PACED_S:
            raise NotSent("Too many messages at once for this number.", after=ceil(wait * 1_000), scope="channel")
        await asyncio.sleep(self._pace.reserve(now))
        answer = await self._post(body, self._timeout)
        if answer.status == 200 and (external_id := _message_id(answer.value)):
            standing = words(_message(answer.value).get("message_status"))
            recipient = _recipient(answer.value)
            if standing in ("", "accepted"):
                return SendResult(external_id, recipient)
            return TemplatePaused(external_id, recipient, standing)
        if answer.status == 200 and not answer.error:
            raise DeliveryUnknown("Meta answered 200 without a message id.")
        raise answer.failure()

    async def tell(self, body: Mapping[str, Any]) -> None:
        """Post what is no message: a read mark, a typing indicator. Raises SaraError where Meta did not take it."""
        answer = await self._post(body, min(_TELL_S, self._timeout))
        if answer.status != 200 or answer.error:
            raise answer.failure()

    async def node(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Get what lies at `path` below the API's version, e.g. the node of an object id. Raises NotSent or DeliveryUnknown without an
        answer."""
        return await self._call("GET", path, self._timeout, params=query)

    async def change(self, path: str, fields: Mapping[str, str] | None = None) -> Answer:
        """Post to what lies at `path`: something is set up, nothing is sent to anybody. Raises NotSent or DeliveryUnknown without an
        answer."""
        body = json.dumps(fields).encode() if fields else None
        headers = {"Content-Type": "application/json"} if fields else None
        return await self._call("POST", path, self._timeout, data=body, headers=headers)

    async def upload(self, file: BinaryIO, mime: str, name: str) -> str:
        """Give Meta a file; return its media id, with which this number can send it for 30 days. `file` is read in a thread.

        Raises:
            NotSent, Refused, Unavailable: as for a message; never DeliveryUnknown, since nothing that a customer sees can have happened.
        """
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime})
        form.add_field("file", file, filename=name, content_type=mime)
        outcome: SaraError
        try:
            answer = await self._call("POST", f"{self._number}/media", _UPLOAD_S, data=form)
            media_id = name_of(mapping(answer.value).get("id"))
            if answer.status == 200 and media_id:
                return media_id
            outcome = answer.failure() if answer.status != 200 or answer.error else NotSent("Meta gave no id for a file.")
        except DeliveryUnknown as error:
            outcome = error
        if isinstance(outcome, DeliveryUnknown):
            told = NotSent(f"A file was not uploaded: {outcome}")
            told.details = outcome.details
            raise told
        raise outcome

    async def _post(self, body: Mapping[str, Any], timeout: float) -> Answer:
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
    ) -> Answer:
        """One request. Raises NotSent where it cannot have left, DeliveryUnknown where it may have and no answer came."""
        session = self._session
        if session is None or session.closed:
            raise NotSent("The channel is closed.")
        authorized = {"Authorization": f"Bearer {self._token.reveal()}", **(headers or {})}
        # Connecting ends well before the whole call, so that a time-out there is never taken for one after sending.
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(CONNECT_S, timeout / 2))
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
                value = hide(await _json(response), self._token.reveal())
                return Answer(response.status, value, retry_after(response.headers), *usage(response.headers))
        except _NEVER_LEFT as error:
            outcome = NotSent(f"No connection to the Graph API: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            outcome = DeliveryUnknown(f"No answer from the Graph API: {type(error).__name__}")
        # Raised out here: aiohttp's own exceptions hold the request's headers, and the token with them.
        raise outcome


def retry_after(headers: Mapping[str, str]) -> Milliseconds | None:
    """The wait that the header of this name asks for, in seconds or until a date, at most an hour; None where it names none."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        asked = float(text)
    else:
        try:
            # Against the answer's own date: nobody's clock has to agree with the other end's.
            until, said = (parsedate_to_datetime(each) for each in (text, headers.get("Date", "")))
            asked = (until - said).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0, min(int(asked), _LONGEST_WAIT_S)) * 1_000 or None


def usage(headers: Mapping[str, str]) -> tuple[int, Milliseconds]:
    """What the headers say of the calls that Meta allows: how many percent are used up, and how long it says to wait."""
    used, rest = 0, 0
    for name in _USAGE:
        try:
            told = mapping(decode(headers.get(name, "{}").encode()))
        except Unreadable:
            continue
        # One of the headers has a list of such figures for each account.
        for figures in (told, *(mapping(each) for group in told.values() for each in listed(group))):
            used = max(used, *(_percent(figures.get(key)) for key in ("call_count", "total_cputime", "total_time")))
            rest = max(rest, _percent(figures.get("estimated_time_to_regain_access")))
    return used, rest * 60_000


def _percent(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000 else 0


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


def _message(value: Any) -> dict[str, Any]:
    return mapping(next(iter(listed(mapping(value).get("messages"))), None))


def _recipient(value: Any) -> Identity | None:
    """Whom Meta says that a message went to: their `wa_id` may be another spelling of the number than the one that was given."""
    contacts = listed(mapping(value).get("contacts"))
    person = named(mapping(contacts[0])) if len(contacts) == 1 else None
    return person if person is not None and person.is_identifiable else None


def _message_id(value: Any) -> str | None:
    found = _message(value).get("id")
    return found if isinstance(found, str) and found else None


def hide(value: Any, token: str) -> Any:
    """`value` without the secret `token`: Meta repeats a malformed one in its message."""
    if isinstance(value, str):
        return value.replace(token, "…")
    if isinstance(value, list):
        return [hide(item, token) for item in value]
    if isinstance(value, dict):
        return {key: hide(item, token) for key, item in value.items()}
    return value
