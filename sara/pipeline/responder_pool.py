"""The responders of a channel, asked in turn for one answer; their failures are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import structlog

from sara.domain.errors import CommitUnknown, Conflict, GiveUp, RetryLater, StoreUnavailable
from sara.domain.problems import problem_key
from sara.domain.replies import Reply, Turn
from sara.domain.text import is_visible, sanitize_text
from sara.pipeline.hedged_calls import HedgedCalls
from sara.pipeline.media_downloads import MediaDownloads
from sara.plugins.call_guard import CallGuard, describe_failure
from sara.plugins.responder import Responder
from sara.policy import retry
from sara.policy.ai_budget import counted
from sara.policy.retry import ResponderCrashed
from sara.queue.circuit_breaker import LaneBreaker

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter
    from sara.pipeline.bindings import ChannelBinding
    from sara.pipeline.tool_calls import TurnTools

log = structlog.get_logger("sara.pipeline.responder_pool")

GRACE = 5_000
"""How much longer than its own time-out, in milliseconds, a responder is waited for; at most as long again."""

Toolboxes: TypeAlias = "Callable[[Callable[[], None]], TurnTools]"
"""Makes tools for one call; it is given what is called before any of them is used, and then no other call of the question goes on."""


class ResponderPool:
    """Asks responders for answers."""

    def __init__(self, call_guard: CallGuard, downloads: MediaDownloads, lanes: LaneBreaker, problems: ProblemReporter) -> None:
        self._call_guard = call_guard
        self._downloads = downloads
        self._lanes = lanes
        self._problems = problems
        self._hedging = HedgedCalls()

    async def ask(self, route: ChannelBinding, turn: Turn, toolbox: Toolboxes, until: float) -> tuple[Reply, TurnTools]:
        """Ask the responders in turn; one pass through all of them is one attempt. Files are waited for until the loop's time `until`.

        Each call has tools of its own, with their own count: a tool call that an earlier one made is recognised and not repeated,
        and what that one wanted besides its answer does not follow from another's.

        Raises RetryLater if any of them may answer later, otherwise GiveUp.
        """
        failed: list[RetryLater | GiveUp] = []
        for name, responder in route.responders:
            try:
                return await self._ask_one(route, name, responder, turn, toolbox, until)
            except (RetryLater, GiveUp) as error:
                failed.append(error)
        raise retry.combine(failed)

    async def _ask_one(
        self, route: ChannelBinding, name: str, responder: Responder, turn: Turn, toolbox: Toolboxes, until: float
    ) -> tuple[Reply, TurnTools]:
        called = f"responder:{name}"
        if self._call_guard.is_blocked(called):
            log.warning("responder_skipped", responder=name, conversation=turn.conversation)
            raise RetryLater(f"{name} is not called: too many of its calls do not end", scope="responder")
        try:
            left = int((until - asyncio.get_running_loop().time()) * 1_000)
            turn = await self._downloads.prepare(route, turn, responder, left)
            within = responder.timeout + min(GRACE, responder.timeout)

            async def call(claim: Callable[[], None]) -> tuple[Reply, TurnTools]:
                tools = toolbox(claim)
                return await self._call_guard.call(called, responder.answer(turn, tools), within), tools

            reply, tools = await self._hedging.ask(
                name, call, partial(self._lanes.begins, route.reply_lane), lambda: not self._call_guard.count_stuck().get(called)
            )
        except (RetryLater, GiveUp) as error:
            log.warning(
                "responder_failed", responder=name, conversation=turn.conversation, error=str(error), kind=type(error).__name__
            )
            raise
        except (Conflict, StoreUnavailable, CommitUnknown):
            raise  # of a tool that it called, or of what was changed meanwhile: that is not the responder's fault
        except TimeoutError as error:
            log.warning("responder_timeout", responder=name, conversation=turn.conversation)
            raise RetryLater(f"{name} did not answer within {responder.timeout} ms", scope="responder") from error
        except Exception as error:
            log.exception("responder_exception", responder=name, conversation=turn.conversation)
            raise self._broke(name, describe_failure(error)) from error
        if not isinstance(reply, Reply):
            raise self._broke(name, f"answered with a {type(reply).__name__}")
        said = tuple(part for part in reply.parts if part.kind != "text" or is_visible(sanitize_text(part.text)))
        if not said:
            raise RetryLater(f"{name} answered nothing")
        self._problems.clear(problem_key("responder", name, "exception"))
        return replace(reply, parts=said, usage=counted(reply.usage)), tools

    def _broke(self, name: str, how: str) -> ResponderCrashed:
        self._problems.report(
            problem_key("responder", name, "exception"),
            f"the responder {name} failed: it {how}",
            "see the log and report it to the plugin's author",
        )
        return ResponderCrashed(f"{name} broke: it {how}")
