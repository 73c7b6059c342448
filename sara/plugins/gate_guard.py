"""Call gates of plugins: a wrong result or an exception becomes a problem and lets the message through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sara.domain.problems import problem_key
from sara.domain.replies import ReplyView
from sara.domain.text import sanitize_text
from sara.i18n.catalog import ENGLISH
from sara.plugins.call_guard import describe_failure, guarded_call
from sara.policy.reply_gates import LATEST, LONGEST_REASON, Allow, Decision, Defer, Gate, GateContext, SendNotice, Skip, _all

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter
    from sara.policy.settings import ConversationSettings


def guard_gate(gate: Gate, plugin: str, problems: ProblemReporter) -> Gate:
    """Return the gate of a plugin, wrapped to allow every turn where it fails or returns no valid decision."""

    def asked(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
        try:
            decision = guarded_call(gate, view, policy, facts)
            fault = _fault_of(decision, view, facts)
            if fault is None:
                return _kept(decision, plugin)
            what = f"answered with {fault}"
        except Exception as error:
            what = describe_failure(error)
        problems.report(
            problem_key("plugin", plugin, "gate"),
            f"a gate of the plugin {plugin} {what}; the gate is ignored",
            "update or remove the plugin",
        )
        return Allow()

    return asked


def _fault_of(decision: object, view: ReplyView, facts: GateContext) -> str | None:
    """Return what is wrong with a plugin's decision; None for nothing.

    A decision that changes nothing is a fault: the gate would be called again at once.
    """
    match decision:
        case Allow():
            return None
        case Skip(messages, reason):
            known = isinstance(messages, tuple) and bool(messages) and set(messages) <= set(_all(view))
            return None if known and isinstance(reason, str) else "a Skip of messages that do not wait"
        case Defer(until, _, reason):
            if not isinstance(reason, str):
                return f"a Defer whose reason is a {type(reason).__name__}"
            later = isinstance(until, int) and facts.now < until < LATEST
            return None if later else "a Defer for a moment that is over"
        case SendNotice(key, then, since, values):
            if not isinstance(key, str) or key not in ENGLISH or not isinstance(values, Mapping):
                return "a SendNotice of a text that SARA does not have"
            if not isinstance(since, int) or since > facts.now:
                return "a SendNotice since a moment that is to come"
            return _fault_of(then, view, facts)
    return f"a {type(decision).__name__}"


def _kept(decision: Decision, plugin: str) -> Decision:
    """Return the decision with its plugin as the reason, marked as a deferral so that the turn does not look overdue."""
    match decision:
        case SendNotice():
            return replace(decision, then=_kept(decision.then, plugin))
        case Defer():
            reason = sanitize_text(decision.reason)[:LONGEST_REASON]
            return replace(decision, blocked=True, reason=f"{plugin}: {reason}" if reason else f"by the plugin {plugin}")
        case Skip():
            return replace(decision, reason=sanitize_text(decision.reason)[:LONGEST_REASON])
    return decision
