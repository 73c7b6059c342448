"""What `sara doctor` asks Meta, each thing once, and the memory that keeps runs in a row from using up Meta's limits."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from sara import Instant, Milliseconds, SaraError, Secret
from sara.helpers import Clock, read_private, write_private
from sara_whatsapp.api.client import Answer, GraphClient, hide
from sara_whatsapp.api.error_codes import Code, look_up
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.safe_json import mapping

log = structlog.get_logger("sara_whatsapp")

KEPT: Milliseconds = 300_000
REFUSAL_KEPT: Milliseconds = 60_000
"""How long a good answer of Meta's may be used again, and a refusal. A new account may ask 200 things an hour, a look asks a dozen."""

NEARLY = 90
"""From so many percent of the calls that Meta allows on, what was heard before has to do."""

OLDEST: Milliseconds = 86_400_000
"""Even then nothing older than this is used."""

_TIMEOUT_S = 15.0
_NUMBER = "id,display_phone_number,verified_name,quality_rating,code_verification_status,name_status,throughput"
_EXTRAS = ("health_status", "webhook_configuration", "platform_type", "status", "account_mode")
_TEMPLATE = "name,language,status,category,components,rejected_reason"
_TOKEN_ACTIONS = ("config_token",)


@dataclass(frozen=True, slots=True)
class Question:
    """A GET below the API's version; `as_app` says that the app asks, not the access token."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    as_app: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What came back. `status` is 0 where nothing did; then `trouble` says why."""

    status: int
    value: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    at: Instant = 0
    cached: bool = False
    remedy: str = ""
    rest: Milliseconds = 0

    @property
    def good(self) -> bool:
        return self.status == 200 and "error" not in self.value

    @property
    def error(self) -> dict[str, Any]:
        """Meta's description of what went wrong; empty where there is none."""
        return mapping(self.value.get("error"))

    @property
    def code(self) -> int | None:
        code = self.error.get("code")
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def row(self) -> Code | None:
        """What is known of the code."""
        return look_up(self.code)

    @property
    def token_refused(self) -> bool:
        """Whether it was the token that Meta did not like."""
        return not self.good and (self.status == 401 or (self.row is not None and self.row.action in _TOKEN_ACTIONS))

    def reason(self) -> str:
        """Why there is no good answer, for people."""
        if self.trouble:
            return self.trouble
        if self.row is not None and self.code != 100:
            return f"{self.code}: {self.row.meaning}"
        subcode = self.error.get("error_subcode")
        more = f", subcode {subcode}" if isinstance(subcode, int) and not isinstance(subcode, bool) else ""
        return (
            f"HTTP {self.status} without a reason." if self.code is None else f"Meta refused it with its code {self.code}{more}."
        )


def questions(options: WhatsAppOptions) -> dict[str, Question]:
    """What there is to ask, by name, as far as the file holds the ids for it."""
    node = options.phone_number_id
    asked = {"number": Question(node, {"fields": _NUMBER})}
    # One by one: a field that Meta does not know makes the whole answer an error.
    asked |= {name: Question(node, {"fields": name}) for name in _EXTRAS}
    if account := options.business_account_id:
        asked["numbers"] = Question(f"{account}/phone_numbers", {"fields": "id,display_phone_number", "limit": "250"})
        asked["subscribed"] = Question(f"{account}/subscribed_apps")
        if options.template is not None:
            query = {"name": options.template.name, "fields": _TEMPLATE, "limit": "250"}
            asked["template"] = Question(f"{account}/message_templates", query)
    if options.app_id:
        asked["token"] = Question("debug_token", {"input_token": options.access_token.reveal()}, as_app=True)
        asked["subscriptions"] = Question(f"{options.app_id}/subscriptions", as_app=True)
    return asked


class Meta:
    """Asks and changes, as the access token and as the app. Use as an async context manager."""

    def __init__(self, options: WhatsAppOptions, state: Path, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._memory = Memory(state / f"doctor-{options.phone_number_id}.json", _digest(options))
        self._stack = AsyncExitStack()
        token = Secret(f"{options.app_id}|{options.app_secrets[0].reveal()}")
        self._clients = {as_app: self._client(secret) for as_app, secret in ((False, options.access_token), (True, token))}

    def _said(self, answer: Answer) -> Said:
        value = hide(answer.value, self._options.access_token.reveal())
        trouble = "" if isinstance(value, dict) else f"HTTP {answer.status}: what answered is not Meta's Graph API."
        rest = max(answer.rest, KEPT) if answer.used >= NEARLY else 0
        return Said(answer.status if not trouble else 0, mapping(value), trouble, self._clock(), rest=rest)

    def _client(self, token: Secret) -> GraphClient:
        options = self._options
        return GraphClient(options.graph_url, options.api_version, options.phone_number_id, token, timeout=_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        for client in self._clients.values():
            self._stack.push_async_callback(client.close)
            await client.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def ask(self, names: Iterable[str] | None = None, *, anew: bool = False) -> dict[str, Said]:
        """Ask everything, or what is named, at the same time. Unless it is to be asked `anew`, an answer of the last minutes is
        taken instead, and where Meta's limit is near any that there is."""
        asked = questions(self._options)
        wanted = {name: asked[name] for name in (names or asked) if name in asked}
        now = self._clock()
        known = {} if anew else self._memory.recall(now)
        open_names = [name for name in wanted if name not in known]
        if open_names and not anew and (rest := self._memory.rests(now)):
            return known | dict.fromkeys(open_names, _unasked(rest))
        answers = await asyncio.gather(*(self._ask(wanted[name]) for name in open_names))
        heard = {name: known[name] for name in wanted if name in known} | dict(zip(open_names, answers, strict=True))
        if open_names:
            self._memory.keep(heard, now)
        return heard

    async def change(self, path: str, fields: Mapping[str, str] | None = None, *, as_app: bool = False) -> Said:
        """Set something up."""
        try:
            return self._said(await self._clients[as_app].change(path, fields))
        except SaraError as error:
            return Said(0, trouble=str(error))

    async def _ask(self, question: Question) -> Said:
        try:
            return self._said(await self._clients[question.as_app].node(question.path, question.query))
        except SaraError as error:
            return Said(0, trouble=str(error))


def _unasked(rest: Milliseconds) -> Said:
    minutes = -(-rest // 60_000)
    return Said(
        0, trouble="The questions that Meta allows in an hour are nearly used up.", remedy=f"Run this again in {minutes} minutes."
    )


class Memory:
    """The latest answers, in a file that holds no secret. They are for one set of ids and credentials alone."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key

    def recall(self, now: Instant) -> dict[str, Said]:
        """What was heard a short while ago."""
        found, rested = self._read()
        longest = OLDEST if now < rested else KEPT
        return {
            name: said
            for name, said in found.items()
            if 0 <= now - said.at < (longest if said.good else min(longest, REFUSAL_KEPT))
        }

    def rests(self, now: Instant) -> Milliseconds:
        """How long Meta is not to be asked, because its limit is near."""
        return max(0, self._read()[1] - now)

    def _read(self) -> tuple[dict[str, Said], Instant]:
        try:
            found = json.loads(read_private(self._path))
            if found["key"] != self._key:
                return {}, 0
            said = {
                name: Said(int(each["status"]), mapping(each["value"]), "", int(each["at"]), True)
                for name, each in found["said"].items()
            }
            return said, int(found["rested"])
        except FileNotFoundError:
            return {}, 0
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.debug("doctor_cache_read_failed", error=type(error).__name__)
            return {}, 0

    def keep(self, heard: Mapping[str, Said], now: Instant) -> None:
        """Remember what was answered. Without a state directory nothing is remembered."""
        # What a former run heard beside this stays: it may be needed.
        former, rested = self._read()
        said = {
            name: {"at": each.at, "status": each.status, "value": each.value}
            for name, each in {**former, **heard}.items()
            if each.status
        }
        rested = max(rested, now + max((each.rest for each in heard.values()), default=0))
        try:
            write_private(self._path, json.dumps({"key": self._key, "rested": rested, "said": said}).encode())
        except OSError as error:
            log.debug("doctor_cache_write_failed", error=error.strerror)


def _digest(options: WhatsAppOptions) -> str:
    """Tells one set of ids and credentials from another, and nothing about them."""
    template = options.template.name if options.template else ""
    told = [
        options.graph_url,
        options.api_version,
        options.phone_number_id,
        options.business_account_id,
        options.app_id,
        template,
    ]
    secrets = [options.access_token.reveal(), options.app_secrets[0].reveal()]
    return hashlib.sha256(json.dumps([*told, *secrets]).encode()).hexdigest()[:32]
