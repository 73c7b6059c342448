"""The queries of `sara doctor` to Meta, with a cache that protects Meta's rate limits from repeated runs."""

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
from sara_whatsapp.api.client import GraphClient, GraphResponse, hide_token
from sara_whatsapp.api.error_codes import ErrorCode, find_code
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.safe_json import to_dict

log = structlog.get_logger("sara_whatsapp")

CACHE_MS: Milliseconds = 300_000
ERROR_CACHE_MS: Milliseconds = 60_000
"""How long a successful answer and a refusal are cached: a new account may send 200 queries an hour, a run sends a dozen."""

NEAR_LIMIT_PERCENT = 90
"""Share of Meta's rate limit above which only cached answers are used."""

MAX_CACHE_AGE_MS: Milliseconds = 86_400_000
"""Maximum age of a cached answer near the rate limit."""

_TIMEOUT_S = 15.0
_NUMBER_FIELDS = "id,display_phone_number,verified_name,quality_rating,code_verification_status,name_status,throughput"
_SINGLE_FIELDS = ("health_status", "webhook_configuration", "platform_type", "status", "account_mode")
_TEMPLATE_FIELDS = "name,language,status,category,components,rejected_reason"
_TOKEN_ACTIONS = ("config_token",)


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """A GET below the API's version; `as_app` uses the app's token instead of the access token."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    as_app: bool = False


@dataclass(frozen=True, slots=True)
class GraphAnswer:
    """The answer to a query. `status` is 0 if none came; then `problem` says why."""

    status: int
    value: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    at: Instant = 0
    cached: bool = False
    remedy: str = ""
    pause_ms: Milliseconds = 0

    @property
    def is_ok(self) -> bool:
        return self.status == 200 and "error" not in self.value

    @property
    def error(self) -> dict[str, Any]:
        """Meta's error object; empty if there is none."""
        return to_dict(self.value.get("error"))

    @property
    def code(self) -> int | None:
        code = self.error.get("code")
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def error_code(self) -> ErrorCode | None:
        """The row of the error code; None if the code is unknown."""
        return find_code(self.code)

    @property
    def is_token_rejected(self) -> bool:
        """Return whether Meta rejected the token."""
        return not self.is_ok and (
            self.status == 401 or (self.error_code is not None and self.error_code.action in _TOKEN_ACTIONS)
        )

    def reason(self) -> str:
        """Return why there is no usable answer, as a sentence."""
        if self.problem:
            return self.problem
        if self.error_code is not None and self.code != 100:
            return f"{self.code}: {self.error_code.meaning}"
        subcode = self.error.get("error_subcode")
        more = f", subcode {subcode}" if isinstance(subcode, int) and not isinstance(subcode, bool) else ""
        return (
            f"HTTP {self.status} without an error code."
            if self.code is None
            else f"Meta refused the query with code {self.code}{more}."
        )


def build_queries(options: WhatsAppOptions) -> dict[str, GraphQuery]:
    """Return the queries by name, as far as the options hold the ids that they need."""
    node = options.phone_number_id
    queries = {"number": GraphQuery(node, {"fields": _NUMBER_FIELDS})}
    # One query per field: an unknown field makes the whole answer an error.
    queries |= {name: GraphQuery(node, {"fields": name}) for name in _SINGLE_FIELDS}
    if account := options.business_account_id:
        queries["numbers"] = GraphQuery(f"{account}/phone_numbers", {"fields": "id,display_phone_number", "limit": "250"})
        queries["subscribed"] = GraphQuery(f"{account}/subscribed_apps")
        if options.template is not None:
            query = {"name": options.template.name, "fields": _TEMPLATE_FIELDS, "limit": "250"}
            queries["template"] = GraphQuery(f"{account}/message_templates", query)
    if options.app_id:
        queries["token"] = GraphQuery("debug_token", {"input_token": options.access_token.reveal()}, as_app=True)
        queries["subscriptions"] = GraphQuery(f"{options.app_id}/subscriptions", as_app=True)
    return queries


class GraphQueries:
    """Queries and changes settings, as the access token and as the app. Use it as an async context manager."""

    def __init__(self, options: WhatsAppOptions, state: Path, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._cache = AnswerCache(state / f"doctor-{options.phone_number_id}.json", _digest_credentials(options))
        self._stack = AsyncExitStack()
        token = Secret(f"{options.app_id}|{options.app_secrets[0].reveal()}")
        self._clients = {as_app: self._client(secret) for as_app, secret in ((False, options.access_token), (True, token))}

    def _to_answer(self, answer: GraphResponse) -> GraphAnswer:
        value = hide_token(answer.value, self._options.access_token.reveal())
        problem = "" if isinstance(value, dict) else f"HTTP {answer.status}: the response is not from Meta's Graph API."
        pause_ms = max(answer.pause_ms, CACHE_MS) if answer.used_percent >= NEAR_LIMIT_PERCENT else 0
        return GraphAnswer(answer.status if not problem else 0, to_dict(value), problem, self._clock(), pause_ms=pause_ms)

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

    async def ask(self, names: Iterable[str] | None = None, *, fresh: bool = False) -> dict[str, GraphAnswer]:
        """Send all queries, or those named, at the same time.

        Unless `fresh`, recent answers come from the cache; near Meta's rate limit older ones do, too.
        """
        queries = build_queries(self._options)
        wanted = {name: queries[name] for name in (names or queries) if name in queries}
        now = self._clock()
        known = {} if fresh else self._cache.recall(now)
        missing = [name for name in wanted if name not in known]
        if missing and not fresh and (pause_ms := self._cache.pause_left_ms(now)):
            return known | dict.fromkeys(missing, _skip_query(pause_ms))
        fetched = await asyncio.gather(*(self._ask(wanted[name]) for name in missing))
        answers = {name: known[name] for name in wanted if name in known} | dict(zip(missing, fetched, strict=True))
        if missing:
            self._cache.keep(answers, now)
        return answers

    async def post_setting(self, path: str, fields: Mapping[str, str] | None = None, *, as_app: bool = False) -> GraphAnswer:
        """Change a setting at Meta."""
        try:
            return self._to_answer(await self._clients[as_app].post_setting(path, fields))
        except SaraError as error:
            return GraphAnswer(0, problem=str(error))

    async def _ask(self, query: GraphQuery) -> GraphAnswer:
        try:
            return self._to_answer(await self._clients[query.as_app].get_node(query.path, query.query))
        except SaraError as error:
            return GraphAnswer(0, problem=str(error))


def _skip_query(pause_ms: Milliseconds) -> GraphAnswer:
    minutes = -(-pause_ms // 60_000)
    return GraphAnswer(
        0, problem="Meta's hourly limit of API calls is nearly reached.", remedy=f"Run this again in {minutes} minutes."
    )


class AnswerCache:
    """A cache of answers in a file without secrets, valid for one set of ids and credentials."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key

    def recall(self, now: Instant) -> dict[str, GraphAnswer]:
        """Return the answers that are recent enough."""
        found, paused_until = self._read()
        max_age_ms = MAX_CACHE_AGE_MS if now < paused_until else CACHE_MS
        return {
            name: answer
            for name, answer in found.items()
            if 0 <= now - answer.at < (max_age_ms if answer.is_ok else min(max_age_ms, ERROR_CACHE_MS))
        }

    def pause_left_ms(self, now: Instant) -> Milliseconds:
        """Return how long Meta should not be asked, because its rate limit is near."""
        return max(0, self._read()[1] - now)

    def _read(self) -> tuple[dict[str, GraphAnswer], Instant]:
        try:
            found = json.loads(read_private(self._path))
            if found["key"] != self._key:
                return {}, 0
            answer = {
                name: GraphAnswer(int(each["status"]), to_dict(each["value"]), "", int(each["at"]), True)
                for name, each in found["said"].items()
            }
            return answer, int(found["rested"])
        except FileNotFoundError:
            return {}, 0
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.debug("doctor_cache_read_failed", error=type(error).__name__)
            return {}, 0

    def keep(self, answers: Mapping[str, GraphAnswer], now: Instant) -> None:
        """Store answers; without a state directory nothing is stored."""
        # Other answers of earlier runs are kept: they may be needed.
        former, paused_until = self._read()
        answer = {
            name: {"at": each.at, "status": each.status, "value": each.value}
            for name, each in {**former, **answers}.items()
            if each.status
        }
        paused_until = max(paused_until, now + max((each.pause_ms for each in answers.values()), default=0))
        try:
            write_private(self._path, json.dumps({"key": self._key, "rested": paused_until, "said": answer}).encode())
        except OSError as error:
            log.debug("doctor_cache_write_failed", error=error.strerror)


def _digest_credentials(options: WhatsAppOptions) -> str:
    """Return a digest that identifies a set of ids and credentials without revealing it."""
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
