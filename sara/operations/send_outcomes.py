"""Outcomes of messages that an operator sent: whether they left, and if not, why and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import structlog

from sara.domain.jobs import OpenWork
from sara.domain.messages import StoredMessage
from sara.domain.problems import Problem, problem_key
from sara.domain.states import RECEIVED_BY_PROVIDER
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.policy import reply_window
from sara.queue.sleep import sleep

log = structlog.get_logger("sara.operations.send_outcomes")

SendState: TypeAlias = Literal["sent", "on_its_way", "scheduled", "waits", "failed"]

LOOK_EVERY_S = 0.1

_OPTED_OUT = "the customer asked for no more messages; your own words are sent all the same"
_NO_DAEMON = "no daemon is running; it is sent once SARA runs"
_WINDOW = "the customer's last message is too long ago: it waits until they write again"
_TEMPLATE = "; a template asks them to"


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The state as a word for programs, `detail` as a sentence for people, `remedy` as an instruction, and a further `note`."""

    state: SendState
    detail: str
    remedy: str = ""
    note: str = ""


class SendOutcomes:
    """Reads the outcome of a sent message from its parts. `is_held` says whether a lane is held; None where no daemon runs."""

    def __init__(
        self,
        store: Store,
        routes: ChannelBindings,
        clock: Clock,
        is_held: Callable[[str], bool] | None,
        problems: ProblemRegistry | None = None,
    ) -> None:
        self._store = store
        self._routes = routes
        self._clock = clock
        self._is_held = is_held
        self._problems = problems

    async def wait_for(self, work: Sequence[OpenWork], within_s: float) -> SendOutcome:
        """Return the outcome once there is one, or as far as it is known after `within_s` seconds."""
        looks = max(0, round(within_s / LOOK_EVERY_S))
        while (outcome := await self.look(work)).state == "on_its_way" and looks:
            looks -= 1
            await sleep(LOOK_EVERY_S)
        return outcome

    async def look(self, work: Sequence[OpenWork]) -> SendOutcome:
        """Return the outcome as it is now; `work` is what sending returned. Raises nothing: the message is stored, and an error would have
        somebody send it twice."""
        try:
            return await self._look(work)
        except Exception as error:
            log.warning("send_outcome_unknown", conversation=work[0].conversation, error=type(error).__name__)
            return SendOutcome("on_its_way", "stored; what became of it cannot be looked up now")

    async def _look(self, work: Sequence[OpenWork]) -> SendOutcome:
        conversation = work[0].conversation
        summary = await self._store.conversation(conversation)
        ids = [part for each in work for part in each.parts]
        parts = [part for id in ids if (part := await self._store.find(id)) is not None]
        open_part = next((part for part in parts if part.state not in RECEIVED_BY_PROVIDER), None)
        note = _OPTED_OUT if summary.opted_out else ""
        if open_part is None:
            return SendOutcome("sent", "accepted by the provider", note=note)
        route = self._routes.of(summary.account)
        if route is None:
            return SendOutcome("waits", f"no channel in the file serves {summary.account}", "put the channel back", note)
        return replace(await self._outcome_of(open_part, ids, route), note=note)

    async def _outcome_of(self, part: StoredMessage, ids: Sequence[str], route: ChannelBinding) -> SendOutcome:
        why = f"`sara why {part.id}` shows what happened"
        match part.state:
            case "parked" if part.reason == "scheduled":
                return SendOutcome("scheduled", "will be sent at its time", await self._late(part, route))
            case "parked" if part.reason == "window_closed":
                return SendOutcome("waits", _closed(route), why)
            case "parked":
                return SendOutcome("waits", f"it waits ({part.reason})", why)
            case "failed" | "cancelled":
                return SendOutcome("failed", f"it was not sent: {part.error or part.reason}", why)
            case "held" | "in_doubt":
                return SendOutcome("waits", "it is not known whether it arrived", why)
        return await self._outcome_of_queued(part, ids, route)

    async def _outcome_of_queued(self, part: StoredMessage, ids: Sequence[str], route: ChannelBinding) -> SendOutcome:
        view = await self._store.delivery_view(part.conversation)
        if view is not None and view.part.id not in ids and view.state == "in_doubt":
            detail = f"an earlier message, {view.part.id}, comes first, and it is not known whether that arrived"
            return SendOutcome("waits", detail, f"`sara why {view.part.id}` shows what happened")
        if view is not None and reply_window.window_closed(view, route.channel.reply_window, self._clock()):
            return SendOutcome("waits", _closed(route))
        if self._is_held is None:
            return SendOutcome("waits", _NO_DAEMON, "start it: `systemctl start sara`, or `sara run`")
        if (problem := self._lane_problem(route)) is not None:
            return SendOutcome("waits", problem.message, problem.remedy)
        if self._is_held(route.deliver_lane):
            return SendOutcome("on_its_way", f"{route.name} makes a pause; it is sent after that")
        error = view.last.error if view is not None and view.part.id == part.id and view.last is not None else None
        return SendOutcome("on_its_way", f"not sent yet, and tried again: {error}" if error else "on its way")

    def _lane_problem(self, route: ChannelBinding) -> Problem | None:
        """Return what a person has to fix before a channel can send."""
        keys = (problem_key("lane", route.deliver_lane, "blocked"), problem_key("lane", route.deliver_lane, "throttled"))
        return next((each for each in self._problems or () if each.key in keys), None)

    async def _late(self, part: StoredMessage, route: ChannelBinding) -> str:
        """Return a warning where the reply window will be closed when a scheduled message is due."""
        view = await self._store.timer_view(part.conversation, 1)
        window, at = route.channel.reply_window, None if view is None else view.scheduled
        if view is None or window is None or at is None or (view.window_from is not None and at < view.window_from + window):
            return ""
        return f"unless the customer writes before, the time to answer freely is over then, and it waits until they write{_asks(route)}"


def _closed(route: ChannelBinding) -> str:
    return _WINDOW + _asks(route)


def _asks(route: ChannelBinding) -> str:
    return _TEMPLATE if route.channel.reopen_template() is not None else ""
