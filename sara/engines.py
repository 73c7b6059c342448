"""What only stores and queues need: their contracts, and the values that pass between them and SARA."""

from __future__ import annotations

from sara.domain.contacts import ErasureReport, SubjectData
from sara.domain.conversations import (
    ConversationSummary,
    Handoff,
    OneTimeNotice,
    OperatorNotification,
    TimerView,
    UnhealthyConversation,
)
from sara.domain.delivery import Attempt, AttemptResult, DeliveryView
from sara.domain.errors import CommitUnknown, Conflict, NotFound, OverBudget, StoreLocked, StoreUnavailable
from sara.domain.jobs import Done, Job, JobEnd, JobRequest, OpenWork, Reschedule
from sara.domain.messages import Download, LocalizedContent, SearchHit, TimelineEvent
from sara.domain.replies import ReplySideEffects, ReplyView, ToolRecord, UsageLimit, UsageReservation
from sara.domain.states import (
    GIVEN_UP,
    RECEIPT_RANK,
    RECEIVED_BY_PROVIDER,
    UNDELIVERABLE,
    UNSENT,
    UNSETTLED,
    AttemptState,
    FileState,
    InboundState,
    JobKind,
    Mode,
    OutboundState,
    Purpose,
    Role,
)
from sara.domain.storage import AcceptResult, ClassifiedMessage, InboundBatch, InboundDecision, RecoveryReport
from sara.domain.webhooks import AccountChange
from sara.plugins.queue import JobHandler, JobListener, Queue
from sara.plugins.responder import HistoryLimits
from sara.plugins.store import Store
from sara.plugins.store_queries import StoreQueries
from sara.queue.entries import Entry
from sara.queue.scheduler import ScheduledQueue

__all__ = [
    "GIVEN_UP",
    "RECEIPT_RANK",
    "RECEIVED_BY_PROVIDER",
    "UNDELIVERABLE",
    "UNSENT",
    "UNSETTLED",
    "AcceptResult",
    "AccountChange",
    "Attempt",
    "AttemptResult",
    "AttemptState",
    "ClassifiedMessage",
    "CommitUnknown",
    "Conflict",
    "ConversationSummary",
    "DeliveryView",
    "Done",
    "Download",
    "Entry",
    "ErasureReport",
    "FileState",
    "Handoff",
    "HistoryLimits",
    "InboundBatch",
    "InboundDecision",
    "InboundState",
    "Job",
    "JobEnd",
    "JobHandler",
    "JobKind",
    "JobListener",
    "JobRequest",
    "LocalizedContent",
    "Mode",
    "NotFound",
    "OneTimeNotice",
    "OpenWork",
    "OperatorNotification",
    "OutboundState",
    "OverBudget",
    "Purpose",
    "Queue",
    "RecoveryReport",
    "ReplySideEffects",
    "ReplyView",
    "Reschedule",
    "Role",
    "ScheduledQueue",
    "SearchHit",
    "Store",
    "StoreLocked",
    "StoreQueries",
    "StoreUnavailable",
    "SubjectData",
    "TimelineEvent",
    "TimerView",
    "ToolRecord",
    "UnhealthyConversation",
    "UsageLimit",
    "UsageReservation",
]
