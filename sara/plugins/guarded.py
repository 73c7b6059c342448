"""Every call into a channel or a responder goes through here: what it hands over is checked, what it raises is named.

A guarded object looks to the core like the plugin's own. Errors that the contract knows pass, without the secrets of the file in
their texts; everything else becomes a problem that names the plugin.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import structlog

from sara.domain.contacts import Identity
from sara.domain.delivery import DeliveryReceipt, OutboundMessage, SendResult
from sara.domain.errors import Extent, GiveUp, NotSent, PluginError, SaraError, Scope, WrongType
from sara.domain.messages import Attachment, HistoryMessage, InboundMessage, OutgoingContent
from sara.domain.plain_text import render_plain_text
from sara.domain.replies import Reply, Summary, Turn
from sara.domain.text import sanitize_text, split_text
from sara.domain.time import Instant
from sara.domain.webhooks import AccountChange, Request, Response, UnparsedPayload, WebhookResult
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import guarded_call, told_of
from sara.plugins.channel import Channel
from sara.plugins.checks import CheckResult
from sara.plugins.context import Context
from sara.plugins.loader import CONTRACTS, Kind, Plugins
from sara.plugins.responder import Responder
from sara.plugins.section_problems import SectionProblems
from sara.plugins.tool import ToolCaller
from sara.plugins.type_check import conform, wrong
from sara.plugins.values import answerable, fault_of_value, list_parts, take_items, usable_reply, value_or_none

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter
    from sara.plugins.section import Section

log = structlog.get_logger("sara.plugins.loader")

LONGEST_ERROR = 2_000
"""Characters of an error's text that are kept."""

REPORT = "report it to the plugin's author, or use another version of the plugin"

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
_RECEPTION: dict[str, Any] = {
    "messages": InboundMessage,
    "receipts": DeliveryReceipt,
    "changes": AccountChange,
    "set_aside": UnparsedPayload,
}


def build(plugins: Plugins, kind: Kind, section: Section, context: Context) -> Any:
    """Make the object of a section, guarded where it is a channel or a responder. Raises PluginError, which names the plugin."""
    brought = cast("Callable[..., Any]", plugins.plugin_class(kind, section.plugin))
    given = context
    if kind in ("channel", "responder"):
        given = replace(context, problems=SectionProblems(context.problems, kind, section.name))
    try:
        made = guarded_call(brought, section.options, given)
    except Exception as error:
        told = told_of(error) if not isinstance(error, Exception) else f"{type(error).__name__}: {error}"
        raise PluginError(context.problems.redact(f"the plugin {section.plugin} could not be set up: {told}")) from error
    if not isinstance(made, CONTRACTS[kind]):
        raise PluginError(f"the plugin {section.plugin} brings no {CONTRACTS[kind].__name__}")
    if isinstance(made, Channel):
        return GuardedChannel(made, Caller("channel", section.name, section.plugin, context.problems))
    if isinstance(made, Responder):
        return GuardedResponder(made, Caller("responder", section.name, section.plugin, context.problems))
    return made


def clean_error(error: SaraError, redact: Callable[[str], str]) -> SaraError:
    """The error with a text and values that can be logged, shown and stored, whatever the plugin put into it."""
    try:
        said = str(error)
    except Exception:
        said = f"{type(error).__name__} without a text"
    text = redact(sanitize_text(said))[:LONGEST_ERROR]
    if said != text:
        error.args = (text,)
    for name in ("after", "scope", "message_at_fault", "until_mended", "remedy", "details", "detail"):
        if hasattr(error, name):
            setattr(error, name, _clean_value(error, name, getattr(error, name), redact))
    return error


def _clean_value(error: SaraError, name: str, value: Any, redact: Callable[[str], str]) -> Any:
    if name in ("remedy", "details", "detail"):
        return redact(sanitize_text(value))[:LONGEST_ERROR] if isinstance(value, str) else ""
    if name == "scope":
        allowed = get_args(Scope if isinstance(error, NotSent) else Extent)
        return value if value in allowed else allowed[0]
    if name in ("message_at_fault", "until_mended"):
        return value is True
    try:
        return max(0, conform(value, int, "after"))
    except (WrongType, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls the methods of one plugin object, and tells of what goes wrong in its name."""

    kind: str
    name: str
    plugin: str
    problems: ProblemReporter

    @property
    def called(self) -> str:
        """The plugin as sentences name it."""
        return f"the plugin {self.plugin} of the {self.kind} {self.name}"

    def report(self, method: str, error: BaseException, then: str = "") -> None:
        """Name what went wrong in a method, and what follows."""
        told = self.problems.redact(f"{self.called} {told_of(error)} in `{method}`{then}")
        log.error("plugin_failed", plugin=self.plugin, section=self.name, method=method, told=told_of(error), exc_info=error)
        self.problems.report(f"{self.kind}:{self.name}:{method}", told, REPORT)

    def well(self, method: str) -> None:
        """It went as agreed."""
        self.problems.clear(f"{self.kind}:{self.name}:{method}")

    def clean(self, error: SaraError) -> SaraError:
        """An error of the contract that may go on."""
        return clean_error(error, self.problems.redact)

    async def awaited(self, method: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Call an async method. Raises what it raises, Misbehaved where that is no error, and SaraErrors cleaned."""
        try:
            call = guarded_call(method, *args, **more)
            return await call if inspect.isawaitable(call) else call
        except SaraError as error:
            raise self.clean(error) from error.__cause__


class _Guarded:
    """What guarded channels and responders have in common."""

    _plugin: PluginObject
    _caller: Caller

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_plugin"], name)

    async def open(self) -> None:
        await self._caller.awaited(self._plugin.open)
        self._take_values()

    async def close(self) -> None:
        await self._caller.awaited(self._plugin.close)

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        found: Sequence[CheckResult] = await self._caller.awaited(self._plugin.checks, fix)
        return found

    def _take_values(self) -> None:
        raise NotImplementedError

    def _values(self, kinds: dict[str, Any]) -> None:
        """Take over the plugin's attributes. Raises PluginError for one that is missing or not as agreed."""
        for name, kind in kinds.items():
            try:
                value = conform(guarded_call(getattr, self._plugin, name), kind, f"`{name}`")
            except AttributeError as error:
                raise PluginError(f"the {self._caller.kind} of the plugin {self._caller.plugin} has no `{name}`") from error
            except WrongType as error:
                raise PluginError(
                    f"the {self._caller.kind} of the plugin {self._caller.plugin} cannot be used: {error}"
                ) from error
            except Exception as error:
                raise PluginError(
                    f"the {self._caller.kind} of the plugin {self._caller.plugin} {told_of(error)} when its `{name}` was read"
                ) from error
            if fault := fault_of_value(name, value):
                raise PluginError(f"the {self._caller.kind} of the plugin {self._caller.plugin} cannot be used: `{name}` {fault}")
            setattr(self, name, value)


class GuardedChannel(_Guarded, Channel):
    """A channel whose every call is guarded."""

    def __init__(self, plugin: Channel, caller: Caller) -> None:
        self._plugin: Channel = plugin
        self._caller = caller
        self._take_values()

    def _take_values(self) -> None:
        self._values(_CHANNEL_VALUES)

    def verify(self, request: Request) -> bool:
        verified: bool = conform(guarded_call(self._plugin.verify, request), bool, "the result of `verify`")
        return verified

    def receive(self, request: Request) -> WebhookResult:
        """What the channel understood. What of it is not as agreed is set aside with the whole body, and the rest taken. Raises what
        the plugin raises, WrongType and Misbehaved."""
        reception = guarded_call(self._plugin.receive, request)
        if not isinstance(reception, WebhookResult):
            raise wrong("its result", reception, "a Reception")
        conform(reception.verified, bool, "verified")
        faults: list[str] = []
        taken: dict[str, tuple[Any, ...]] = {}
        for name, kind in _RECEPTION.items():
            taken[name] = take_items(getattr(reception, name), kind, name, faults)
        try:
            response = answerable(conform(reception.response, Response, "response"))
        except WrongType as error:
            if not reception.verified:
                raise
            response = Response()
            faults.append(str(error))
        if faults and reception.verified:
            reason = f"{self._caller.called} handed over a wrong value: {faults[0]}"
            log.error("plugin_failed", plugin=self._caller.plugin, section=self._caller.name, method="receive", told=faults[0])
            taken["set_aside"] = (*taken["set_aside"], UnparsedPayload(self.account, reason, request.body))
        if not faults and response is reception.response and all(taken[name] is getattr(reception, name) for name in taken):
            return reception
        return replace(reception, response=response, **cast("dict[str, Any]", taken))

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        """The parts for a draft; as plain text where the plugin cannot make them: what was said is said."""
        try:
            parts = guarded_call(list_parts, self._plugin.compose, draft)
            if not any(part.kind != "text" or part.text.strip() for part in parts) and render_plain_text(draft).strip():
                raise WrongType("nothing, of a text that is not empty")
        except Exception as error:
            self._caller.report("compose", error, "; the text goes out as it is")
            return [OutgoingContent(piece) for piece in split_text(render_plain_text(draft), self.text_limit)]
        self._caller.well("compose")
        return parts

    def is_address(self, person: Identity) -> bool:
        """Whether the plugin can write to a person; true where it cannot say."""
        try:
            answer: bool = conform(guarded_call(self._plugin.is_address, person), bool, "its result")
        except Exception as error:
            self._caller.report("is_address", error)
            return True
        return answer

    def reopen_template(self) -> OutgoingContent | None:
        """What the plugin says once the window is closed; nothing where it fails."""
        try:
            said: OutgoingContent | None = conform(
                guarded_call(self._plugin.reopen_template), OutgoingContent | None, "its result"
            )
        except Exception as error:
            self._caller.report("reopen_template", error, "; nobody is asked to write again")
            return None
        self._caller.well("reopen_template")
        return said

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        try:
            given = await self._caller.awaited(self._plugin.send, part, attempt_id)
            if not isinstance(given, SendResult):
                raise wrong("its result", given, "an Accepted")
        except SaraError:
            raise
        except Exception as error:
            self._caller.report("send", error, "; whether the message left is not known")
            raise
        external_id = given.external_id
        if (recipient := value_or_none(given.recipient, Identity | None)) is not given.recipient:
            given = replace(given, recipient=recipient)
        if isinstance(external_id, str) and external_id:
            self._caller.well("send")
            clean = sanitize_text(external_id)
            return given if clean == external_id else replace(given, external_id=clean)
        # It left, that much is sure: a wrong id must not have it sent again.
        self._caller.report("send", wrong("external_id", external_id, "text"), "; the message counts as sent")
        known = str(external_id) if isinstance(external_id, int) and not isinstance(external_id, bool) else ""
        return replace(given, external_id=known)

    async def mark_read(self, external_id: str) -> None:
        await self._caller.awaited(self._plugin.mark_read, external_id)

    async def typing(self, external_id: str) -> None:
        await self._caller.awaited(self._plugin.typing, external_id)

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._chunks(attachment)

    async def _chunks(self, attachment: Attachment) -> AsyncGenerator[bytes, None]:
        try:
            chunks = await self._caller.awaited(self._plugin.fetch, attachment)
            if not hasattr(chunks, "__aiter__"):
                raise wrong("its result", chunks, "an async iterator of bytes")
            try:
                async for chunk in chunks:
                    yield conform(chunk, bytes, "a chunk")
            finally:
                if isinstance(chunks, AsyncGenerator):
                    await chunks.aclose()
        except SaraError as error:
            raise self._caller.clean(error) from error.__cause__
        except WrongType as error:
            self._caller.report("fetch", error, "; the file is left out")
            raise GiveUp(f"{self._caller.called} {told_of(error)}") from error


class GuardedResponder(_Guarded, Responder):
    """A responder whose every call is guarded."""

    def __init__(self, plugin: Responder, caller: Caller) -> None:
        self._plugin: Responder = plugin
        self._caller = caller
        self._take_values()

    def _take_values(self) -> None:
        self._values({"timeout": int})

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        """The answer, as far as it is as agreed. One of which nothing can be used is given up: asking again costs as much, and brings
        the same."""
        given = await self._caller.awaited(self._plugin.answer, turn, tools)
        faults: list[str] = []
        reply = usable_reply(given, faults)
        if faults:
            then = "; what could be used of it is sent" if reply is not None else "; it is not asked again"
            self._caller.report("answer", WrongType(faults[0]), then)
        else:
            self._caller.well("answer")
        if reply is None:
            raise GiveUp(f"{self._caller.called} handed over a wrong value ({faults[0]})")
        return reply

    def select_attachments(self, turn: Turn) -> Iterable[Attachment]:
        """The files that the plugin chooses; all of them where it fails."""
        try:
            chosen = guarded_call(lambda: tuple(self._plugin.select_attachments(turn)))
            selected: Iterable[Attachment] = conform(chosen, tuple[Attachment, ...], "its result")
        except Exception as error:
            self._caller.report("select_attachments", error, "; the answer waits for all files")
            return super().select_attachments(turn)
        self._caller.well("select_attachments")
        return selected

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        given = await self._caller.awaited(self._plugin.summarise, lines, former, now)
        try:
            summary: Summary = conform(given, Summary, "its result")
        except WrongType as error:
            self._caller.report("summarise", error)
            raise GiveUp(f"{self._caller.called} {told_of(error)}") from error
        self._caller.well("summarise")
        return summary
