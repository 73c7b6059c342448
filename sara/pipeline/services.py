"""Collaborators that the handlers of jobs and of incoming messages share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sara.domain.problems import ProblemReporter
from sara.i18n.catalog import MessageCatalog
from sara.pipeline.bindings import ChannelBindings
from sara.pipeline.handoff import HandoffFactory
from sara.plugins.hooks import Hooks
from sara.policy import reply_gates
from sara.policy.ai_budget import AIBudget
from sara.queue.circuit_breaker import LaneBreaker
from sara.queue.notifier import JobNotifier

if TYPE_CHECKING:
    from sara.policy.settings import RetryPolicy


@dataclass(frozen=True, slots=True)
class Routing:
    """Where work goes: the channel of an account, the jobs of a conversation, and the lanes in which jobs wait."""

    bindings: ChannelBindings
    notifier: JobNotifier
    lanes: LaneBreaker


@dataclass(frozen=True, slots=True)
class Reporting:
    """Recipients of what happened: the operator by problems, plugins by hooks."""

    problems: ProblemReporter
    hooks: Hooks


@dataclass(frozen=True, slots=True)
class Backoff:
    """When failed work is tried again. `chance` spreads retries that would coincide."""

    policy: RetryPolicy
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class ReplyServices:
    """Collaborators of the conversation policy that are not part of its section in the file."""

    texts: MessageCatalog
    budget: AIBudget
    handoffs: HandoffFactory
    gates: Sequence[reply_gates.Gate] = reply_gates.CORE
