"""Actions of an operator on a conversation: by a command or the API, with or without a daemon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import structlog

from sara.domain.conversations import ConversationSummary, Handoff
from sara.domain.errors import SaraError
from sara.domain.jobs import OpenWork
from sara.domain.messages import OutgoingContent
from sara.domain.text import sanitize_text
from sara.domain.time import Instant, Milliseconds
from sara.i18n.catalog import MessageCatalog
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.handoff import HandoffFactory, wording
from sara.plugins.context import Clock
from sara.plugins.store import Store

log = structlog.get_logger("sara.operations.operator_actions")

OPERATOR: Literal["operator"] = "operator"
LONGEST = 20_000
"""Characters of a text or a note."""


class OperatorActions:
    """The actions. Each returns the open work that follows, for the caller to wake, and raises NotFound for an unknown conversation."""

    def __init__(self, store: Store, routes: ChannelBindings, texts: MessageCatalog, clock: Clock) -> None:
        self._store = store
        self._routes = routes
        self._texts = texts
        self._handing = HandoffFactory(routes, texts)
        self._clock = clock

    async def hand_over(
        self, conversation: str, reason: str = "", for_: Milliseconds | None = None, *, pause: bool = False
    ) -> Sequence[OpenWork]:
        """Hand the conversation to a person, or with `pause` stop answers; for a time in milliseconds, by default as the file says."""
        route, now = await self._route(conversation), self._clock()
        if pause:
            change = Handoff(OPERATOR, sanitize_text(reason), "paused", None if for_ is None else now + for_)
        else:
            change = self._handing.start_silently(route, OPERATOR, sanitize_text(reason), now)
            if for_ is not None:
                change = Handoff(OPERATOR, change.reason, "human", now + for_)
        log.info("handoff_started", conversation=conversation, mode=change.mode, actor=OPERATOR)
        return await self._store.hand_over(conversation, change, now)

    async def hand_back(self, conversation: str, *, quietly: bool = False) -> Sequence[OpenWork]:
        """SARA answers again, and says so unless `quietly`."""
        route = await self._route(conversation)
        log.info("handoff_ended", conversation=conversation, actor=OPERATOR)
        notice = {} if quietly else wording(self._texts, route.channel, "hand_back")
        return [await self._store.hand_back(conversation, OPERATOR, self._clock(), notice)]

    async def opt_out(self, conversation: str, how: str = "") -> Sequence[OpenWork]:
        """Record that the customer wants no more messages, and confirm it to them once."""
        return await self._consent(conversation, True, how, "opted_out")

    async def opt_in(self, conversation: str, how: str = "") -> Sequence[OpenWork]:
        """Record that the customer wants messages again."""
        return await self._consent(conversation, False, how, "opted_in")

    async def _consent(self, conversation: str, opted_out: bool, how: str, key: str) -> Sequence[OpenWork]:
        route = await self._route(conversation)
        log.info("contact_opted_out" if opted_out else "contact_opted_in", conversation=conversation, actor=OPERATOR)
        notice = wording(self._texts, route.channel, key)
        how = sanitize_text(how) or "noted by hand"
        return [await self._store.consent(conversation, opted_out, OPERATOR, how, self._clock(), notice)]

    async def send(
        self, conversation: str, text: str, at: Instant | None = None, *, markdown: bool = False
    ) -> Sequence[OpenWork]:
        """Send an operator's own words, at once or not before `at`, in the channel's own marks unless they are `markdown`. While a person
        answers, it is theirs for longer."""
        route, now = await self._route(conversation), self._clock()
        text = sanitize_text(text).strip()
        if not text:
            raise SaraError("there is nothing to say; give a text")
        if len(text) > LONGEST:
            raise SaraError(f"the text is longer than {LONGEST} characters")
        drafts = list(route.channel.compose(OutgoingContent(text, markdown=markdown)))
        log.info("operator_message_queued", conversation=conversation, parts=len(drafts), later=at is not None)
        work = await self._store.enqueue_messages(conversation, drafts, OPERATOR, OPERATOR, now, at)
        view, longer = await self._store.timer_view(conversation, 1), self._handing.start_silently(route, OPERATOR, "", now)
        if view is None or view.mode != "human" or view.mode_until is None or longer.until is None:
            return [work]
        if view.mode_until >= longer.until:
            return [work]
        first, *others = await self._store.hand_over(conversation, longer, now)
        return [replace(first, parts=work.parts), *others]

    async def note(self, conversation: str, text: str, *, is_replacing: bool = False) -> None:
        """Write a note about the person below what is noted already, or instead of that."""
        await self._route(conversation)
        text = sanitize_text(text).strip()
        known = "" if is_replacing else (await self._summary(conversation)).notes
        if not text and not is_replacing:
            raise SaraError("there is nothing to note; give a text")
        if len(known) + len(text) + 1 > LONGEST:
            raise SaraError(f"with this the notes are longer than {LONGEST} characters; replace them by shorter ones")
        await self._store.note(conversation, text, OPERATOR, self._clock(), append=not is_replacing)

    async def _route(self, conversation: str) -> ChannelBinding:
        account = (await self._summary(conversation)).account
        route = self._routes.of(account)
        if route is None:
            raise SaraError(f"no channel in the file serves {account}; put it back to act on {conversation}")
        return route

    async def _summary(self, conversation: str) -> ConversationSummary:
        return await self._store.conversation(conversation)
