"""Accept a Reception: stored first, everything else after."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import structlog

from sara import receipts, rules
from sara.contracts import Clock, Queue, Store
from sara.lanes import Lanes
from sara.model import AccountEvent, Arrival, Draft, InboundMessage, Intake, Reception, Taken, Verdict
from sara.parts import storable
from sara.plugins import Hooks
from sara.problems import DAY, Problems
from sara.routes import Route, Routes
from sara.texts import text

log = structlog.get_logger("sara.inbox")


class Inbox:
    """Puts what a channel understood into the store, then wakes whoever has to look."""

    def __init__(
        self, store: Store, queue: Queue, routes: Routes, lanes: Lanes, hooks: Hooks, problems: Problems, clock: Clock
    ) -> None:
        self._store = store
        self._queue = queue
        self._routes = routes
        self._lanes = lanes
        self._hooks = hooks
        self._problems = problems
        self._clock = clock
        self._following: set[asyncio.Task[None]] = set()

    async def accept(self, route: Route, reception: Reception) -> None:
        """Return once the store has it all. Raises StoreUnavailable or StoreLost, and then nothing may be acknowledged."""
        if not reception.verified:
            return
        taken = await self._store.accept(intake_of(reception, route), self._clock())
        self._tell(route, reception)
        receipts.follow(route, reception.receipts, taken, self._lanes, self._problems)
        # The provider's 200 does not wait for the wake; should it be lost, the sweep finds the work.
        self._follow(self._wake(taken))
        if self._hooks.any("message_received", "delivery_changed"):
            self._follow(self._fire(taken))

    async def close(self) -> None:
        """Wait for what still follows from accepted receptions."""
        if self._following:
            await asyncio.wait(self._following, timeout=5)

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _wake(self, taken: Taken) -> None:
        try:
            await self._queue.wake(self._routes.wakes(taken.work))
        except Exception as error:
            log.warning("wake_failed", error=str(error))
            self._problems.report(
                "queue:wake", f"the queue could not be woken: {error}", "the sweep wakes it within 30 s; look at the disk"
            )
        else:
            self._problems.clear("queue:wake")

    async def _fire(self, taken: Taken) -> None:
        for message in taken.stored:
            await self._hooks.fire("message_received", message=message)
        for message, receipt in taken.receipts:
            await self._hooks.fire("delivery_changed", message=message, receipt=receipt)

    def _tell(self, route: Route, reception: Reception) -> None:
        for item in reception.set_aside:
            self._problems.report(
                f"set-aside:{route.name}",
                f"{route.name}: something signed was not understood and is kept aside ({item.reason})",
                "nothing is lost; see `sara queue stats` for the count, and report it to the plugin's author",
                lasts=DAY,
            )
        for change in reception.changes:
            if isinstance(change, AccountEvent) and change.serious:
                self._problems.report(
                    f"account:{route.name}:{change.kind}",
                    f"{route.name}: {change.summary}",
                    "see the provider's console",
                    lasts=7 * DAY,
                )


def intake_of(reception: Reception, route: Route) -> Intake:
    """What goes into the store: each message with its verdict and quiet window."""
    policy = route.policy
    arrivals = tuple(
        Arrival(each, judge(each), policy.quiet, policy.quiet_longest) for each in map(kept_whole, reception.messages)
    )
    return Intake(route.channel.account, arrivals, reception.receipts, reception.changes, reception.set_aside)


def kept_whole(message: InboundMessage) -> InboundMessage:
    """The message with texts that can be stored, whatever its channel let through."""
    person = message.person
    named = replace(person, name=person.name and storable(person.name), username=person.username and storable(person.username))
    files = tuple(
        replace(each, mime=storable(each.mime), name=each.name and storable(each.name), url=each.url and storable(each.url))
        for each in message.attachments
    )
    return replace(
        message,
        text=storable(message.text),
        raw=storable(message.raw),
        kind=storable(message.kind),
        person=named,
        attachments=files,
    )


def judge(message: InboundMessage) -> Verdict:
    """The immediate rules: consent words take effect with the message itself."""
    if not message.answer:
        return Verdict(skip="recorded")
    consent = rules.consent_of(message.text) if message.kind in ("text", "button") else None
    if consent is None:
        return Verdict()
    notice = Draft(text("opted_out" if consent == "opt_out" else "opted_in"))
    return Verdict(skip=consent, consent=consent, notice=notice)
