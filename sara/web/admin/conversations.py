"""The admin API's part for conversations: lists, and the operator's actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sara.domain.errors import CommitUnknown, Conflict, SaraError, StoreUnavailable
from sara.domain.jobs import OpenWork
from sara.domain.time import Instant, Milliseconds
from sara.operations.conversation_health import ConversationHealth
from sara.operations.operator_actions import OperatorActions
from sara.operations.send_outcomes import SendOutcomes
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.queue.notifier import JobNotifier
from sara.web.admin.query import limit_of
from sara.web.json_bodies import read_object

LONGEST_WAIT: Milliseconds = 10_000
"""How long an answer may wait for what becomes of a message."""

Act = Callable[[str, Mapping[str, Any]], Awaitable[Sequence[OpenWork]]]


class ConversationRoutes:
    """`GET /api/v1/conversations`: the latest conversations, those of a search, or the unhealthy ones."""

    def __init__(self, store: Store, health: ConversationHealth) -> None:
        self._store = store
        self._health = health

    def routes(self) -> list[web.RouteDef]:
        """Return the route for the admin application."""
        return [web.get("/api/v1/conversations", self._list)]

    async def _list(self, request: web.Request) -> web.Response:
        limit = limit_of(request)
        if request.query.get("unhealthy", "") not in ("", "0", "false"):
            return web.json_response({"conversations": [asdict(each) for each in await self._health.look(limit, is_asked=True)]})
        found = await self._store.conversations(limit, request.query.get("search"))
        return web.json_response({"conversations": [asdict(each) for each in found]})


class ActionRoutes:
    """`POST /api/v1/conversations/<id>/<action>`, with what the action needs as a JSON object. What becomes of a message that `send`
    sends is told in `outcome`, after at most `wait` milliseconds."""

    def __init__(self, acting: OperatorActions, notifier: JobNotifier, clock: Clock, outcomes: SendOutcomes) -> None:
        self._acting = acting
        self._outcomes = outcomes
        self._notifier = notifier
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the admin application."""
        actions: Mapping[str, Act] = {
            "handoff": self._hand_over,
            "resume": self._hand_back,
            "opt-out": self._opt_out,
            "opt-in": self._opt_in,
            "send": self._send,
            "note": self._note,
        }
        return [web.post(f"/api/v1/conversations/{{conversation}}/{name}", self._handler(act)) for name, act in actions.items()]

    def _handler(self, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await read_object(request, "send a JSON object, or nothing")
            within_s = min(_whole(body, "wait") or 0, LONGEST_WAIT) / 1_000
            try:
                work = await act(request.match_info["conversation"], body)
            except (Conflict, StoreUnavailable, CommitUnknown):
                raise
            except SaraError as error:
                return web.json_response({"error": str(error)}, status=400)
            await self._notifier.notify(work)
            answer: dict[str, Any] = {"work": [asdict(each) for each in work]}
            if any(each.parts for each in work):
                answer["outcome"] = asdict(await self._outcomes.wait_for(work, within_s))
            return web.json_response(answer)

        return handle

    async def _hand_over(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        reason, lasts, pause = _text(body, "reason"), _whole(body, "for"), _flag(body, "pause")
        return await self._acting.hand_over(conversation, reason, lasts, pause=pause)

    async def _hand_back(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        return await self._acting.hand_back(conversation, quietly=_flag(body, "quietly"))

    async def _opt_out(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        return await self._acting.opt_out(conversation, _text(body, "how"))

    async def _opt_in(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        return await self._acting.opt_in(conversation, _text(body, "how"))

    async def _send(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        text = _text(body, "text")
        at: Instant | None = _whole(body, "at")
        return await self._acting.send(conversation, text, at, markdown=_flag(body, "markdown"))

    async def _note(self, conversation: str, body: Mapping[str, Any]) -> Sequence[OpenWork]:
        if "text" not in body:
            raise web.HTTPBadRequest(reason='send {"text": "..."}, and "replace": true to put it in the place of what was noted')
        await self._acting.note(conversation, _text(body, "text"), is_replacing=_flag(body, "replace"))
        return ()


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise web.HTTPBadRequest(reason=f"{key} is a text")
    return value


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise web.HTTPBadRequest(reason=f"{key} is true or false")
    return value


def _whole(body: Mapping[str, Any], key: str) -> int | None:
    """Milliseconds: a length, or a moment since 1970."""
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise web.HTTPBadRequest(reason=f"{key} is a whole number of milliseconds")
    return value
