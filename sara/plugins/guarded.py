"""Channels and responders whose values and exceptions are checked at the plugin boundary.

A guarded object has the contract's type and stands in for the plugin's own. Errors of the contract pass, without secrets in their
texts; everything else becomes a problem that names the plugin. `sara.plugins.call_guard` limits the time of the calls.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import structlog

from sara.domain.contacts import Identity
from sara.domain.delivery import DeliveryReceipt, OutboundMessage, SendResult
from sara.domain.errors import GiveUp, PluginError, SaraError, WrongType
from sara.domain.messages import Attachment, HistoryMessage, InboundMessage, OutgoingContent
from sara.domain.plain_text import render_plain_text
from sara.domain.replies import Reply, Summary, Turn
from sara.domain.text import sanitize_text, split_text
from sara.domain.time import Instant
from sara.domain.webhooks import AccountChange, Request, Response, UnparsedPayload, WebhookResult
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import describe_failure, guarded_call
from sara.plugins.channel import Channel
from sara.plugins.checks import CheckResult
from sara.plugins.context import Context
from sara.plugins.failure_reporter import FailureReporter
from sara.plugins.loader import CONTRACTS, Kind, Plugins
from sara.plugins.responder import Responder
from sara.plugins.section_problems import SectionProblems
from sara.plugins.tool import ToolCaller
from sara.plugins.type_check import check_type, wrong_type
from sara.plugins.values import check_items, check_response, compose_parts, find_value_fault, salvage_reply, value_or_none

if TYPE_CHECKING:
    from sara.plugins.section import Section

log = structlog.get_logger("sara.plugins.loader")

_CHANNEL_VALUES: dict[str, Any] = {
    "account": str,
    "webhook": str | None,
    "text_limit": int,
    "receipts_carry_attempt": bool,
    "on_doubt": Literal["resend", "hold"],
    "doubt_timeout": int,
    "kinds": frozenset[str],
    "reply_window": int | None,
    "typing_lasts": int | None,
    "media_lifetime_ms": int,
    "monthly_budget": int | None,
}
_RESULT_FIELDS: dict[str, Any] = {
    "messages": InboundMessage,
    "receipts": DeliveryReceipt,
    "changes": AccountChange,
    "unparsed": UnparsedPayload,
}


def build_plugin(plugins: Plugins, kind: Kind, section: Section, context: Context) -> Any:
    """Build the object of a section, guarded if it is a channel or a responder. Raises PluginError, which names the plugin."""
    brought = cast("Callable[..., Any]", plugins.plugin_class(kind, section.plugin))
    given = context
    if kind in ("channel", "responder"):
        given = replace(context, problems=SectionProblems(context.problems, kind, section.name))
    try:
        made = guarded_call(brought, section.options, given)
    except Exception as error:
        told = describe_failure(error) if not isinstance(error, Exception) else f"{type(error).__name__}: {error}"
        raise PluginError(context.problems.redact(f"the plugin {section.plugin} could not be set up: {told}")) from error
    if not isinstance(made, CONTRACTS[kind]):
        raise PluginError(f"the plugin {section.plugin} brings no {CONTRACTS[kind].__name__}")
    if isinstance(made, Channel):
        return GuardedChannel(made, FailureReporter("channel", section.name, section.plugin, context.problems))
    if isinstance(made, Responder):
        return GuardedResponder(made, FailureReporter("responder", section.name, section.plugin, context.problems))
    return made


class GuardedPlugin(ABC):
    """Common parts of guarded channels and responders."""

    _plugin: PluginObject
    _reporter: FailureReporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_plugin"], name)

    async def open(self) -> None:
        await self._call(self._plugin.open)
        self._take_values()

    async def close(self) -> None:
        await self._call(self._plugin.close)

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        found: Sequence[CheckResult] = await self._call(self._plugin.checks, fix)
        return found

    @abstractmethod
    def _take_values(self) -> None:
        """Copy the attributes of the contract from the plugin's object."""

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        """Await a method of the plugin, and clean the SaraErrors that it raises."""
        try:
            call = guarded_call(method, *args)
            return await call if inspect.isawaitable(call) else call
        except SaraError as error:
            raise self._reporter.clean(error) from error.__cause__

    def _copy_values(self, kinds: dict[str, Any]) -> None:
        """Copy the plugin's attributes. Raises PluginError for one that is missing or has a wrong value."""
        for name, kind in kinds.items():
            try:
                value = check_type(guarded_call(getattr, self._plugin, name), kind, f"`{name}`")
            except AttributeError as error:
                raise PluginError(f"the {self._reporter.kind} of the plugin {self._reporter.plugin} has no `{name}`") from error
            except WrongType as error:
                raise PluginError(
                    f"the {self._reporter.kind} of the plugin {self._reporter.plugin} cannot be used: {error}"
                ) from error
            except Exception as error:
                raise PluginError(
                    f"the {self._reporter.kind} of the plugin {self._reporter.plugin} {describe_failure(error)} when its `{name}` was read"
                ) from error
            if fault := find_value_fault(name, value):
                raise PluginError(
                    f"the {self._reporter.kind} of the plugin {self._reporter.plugin} cannot be used: `{name}` {fault}"
                )
            setattr(self, name, value)


class GuardedChannel(GuardedPlugin, Channel):
    """A channel whose every call is guarded."""

    def __init__(self, plugin: Channel, reporter: FailureReporter) -> None:
        self._plugin: Channel = plugin
        self._reporter = reporter
        self._take_values()

    def _take_values(self) -> None:
        self._copy_values(_CHANNEL_VALUES)

    def verify(self, request: Request) -> bool:
        verified: bool = check_type(guarded_call(self._plugin.verify, request), bool, "the result of `verify`")
        return verified

    def receive(self, request: Request) -> WebhookResult:
        """Return what the channel parsed; store the whole body unparsed where a part of it has a wrong type.

        Raises what the plugin raises, WrongType and PluginCallAborted."""
        reception = guarded_call(self._plugin.receive, request)
        if not isinstance(reception, WebhookResult):
            raise wrong_type("its result", reception, "a WebhookResult")
        check_type(reception.verified, bool, "verified")
        faults: list[str] = []
        taken: dict[str, tuple[Any, ...]] = {}
        for name, kind in _RESULT_FIELDS.items():
            taken[name] = check_items(getattr(reception, name), kind, name, faults)
        try:
            response = check_response(check_type(reception.response, Response, "response"))
        except WrongType as error:
            if not reception.verified:
                raise
            response = Response()
            faults.append(str(error))
        if faults and reception.verified:
            reason = f"{self._reporter.called} handed over a wrong value: {faults[0]}"
            log.error(
                "plugin_failed", plugin=self._reporter.plugin, section=self._reporter.name, method="receive", told=faults[0]
            )
            taken["unparsed"] = (*taken["unparsed"], UnparsedPayload(self.account, reason, request.body))
        if not faults and response is reception.response and all(taken[name] is getattr(reception, name) for name in taken):
            return reception
        return replace(reception, response=response, **cast("dict[str, Any]", taken))

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        """Return the messages for a content; plain text where the plugin fails, so that nothing is lost."""
        try:
            parts = guarded_call(compose_parts, self._plugin.compose, draft)
            if not any(part.kind != "text" or part.text.strip() for part in parts) and render_plain_text(draft).strip():
                raise WrongType("nothing, of a text that is not empty")
        except Exception as error:
            self._reporter.report("compose", error, "; the text is sent plain")
            return [OutgoingContent(piece) for piece in split_text(render_plain_text(draft), self.text_limit)]
        self._reporter.clear("compose")
        return parts

    def is_address(self, person: Identity) -> bool:
        """Return whether the plugin can address a person; true where it fails."""
        try:
            answer: bool = check_type(guarded_call(self._plugin.is_address, person), bool, "its result")
        except Exception as error:
            self._reporter.report("is_address", error)
            return True
        return answer

    def reopen_template(self) -> OutgoingContent | None:
        """Return the plugin's template for a closed reply window; None where it fails."""
        try:
            said: OutgoingContent | None = check_type(
                guarded_call(self._plugin.reopen_template), OutgoingContent | None, "its result"
            )
        except Exception as error:
            self._reporter.report("reopen_template", error, "; the customer is not asked to write again")
            return None
        self._reporter.clear("reopen_template")
        return said

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        try:
            given = await self._call(self._plugin.send, part, attempt_id)
            if not isinstance(given, SendResult):
                raise wrong_type("its result", given, "a SendResult")
        except SaraError:
            raise
        except Exception as error:
            self._reporter.report("send", error, "; whether the message left is not known")
            raise
        external_id = given.external_id
        if (recipient := value_or_none(given.recipient, Identity | None)) is not given.recipient:
            given = replace(given, recipient=recipient)
        if isinstance(external_id, str) and external_id:
            self._reporter.clear("send")
            clean = sanitize_text(external_id)
            return given if clean == external_id else replace(given, external_id=clean)
        # The message left: a wrong id must not cause a second send.
        self._reporter.report("send", wrong_type("external_id", external_id, "text"), "; the message counts as sent")
        known = str(external_id) if isinstance(external_id, int) and not isinstance(external_id, bool) else ""
        return replace(given, external_id=known)

    async def mark_read(self, external_id: str) -> None:
        await self._call(self._plugin.mark_read, external_id)

    async def typing(self, external_id: str) -> None:
        await self._call(self._plugin.typing, external_id)

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._chunks(attachment)

    async def _chunks(self, attachment: Attachment) -> AsyncGenerator[bytes, None]:
        try:
            chunks = await self._call(self._plugin.fetch, attachment)
            if not hasattr(chunks, "__aiter__"):
                raise wrong_type("its result", chunks, "an async iterator of bytes")
            try:
                async for chunk in chunks:
                    yield check_type(chunk, bytes, "a chunk")
            finally:
                if isinstance(chunks, AsyncGenerator):
                    await chunks.aclose()
        except SaraError as error:
            raise self._reporter.clean(error) from error.__cause__
        except WrongType as error:
            self._reporter.report("fetch", error, "; the file is left out")
            raise GiveUp(f"{self._reporter.called} {describe_failure(error)}") from error


class GuardedResponder(GuardedPlugin, Responder):
    """A responder whose every call is guarded."""

    def __init__(self, plugin: Responder, reporter: FailureReporter) -> None:
        self._plugin: Responder = plugin
        self._reporter = reporter
        self._take_values()

    def _take_values(self) -> None:
        self._copy_values({"timeout": int})

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        """Return the usable part of the reply. Raises GiveUp where nothing is usable: a repeated call would cost as much."""
        given = await self._call(self._plugin.answer, turn, tools)
        faults: list[str] = []
        reply = salvage_reply(given, faults)
        if faults:
            then = "; the usable part of it is sent" if reply is not None else "; it is not asked again"
            self._reporter.report("answer", WrongType(faults[0]), then)
        else:
            self._reporter.clear("answer")
        if reply is None:
            raise GiveUp(f"{self._reporter.called} handed over a wrong value ({faults[0]})")
        return reply

    def select_attachments(self, turn: Turn) -> Iterable[Attachment]:
        """Return the attachments that the plugin selects; all of them where it fails."""
        try:
            chosen = guarded_call(lambda: tuple(self._plugin.select_attachments(turn)))
            selected: Iterable[Attachment] = check_type(chosen, tuple[Attachment, ...], "its result")
        except Exception as error:
            self._reporter.report("select_attachments", error, "; the answer waits for all files")
            return super().select_attachments(turn)
        self._reporter.clear("select_attachments")
        return selected

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        given = await self._call(self._plugin.summarise, lines, former, now)
        try:
            summary: Summary = check_type(given, Summary, "its result")
        except WrongType as error:
            self._reporter.report("summarise", error)
            raise GiveUp(f"{self._reporter.called} {describe_failure(error)}") from error
        self._reporter.clear("summarise")
        return summary
