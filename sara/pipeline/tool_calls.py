"""The tool calls of one turn: checked, recorded before they are made, bounded, and never repeated."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from pydantic import Field, ValidationError

from sara.domain.errors import SaraError
from sara.domain.options import Options
from sara.domain.problems import problem_key
from sara.domain.replies import ToolContext, ToolSpec, is_tool_named
from sara.domain.text import sanitize_text
from sara.pipeline import argument_repair
from sara.plugins.call_guard import CallGuard, describe_failure, guarded_call
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.plugins.tool import Tool
from sara.plugins.tool_checks import HANDOFF_TOOL, select_tools
from sara.plugins.type_check import wrong_type

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter


log = structlog.get_logger("sara.pipeline.tool_calls")

MOST_CALLS = 12
"""Maximum number of calls for one answer; a model that goes on is told to stop."""

LONGEST = 8_000
"""Characters of a result that the model is given."""

_WRONG = "The arguments are wrong, and nothing was done: "
_MOST_REPAIRS = 4
NOT_KNOWN = "Whether it was done is not known, so it is not done again. Say that a person will check it."
UNKNOWN = "This was begun before and its outcome is not known, so it is not done again. Say that a person will check it."
DONE_SILENTLY = "It was called, and said nothing."


class HandOverArguments(Options):
    """Arguments with which the model asks for a person."""

    reason: str = Field(min_length=1, max_length=500, description="In one sentence, for the colleague: what the customer needs.")


HANDOFF_SPEC = ToolSpec(
    HANDOFF_TOOL,
    "Let a person of the business take over this conversation. Use it when the customer asks for a person, is upset, or needs"
    " something that you cannot do. Afterwards tell the customer, in their language, that a colleague will answer here.",
    HandOverArguments.model_json_schema(),
)


class ToolCalls:
    """The tools that plugins bring, and what their calls need in every turn."""

    def __init__(
        self, store: Store, tools: Mapping[str, Tool], call_guard: CallGuard, problems: ProblemReporter, clock: Clock
    ) -> None:
        self.store = store
        self.call_guard = call_guard
        self.problems = problems
        self.clock = clock
        self._tools = tools

    def for_turn(self, names: Sequence[str], attempt: int, scope: ToolContext, claim: Callable[[], None]) -> TurnTools:
        """Return the tools of these names for one attempt to answer. `claim` is called before each call."""
        return TurnTools(self, select_tools(names, self._tools), HANDOFF_TOOL in names, attempt, scope, claim)


class TurnTools:
    """The tools that a responder's model may call in one turn, for this turn's customer only.

    `wanted` is the reason for which the model wants a person to take over: done together with keeping the answer, so that there
    is never one without the other. `claim` is called before anything is done; it raises where another turn's tools did first.
    """

    def __init__(
        self,
        calls: ToolCalls,
        tools: Sequence[Tool],
        hands_over: bool,
        attempt: int,
        scope: ToolContext,
        claim: Callable[[], None],
    ) -> None:
        self._claim = claim
        self._tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._hands_over = hands_over
        self._names = [HANDOFF_TOOL, *self._tools] if hands_over else list(self._tools)
        self._store = calls.store
        self._attempt = attempt
        self._scope = scope
        self._call_guard = calls.call_guard
        self._problems = calls.problems
        self._clock = calls.clock
        self._calls: Counter[tuple[str, str]] = Counter()
        self.wanted: str | None = None

    @cached_property
    def specs(self) -> Sequence[ToolSpec]:
        """Return the specifications for the model. Made once a turn: a schema takes a millisecond, and every request shows all of them."""
        brought = [ToolSpec(tool.name, tool.description, tool.Arguments.model_json_schema()) for tool in self._tools.values()]
        return [HANDOFF_SPEC, *brought] if self._hands_over else brought

    async def call(self, name: str, arguments: str) -> str:
        """Run a tool, as `ToolCaller.call` says. Raises Conflict where the turn has moved on, StoreUnavailable and StoreLost."""
        self._claim()
        if self._calls.total() >= MOST_CALLS:
            return "No more tools can be used for this answer. Answer with what you know."
        name = next((known for known in self._names if is_tool_named(known, name)), name)
        if name == HANDOFF_TOOL and self._hands_over:
            return self._hand_over(arguments)
        tool = self._tools.get(name)
        if tool is None:
            self._calls[name, ""] += 1
            return f"There is no tool of that name. There are: {', '.join(self._names) or 'none'}."
        try:
            parsed = guarded_call(_parsed, tool.Arguments, arguments)
            canonical = parsed if isinstance(parsed, str) else guarded_call(parsed.model_dump_json)
        except Exception as error:
            log.exception("tool_exception", tool=tool.name, conversation=self._scope.conversation)
            self._report(tool, f"{describe_failure(error)} when its arguments were checked; nothing was done")
            parsed = canonical = "This cannot be done at the moment; nothing was done."
        if isinstance(parsed, str):
            self._calls[name, ""] += 1
            return parsed
        self._calls[name, canonical] += 1
        occurrence = self._calls[name, canonical]
        conversation = self._scope.conversation
        record, new = await self._store.begin_tool(conversation, self._attempt, name, canonical, occurrence, self._clock())
        if not new:
            log.info("tool_repeat_suppressed", tool=name, conversation=conversation, known=record.result is not None)
            return record.result if record.result is not None else UNKNOWN
        result = await self._run(tool, parsed)
        if result is None:
            return UNKNOWN
        await self._store.end_tool(record.id, result, self._clock())
        return result

    def _hand_over(self, arguments: str) -> str:
        self._calls[HANDOFF_TOOL, ""] += 1
        parsed = _parsed(HandOverArguments, arguments)
        if isinstance(parsed, str):
            return parsed
        self.wanted = sanitize_text(str(parsed.reason))  # type: ignore[attr-defined]  # parsed by that very model
        return "A colleague takes over after your answer. Tell the customer so, in their language."

    async def _run(self, tool: Tool, arguments: Options) -> str | None:
        """Return the result or the failure's own words; None where it is unknown whether it was done."""
        called = f"tool:{tool.name}"
        if self._call_guard.is_blocked(called):
            return "This cannot be done at the moment."
        try:
            call = guarded_call(tool.run, arguments, self._scope)
            result = await self._call_guard.call(called, call, tool.timeout) if inspect.iscoroutine(call) else call
        except SaraError as error:
            log.warning("tool_failed", tool=tool.name, conversation=self._scope.conversation, error=type(error).__name__)
            return sanitize_text(self._problems.redact(f"It could not be done: {error}"))[:LONGEST]
        except TimeoutError:
            seconds = f"{tool.timeout / 1_000:g} s"
            log.warning("tool_timeout", tool=tool.name, conversation=self._scope.conversation, timeout_ms=tool.timeout)
            self._report(tool, f"did not end within {seconds}; whether it did anything is not known")
            return f"It did not end within {seconds}. {NOT_KNOWN}"
        except Exception as error:
            log.exception("tool_exception", tool=tool.name, conversation=self._scope.conversation)
            self._report(tool, f"{describe_failure(error)}; whether it did anything is not known")
            return None
        if not inspect.iscoroutine(call):
            self._report(tool, "is no async function: everything else waited while it ran")
            return sanitize_text(result)[:LONGEST] if isinstance(result, str) else _as_text(result)
        if not isinstance(result, str):
            self._report(tool, f"{describe_failure(wrong_type('its result', result, 'text'))}; it was called all the same")
            return _as_text(result)
        self._problems.clear(problem_key("tool", tool.name, "failed"))
        return sanitize_text(result)[:LONGEST]

    def _report(self, tool: Tool, what: str) -> None:
        self._problems.report(
            problem_key("tool", tool.name, "failed"), f"the tool {tool.name} {what}", "see the log; update or remove the plugin"
        )


def _as_text(result: object) -> str:
    """Return a result that is no text in a form that a model can read."""
    if result is None:
        return DONE_SILENTLY
    try:
        return sanitize_text(json.dumps(result, ensure_ascii=False))[:LONGEST]
    except (TypeError, ValueError, RecursionError):
        return DONE_SILENTLY


def _parsed(model: type[Options], arguments: str) -> Options | str:
    """Return the arguments, corrected where the intention is plain, or the model's mistake."""
    try:
        return model.model_validate_json(arguments.strip() or "{}")
    except ValidationError as error:
        fault = error
    except ValueError as error:
        return f"{_WRONG}{_faults(error)}"
    given = argument_repair.read(arguments)
    for _ in range(_MOST_REPAIRS):
        if given is None or (mended := argument_repair.mended(given, fault)) is None:
            break
        try:
            # As JSON, so that the rules for JSON hold and not those for Python's values.
            return model.model_validate_json(json.dumps(mended))
        except ValidationError as error:
            fault = error
        given = mended
    return f"{_WRONG}{_faults(fault)}"


def _faults(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "they are no JSON"
    faults = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors(include_input=False)]
    return sanitize_text("; ".join(faults))[:1_000]
