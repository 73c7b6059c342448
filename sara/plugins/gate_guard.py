"""Call gates of plugins: what they raise or return wrongly becomes a problem and lets the message through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sara.domain.problems import problem_key
from sara.domain.replies import ReplyView
from sara.domain.text import sanitize_text
from sara.i18n.catalog import ENGLISH
from sara.plugins.call_guard import guarded_call, told_of
from sara.policy.reply_gates import LATEST, LONGEST_REASON, Allow, Decision, Defer, Gate, GateContext, SendNotice, Skip, _all

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter
    from sara.policy.settings import ConversationSettings


def guarded(gate: Gate, plugin: str, problems: ProblemReporter) -> Gate:
    """A plugin's gate, which lets everybody through where it fails or says what is no decision."""

    def asked(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
        try:
            decision = guarded_call(gate, view, policy, facts)
            fault = _fault_of(decision, view, facts)
            if fault is None:
                return _kept(decision, plugin)
            what = f"answered with {fault}"
        except Exception as error:
            what = told_of(error)
        problems.report(
            problem_key("plugin", plugin, "gate"),
            f"a gate of the plugin {plugin} {what}; the gate is ignored",
            "update or remove the plugin",
        )
        return Allow()

    return asked


def _fault_of(decision: object, view: ReplyView, facts: GateContext) -> str | None:
    """What is wrong with a stranger's decision; None for nothing. One that changes nothing would be asked for again at once."""
    match decision:
        case Allow():
            return None
        case Skip(messages, reason):
            known = isinstance(messages, tuple) and bool(messages) and set(messages) <= set(_all(view))
            return None if known and isinstance(reason, str) else "a Skip of messages that do not wait"
        case Defer(until, _, reason):
            if not isinstance(reason, str):
                return f"a Wait whose reason is a {type(reason).__name__}"
            later = isinstance(until, int) and facts.now < until < LATEST
            return None if later else "a Wait for a moment that is over"
        case SendNotice(key, then, since, values):
            if not isinstance(key, str) or key not in ENGLISH or not isinstance(values, Mapping):
                return "a Say of a text that SARA does not have"
            if not isinstance(since, int) or since > facts.now:
                return "a Say since a moment that is to come"
            return _fault_of(then, view, facts)
    return f"a {type(decision).__name__}"


def _kept(decision: Decision, plugin: str) -> Decision:
    """The same, with a wait that is written down: it is not the turn's own, and nobody should find it overdue."""
    match decision:
        case SendNotice():
            return replace(decision, then=_kept(decision.then, plugin))
        case Defer():
            reason = sanitize_text(decision.reason)[:LONGEST_REASON]
            return replace(decision, blocked=True, reason=f"{plugin}: {reason}" if reason else f"by the plugin {plugin}")
        case Skip():
            return replace(decision, reason=sanitize_text(decision.reason)[:LONGEST_REASON])
    return decision
