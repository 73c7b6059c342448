"""The composition root: joins the components of one daemon. It does no I/O and awaits nothing."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sara.domain.errors import SaraError
from sara.domain.storage import RecoveryReport
from sara.domain.time import Instant
from sara.i18n.catalog import MessageCatalog
from sara.operations import conversation_health, erasure, load_shedding, message_quota, retention
from sara.operations.ai_usage import AIUsage
from sara.operations.conversation_health import ConversationHealth
from sara.operations.erasure import ErasureService
from sara.operations.load_shedding import IntakeGuard
from sara.operations.message_quota import MessageQuotaMonitor
from sara.operations.operator_actions import OperatorActions
from sara.operations.orphans import OrphanMonitor
from sara.operations.problem_registry import ProblemRegistry
from sara.operations.retention import Retention
from sara.operations.send_outcomes import SendOutcomes
from sara.pipeline import media
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.pipeline.delivery import AttemptSource, DeliveryHandler
from sara.pipeline.handoff import HandoffFactory
from sara.pipeline.inbound import InboundHandler, InboundRules
from sara.pipeline.media import MediaStore
from sara.pipeline.media_downloads import MediaDownloads
from sara.pipeline.reply import Answering, ReplyHandler
from sara.pipeline.responder_pool import ResponderPool
from sara.pipeline.services import Backoff, ReplyServices, Reporting, Routing
from sara.pipeline.timers import TimerHandler
from sara.pipeline.tool_calls import ToolCalls
from sara.pipeline.typing_indicator import TypingIndicator
from sara.plugins.call_guard import CallGuard
from sara.plugins.channel import media_directory
from sara.plugins.hooks import Hooks
from sara.plugins.queue import JobHandler, Queue
from sara.plugins.store import Store
from sara.plugins.tool import Tool
from sara.policy.ai_budget import AIBudget
from sara.policy.keywords import KeywordMatcher
from sara.policy.reply_gates import Gate
from sara.queue import clock_monitor, sweeper
from sara.queue.circuit_breaker import LaneBreaker
from sara.queue.clock_monitor import ClockMonitor
from sara.queue.crash_isolation import CrashIsolation
from sara.queue.notifier import JobNotifier
from sara.queue.sweeper import Sweeper
from sara.queue.worker import Worker
from sara.runtime.background import BackgroundTask, periodic
from sara.runtime.clock import Environment
from sara.web.admin.app import AdminApp
from sara.web.admin.conversations import ActionRoutes, ConversationRoutes
from sara.web.admin.health import HealthRoutes, MetricsRoutes, UnparsedPayloadRoutes
from sara.web.admin.privacy import PrivacyRoutes
from sara.web.admin.queue import QueueRoutes
from sara.web.crash_log import ParseCrashLog
from sara.web.webhooks import WebhookApp

if TYPE_CHECKING:
    from sara.config.settings import Config

CONCURRENT_REPLIES = 256
CONCURRENT_SENDS = 80
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The opened store and queue, the id of the run that owns them, and what the former run left behind."""

    store: Store
    queue: Queue
    owner: str
    recovered: RecoveryReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """The contributions of the other plugins: channels, gates and tools, and the paths of channels that are not running."""

    bindings: ChannelBindings
    gates: Sequence[Gate]
    tools: Mapping[str, Tool]
    unavailable_paths: Set[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """The parts of a daemon that exist before its components."""

    config: Config
    environment: Environment
    problems: ProblemRegistry
    call_guard: CallGuard
    hooks: Hooks
    engines: Engines
    extensions: Extensions
    crash_log: ParseCrashLog
    admin_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The components that jobs and incoming messages pass through."""

    routing: Routing
    services: ReplyServices
    media: MediaStore
    downloads: MediaDownloads
    inbound: InboundHandler
    reply: ReplyHandler
    delivery: DeliveryHandler
    timers: TimerHandler

    @property
    def handlers(self) -> Mapping[str, JobHandler]:
        """Return the handlers of jobs by kind."""
        return {"reply": self.reply, "deliver": self.delivery, "timer": self.timers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The components around the way of a message."""

    intake: IntakeGuard
    erasure: ErasureService
    retention: Retention
    quota: MessageQuotaMonitor
    health: ConversationHealth
    usage: AIUsage
    orphans: OrphanMonitor

    async def clear_solved(self) -> None:
        """Clear the problems that an operator solved by retrying or dropping messages."""
        with contextlib.suppress(SaraError):  # the operator's change itself is done
            await self.orphans.check()
            await self.health.forget_mended()


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """A composed daemon that does not run yet. `stopping` ends its background tasks."""

    engines: Engines
    pipeline: Pipeline
    operations: Operations
    worker: Worker
    sweeper: Sweeper
    webhooks: WebhookApp
    admin: AdminApp
    health: HealthRoutes
    background: Sequence[BackgroundTask]
    stopping: asyncio.Event


def build(base: Foundation) -> Components:
    """Compose a daemon."""
    store, queue, clock = base.engines.store, base.engines.queue, base.environment.clock
    stopping = asyncio.Event()
    pipeline = _build_pipeline(base)
    operations = _build_operations(base, pipeline)
    _limit_lanes(queue, base.extensions.bindings)
    isolation = CrashIsolation(base.engines.recovered.suspects, clock())
    worker = Worker(queue, pipeline.handlers, base.hooks, base.problems, clock, isolation)
    sweep = Sweeper(store, queue, pipeline.routing.notifier, base.problems, clock, stopping)
    health = HealthRoutes(base.problems)
    return Components(
        engines=base.engines,
        pipeline=pipeline,
        operations=operations,
        worker=worker,
        sweeper=sweep,
        webhooks=_build_webhooks(base, pipeline, operations),
        admin=_build_admin(base, pipeline, operations, health),
        health=health,
        background=_background(pipeline, operations, sweep, ClockMonitor(store, sweep, clock), stopping),
        stopping=stopping,
    )


def build_media_store(
    config: Config, store: Store, problems: ProblemRegistry, clock: Callable[[], Instant], call_guard: CallGuard
) -> MediaStore:
    """Return the media folder of a configuration. No file is kept longer than its message."""
    keep = min(config.media.keep, config.retention or config.media.keep)
    settings = config.media.model_copy(update={"keep": keep})
    return MediaStore(media_directory(config.state), store, settings, problems, clock, partial(secrets.token_hex, 16), call_guard)


def _build_pipeline(base: Foundation) -> Pipeline:
    config, store, call_guard, problems = base.config, base.engines.store, base.call_guard, base.problems
    clock, chance = base.environment.clock, base.environment.chance
    bindings, queue = base.extensions.bindings, base.engines.queue
    routing = Routing(bindings, JobNotifier(queue, bindings.lanes_of), LaneBreaker(queue, problems, clock))
    reporting = Reporting(problems, base.hooks)
    texts = MessageCatalog(config.texts, config.conversation.language)
    handoffs = HandoffFactory(bindings, texts)
    services = ReplyServices(texts, AIBudget(config.budget), handoffs, base.extensions.gates)
    keywords = KeywordMatcher(config.words.opt_out, config.words.opt_in, config.words.handoff)
    files = build_media_store(config, store, problems, clock, call_guard)
    downloads = MediaDownloads(store, files, bindings, problems, clock, call_guard)
    rules = InboundRules(keywords, texts, handoffs)
    answering = Answering(
        ResponderPool(call_guard, downloads, routing.lanes, problems),
        ToolCalls(store, base.extensions.tools, call_guard, problems, clock),
        TypingIndicator(call_guard),
    )
    attempts = AttemptSource(base.environment.new_id, base.engines.owner)
    replying, sending = Backoff(config.retry.reply, chance), Backoff(config.retry.send, chance)
    return Pipeline(
        routing=routing,
        services=services,
        media=files,
        downloads=downloads,
        inbound=InboundHandler(store, routing, reporting, rules, downloads.notice, clock),
        reply=ReplyHandler(store, routing, reporting, answering, services, replying, clock),
        delivery=DeliveryHandler(store, routing, reporting, sending, attempts, call_guard, clock),
        timers=TimerHandler(store, routing.notifier, bindings, services, problems, clock, call_guard),
    )


def _build_operations(base: Foundation, pipeline: Pipeline) -> Operations:
    store, clock, problems = base.engines.store, base.environment.clock, base.problems
    bindings = base.extensions.bindings
    return Operations(
        intake=IntakeGuard(base.config.state, store, problems),
        erasure=ErasureService(store, base.engines.queue, pipeline.media, clock, pipeline.downloads.abandon),
        retention=Retention(store, pipeline.media, base.config.retention, clock),
        quota=MessageQuotaMonitor(store, bindings, problems, clock),
        health=ConversationHealth(store, bindings, problems, clock),
        usage=AIUsage(store, pipeline.services.budget, clock),
        orphans=OrphanMonitor(store, bindings, problems),
    )


def _build_webhooks(base: Foundation, pipeline: Pipeline, operations: Operations) -> WebhookApp:
    by_path: dict[str, list[ChannelBinding]] = {}
    for binding in base.extensions.bindings:
        if binding.channel.webhook:
            by_path.setdefault(binding.channel.webhook, []).append(binding)
    unavailable = base.extensions.unavailable_paths
    return WebhookApp(by_path, unavailable, pipeline.inbound, operations.intake, base.crash_log, base.problems)


def _build_admin(base: Foundation, pipeline: Pipeline, operations: Operations, health: HealthRoutes) -> AdminApp:
    store, queue, clock, problems = base.engines.store, base.engines.queue, base.environment.clock, base.problems
    bindings, notifier = base.extensions.bindings, pipeline.routing.notifier
    actions = OperatorActions(store, bindings, pipeline.services.texts, clock)
    outcomes = SendOutcomes(store, bindings, clock, queue.held, problems)
    providers = (
        health,
        MetricsRoutes(store, queue, problems, base.call_guard.count_stuck, operations.health, operations.usage),
        UnparsedPayloadRoutes(store),
        QueueRoutes(store, queue, notifier, problems, operations.clear_solved, clock),
        PrivacyRoutes(store, operations.erasure.forget),
        ConversationRoutes(store, operations.health),
        ActionRoutes(actions, notifier, clock, outcomes),
    )
    return AdminApp(base.admin_token, providers, is_loopback=base.config.admin.listen.host in LOOPBACK_HOSTS)


def _limit_lanes(queue: Queue, bindings: ChannelBindings) -> None:
    for binding in bindings:
        queue.limit(binding.deliver_lane, CONCURRENT_SENDS)
        queue.limit(binding.reply_lane, CONCURRENT_REPLIES)


def _background(
    pipeline: Pipeline, operations: Operations, sweep: Sweeper, clock: ClockMonitor, stopping: asyncio.Event
) -> Sequence[BackgroundTask]:
    files = pipeline.media

    def repeated(work: Callable[[], Coroutine[Any, Any, object]], every_s: float) -> Callable[[], Coroutine[Any, Any, None]]:
        return partial(periodic, work, every_s, stopping)

    return (
        BackgroundTask("sweep", repeated(sweep.sweep, sweeper.SWEEP_EVERY / 1_000)),
        BackgroundTask("clock-monitor", repeated(clock.check, clock_monitor.CHECK_EVERY_S)),
        BackgroundTask("intake-guard", repeated(operations.intake.look, load_shedding.CHECK_EVERY_S)),
        BackgroundTask("media-expiry", repeated(files.expire_all, media.EXPIRE_EVERY_S)),
        BackgroundTask("media-cleaning", repeated(files.clean, media.CLEAN_EVERY_S)),
        BackgroundTask("media-downloads", pipeline.downloads.run),
        BackgroundTask("message-quota", repeated(operations.quota.check, message_quota.CHECK_EVERY_S)),
        BackgroundTask("erasure", repeated(operations.erasure.finish, erasure.FINISH_EVERY_S)),
        BackgroundTask("retention", repeated(partial(operations.retention.expire, stopping), retention.EXPIRE_EVERY_S)),
        BackgroundTask("conversation-health", repeated(operations.health.check, conversation_health.CHECK_EVERY_S)),
        BackgroundTask("stored-reports", pipeline.inbound.remember),
    )
