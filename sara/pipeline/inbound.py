"""Incoming messages: a webhook's contents are stored first, then everything else follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog

from sara.domain import timestamps
from sara.domain.conversations import Handoff
from sara.domain.errors import SaraError
from sara.domain.messages import HistoryMessage, InboundMessage
from sara.domain.problems import DAY, problem_key
from sara.domain.storage import AcceptResult, ClassifiedMessage, InboundBatch, InboundDecision
from sara.domain.text import sanitize_text
from sara.domain.time import Instant, Milliseconds
from sara.domain.webhooks import AccountChange, AccountEvent, OperatorEcho, UnparsedPayload, WebhookResult
from sara.i18n.catalog import MessageCatalog
from sara.i18n.detection import detect_language
from sara.pipeline import receipt_effects
from sara.pipeline.bindings import ChannelBinding
from sara.pipeline.handoff import HandoffFactory, wording
from sara.pipeline.services import Reporting, Routing
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread
from sara.policy import account_standing
from sara.policy.keyword_context import is_answer
from sara.policy.keywords import Keyword, KeywordMatcher
from sara.policy.reply_gates import HOUR

log = structlog.get_logger("sara.pipeline.inbound")

_NOTHING_SAID: Mapping[int, HistoryMessage | None] = MappingProxyType({})

FEW_NEWS = 200
"""News of an account that is read on the loop; more of it is read in a thread."""

MOST_NEWS = 50
"""ProblemReporter of one account that are shown, the latest; the store keeps all of them."""

PAGE = 10
"""Number of unparsed payloads that are read at once: each may be megabytes long."""

SLICE = 50
"""Messages, receipts or other items that are stored in one transaction; a body with more is stored in slices of this size."""

HEAVY = 32 * 1024
"""Characters of text from which on the rules are applied in a thread: they take about half a millisecond for each thousand."""

MESSAGE_WEIGHT = 256
"""Cost of a message for the rules beside its text, in characters."""


class InboundHandler:
    """Stores the contents of a webhook, then wakes the jobs that follow from them."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        reporting: Reporting,
        rules: InboundRules,
        notice_files: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._notifier = routing.notifier
        self._routes = routing.bindings
        self._lanes = routing.lanes
        self._hooks = reporting.hooks
        self._problems = reporting.problems
        self._rules = rules
        self._notice_files = notice_files
        self._clock = clock
        self._following: set[asyncio.Task[None]] = set()
        # One at a time: a task that read the store earlier must not report after one that read it later.
        self._telling = asyncio.Lock()
        self._news_due: set[str] = set()

    async def accept(self, route: ChannelBinding, reception: WebhookResult) -> None:
        """Return once the store has it all. Raises StoreUnavailable or StoreLost, and then nothing may be acknowledged.

        A large reception is stored in slices, each in a transaction of its own, so that neither the loop nor the store is busy
        with one body for long. If one of them fails the provider delivers the whole body again, and what is stored is known.
        """
        if reception.verified:
            for slice_ in slices_of(reception):
                await self._accept(route, slice_)

    async def _accept(self, route: ChannelBinding, reception: WebhookResult) -> None:
        now = self._clock()
        said = await self._said_before(route, reception)
        if _is_heavy(reception):
            intake = await run_in_thread(self._rules.intake, reception, route, now, said)
        else:
            intake = self._rules.intake(reception, route, now, said)
        taken = await self._store.accept(intake, now)
        self._tell(route, reception)
        receipt_effects.follow(route, reception.receipts, taken, self._lanes, self._problems)
        # The provider's 200 does not wait for the wake; should it be lost, the sweep finds the work.
        self._follow(self._wake(taken))
        if any(isinstance(change, AccountEvent) for change in reception.changes) and route.name not in self._news_due:
            self._news_due.add(route.name)
            self._follow(self._tell_account_news(route))
        if any(message.attachments for message in reception.messages):
            self._notice_files(route.channel.account)
        if self._hooks.has_any("message_received", "delivery_changed"):
            self._follow(self._fire(taken))

    async def _said_before(self, route: ChannelBinding, reception: WebhookResult) -> Mapping[int, HistoryMessage | None]:
        """Return what customers were told in the message that they quote, or else last, by the place of their message in the reception: asked
        for only where a common word is an order or an answer."""
        unclear = [number for number, message in enumerate(reception.messages) if self._rules.is_unclear(message)]
        said: dict[int, HistoryMessage | None] = {}
        for number in unclear:
            message = reception.messages[number]
            said[number] = await self._store.last_said(route.channel.account, message.person, message.reply_to)
        return said

    async def remember(self) -> None:
        """After a start: what was kept aside within the last day is still to be seen, and what is wrong with an account still is."""
        for each in self._routes:
            await self._tell_account_news(each)
        now = self._clock()
        counts: Counter[str] = Counter()
        last: dict[str, UnparsedPayload] = {}
        after: str | None = None
        try:
            while page := await self._store.unparsed_payloads(after, PAGE, now - DAY):
                for item in page:
                    counts[item.account] += 1
                    last[item.account] = item
                after = page[-1].id
        except SaraError as error:
            log.warning("unparsed_payloads_check_failed", error=type(error).__name__)
            return
        for account, item in last.items():
            route = self._routes.of(account)
            self._tell_aside(route.name if route else account, item, item.at + DAY - now, counts[account])

    async def close(self) -> None:
        """Wait for what still follows from accepted receptions."""
        if self._following:
            await asyncio.wait(self._following, timeout=5)

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _wake(self, taken: AcceptResult) -> None:
        try:
            await self._notifier.notify(taken.work)
        except Exception as error:
            log.warning("job_schedule_failed", error=str(error))
            self._problems.report(
                "queue:jobs:schedule_failed",
                f"a job could not be scheduled: {error}",
                "check the disk; the sweep schedules the job within 30 s",
            )
        else:
            self._problems.clear("queue:jobs:schedule_failed")

    async def _fire(self, taken: AcceptResult) -> None:
        for message in taken.stored:
            await self._hooks.call("message_received", message=message)
        for message, receipt in taken.receipts:
            await self._hooks.call("delivery_changed", message=message, receipt=receipt)

    def _tell(self, route: ChannelBinding, reception: WebhookResult) -> None:
        for item in reception.unparsed:
            self._tell_aside(route.name, item, DAY)

    async def _tell_account_news(self, route: ChannelBinding) -> None:
        """Report what is wrong with the account of a channel now, and clear what is over: the store knows it in order."""
        async with self._telling:
            self._news_due.discard(route.name)  # what is stored from now on may not be seen by this reading
            await self._tell_standing(route)

    async def _tell_standing(self, route: ChannelBinding) -> None:
        now = self._clock()
        try:
            events = await self._store.account_events(route.channel.account, now - account_standing.STANDS)
        except SaraError as error:
            log.warning("account_events_check_failed", channel=route.name, error=type(error).__name__)
            return
        prefix = f"account:{route.name}:"
        if len(events) > FEW_NEWS:
            found = await run_in_thread(account_standing.standing, events)
        else:
            found = account_standing.standing(events)
        latest = sorted(found.items(), key=lambda entry: entry[1].event.at, reverse=True)[:MOST_NEWS]
        standing = {prefix + key: told for key, told in latest}
        for key in [problem.key for problem in self._problems if problem.key.startswith(prefix)]:
            if key not in standing:
                self._problems.clear(key)
        for key, told in standing.items():
            self._problems.report(
                key,
                f"{route.name}: {told.event.summary}",
                "check the account in the provider's console",
                count=told.count,
                lasts=timestamps.limit_to_now(told.event.at, now) + account_standing.STANDS - now,
            )

    def _tell_aside(self, name: str, item: UnparsedPayload, lasts: Milliseconds, count: int | None = None) -> None:
        self._problems.report(
            problem_key("channel", name, "webhook_unparsed"),
            f"{name}: a signed webhook could not be parsed and was stored unparsed ({item.reason})",
            "show it with `sara export --unparsed` and report it to the plugin's author; no message is lost",
            lasts=lasts,
            count=count,
        )


class InboundRules:
    """Decisions that are stored with a message: consent words, a wish for a person, and the language it is written in."""

    def __init__(self, words: KeywordMatcher, texts: MessageCatalog, handoffs: HandoffFactory) -> None:
        self._words = words
        self._texts = texts
        self._handoffs = handoffs

    def intake(
        self,
        reception: WebhookResult,
        route: ChannelBinding,
        now: Instant,
        said: Mapping[int, HistoryMessage | None] = _NOTHING_SAID,
    ) -> InboundBatch:
        """Return what goes into the store: each message with its verdict, its language and its quiet window. `said` is what the customer
        was told in what a message quotes, or else before it, by the message's place in the reception."""
        policy = route.policy
        received = [sanitize_message(each) for each in reception.messages]
        messages = [replace(each, at=timestamps.correct_message_time(each.at, now)) for each in received]
        arrivals = tuple(
            ClassifiedMessage(
                each,
                self.judge(each, route, now, said.get(number)),
                policy.debounce,
                policy.debounce_max,
                detect_language(each.text) if each.kind == "text" else None,
                policy.session_timeout,
                received[number].at,
            )
            for number, each in enumerate(messages)
        )
        changes: tuple[AccountChange, ...] = tuple(
            replace(each, at=timestamps.correct_event_time(each.at, now)) for each in reception.changes
        )
        echoed = {
            each.external_id: over
            for each in changes
            if isinstance(each, OperatorEcho) and (over := self._echoed(each, route, now)) is not None
        }
        operators = self._handoffs.operators(route)
        # To word it in all languages takes longer than to store a message: only where it may be needed.
        may_be_told = bool(arrivals) if operators else any(each.message.reply_to is not None for each in arrivals)
        return InboundBatch(
            route.channel.account,
            arrivals,
            reception.receipts,
            changes,
            reception.unparsed,
            echoed,
            operators=operators,
            operator_notice=wording(self._texts, route.channel, "operator_notice") if may_be_told else {},
            stamps=tuple(each.at for each in reception.changes),
        )

    def _echoed(self, echo: OperatorEcho, route: ChannelBinding, now: Instant) -> Handoff | None:
        """Return the handoff that follows from a person's words outside SARA; None where nothing was said, or where its time is over."""
        if not echo.says:
            return None
        reason = self._texts.render("operator_reason_phone", route.policy.language)
        return _unless_over(self._handoffs.start_silently(route, "operator", reason, timestamps.limit_to_now(echo.at, now)), now)

    def is_unclear(self, message: InboundMessage) -> bool:
        """Return whether a message is a common word that may be an order, or the answer to a question."""
        meaning = self._meaning(message)
        return meaning is not None and meaning.word is not None

    def judge(
        self, message: InboundMessage, route: ChannelBinding, now: Instant, said: HistoryMessage | None = None
    ) -> InboundDecision:
        """Apply the immediate rules, which take effect with the message itself. `said` is what the customer was told in the message that they
        quote, or else last."""
        if message.unreadable:
            return self._unreadable(message, route, now)
        plain = InboundDecision(skip=None if message.answer else "recorded")
        meaning = self._meaning(message)
        if meaning is None:
            return plain
        # Who quotes a question, or taps its button, answers it however old it is.
        is_quoted = said is not None and message.reply_to is not None and said.external_id == message.reply_to
        asked_at = said.at if said is not None and is_quoted else now
        if meaning.word is not None and is_answer(meaning.word, meaning.what, said, asked_at):
            return plain
        if meaning.what == "handoff":
            if not route.policy.handoff.words:
                return plain
            reason = self._texts.render("operator_reason_customer", route.policy.language)
            name = message.person.name or message.person.username
            since = timestamps.limit_to_now(message.at, now)
            over = _unless_over(self._handoffs.start(route, "customer", reason, name, since), now)
            return plain if over is None else InboundDecision(skip="handed_over", language=meaning.language, hand_over=over)
        notice = wording(self._texts, route.channel, "opted_out" if meaning.what == "opt_out" else "opted_in")
        return InboundDecision(skip=meaning.what, consent=meaning.what, notice=notice, language=meaning.language)

    def _unreadable(self, message: InboundMessage, route: ChannelBinding, now: Instant) -> InboundDecision:
        """Tell the customer that a message could not be read, at most once an hour and not long afterwards."""
        if message.at < now - route.policy.max_age:
            return InboundDecision(skip="unreadable")
        said = wording(self._texts, route.channel, "unreadable")
        return InboundDecision(skip="unreadable", unreadable=said, unreadable_since=now - HOUR)

    def _meaning(self, message: InboundMessage) -> Keyword | None:
        """Return the keyword of a message: written, chosen from what was offered, or written into an earlier message."""
        if message.corrects is not None:
            edited = message.corrects
            return self._words.match(edited.text) if not edited.withdrawn and edited.kind in ("text", "button") else None
        if not message.answer:
            return None
        if message.choice is not None:
            return self._words.match(message.choice)
        return self._words.match(message.text) if message.kind in ("text", "button") else None


def _unless_over(change: Handoff, now: Instant) -> Handoff | None:
    return None if change.until is not None and change.until <= now else change


def slices_of(reception: WebhookResult) -> Iterator[WebhookResult]:
    """Yield the reception in the order in which it takes effect: messages by the provider's time, then receipts, changes and what
    was set aside. One with few items is yielded as it is."""
    kinds = {name: getattr(reception, name) for name in ("messages", "receipts", "changes", "unparsed")}
    if sum(map(len, kinds.values())) <= SLICE:
        yield reception
        return
    kinds["messages"] = sorted(reception.messages, key=lambda message: message.at)
    for name, items in kinds.items():
        for start in range(0, len(items), SLICE):
            yield WebhookResult(reception.response, verified=True, **{name: tuple(items[start : start + SLICE])})


def _is_heavy(reception: WebhookResult) -> bool:
    return sum(MESSAGE_WEIGHT + len(message.text) for message in reception.messages) >= HEAVY


def sanitize_message(message: InboundMessage) -> InboundMessage:
    """Return the message with texts that can be stored, also where its channel let others through."""
    person = message.person
    named = replace(
        person, name=person.name and sanitize_text(person.name), username=person.username and sanitize_text(person.username)
    )
    files = tuple(
        replace(
            each,
            mime=sanitize_text(each.mime),
            name=each.name and sanitize_text(each.name),
            url=each.url and sanitize_text(each.url),
        )
        for each in message.attachments
    )
    corrects = message.corrects and replace(message.corrects, text=sanitize_text(message.corrects.text))
    return replace(
        message,
        corrects=corrects,
        text=sanitize_text(message.text),
        raw=sanitize_text(message.raw),
        kind=sanitize_text(message.kind),
        person=named,
        attachments=files,
    )
