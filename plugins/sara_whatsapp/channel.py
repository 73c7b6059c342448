"""The WhatsApp channel: signed webhooks in, Graph API messages out."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from math import ceil
from typing import Any

import structlog

from sara import (
    Attachment,
    Channel,
    CheckResult,
    Context,
    Identity,
    Instant,
    NotSent,
    OutboundMessage,
    OutgoingContent,
    Rejected,
    Request,
    Response,
    SaraError,
    SendResult,
    WebhookResult,
)
from sara_whatsapp.api.client import GraphClient, TemplatePaused
from sara_whatsapp.api.error_codes import FileRejected, TemplatesThrottled
from sara_whatsapp.api.media_download import MediaDownloader
from sara_whatsapp.api.media_upload import MediaUploader
from sara_whatsapp.api.rate_limit import PairRateLimiter
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.send import composer
from sara_whatsapp.send.payloads import build_message, build_read_mark, build_typing_indicator, recipient_of
from sara_whatsapp.webhook.identities import is_address
from sara_whatsapp.webhook.parser import UNKNOWN_KIND, BusinessNumber, parse
from sara_whatsapp.webhook.self_test import is_probe

log = structlog.get_logger("sara_whatsapp")

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_TYPING_LASTS_MS = 25_000
_CLOCK_SLACK_MS = 50
"""Added to a wait, so that a clock slightly ahead of SARA's does not cause a second wait."""


class WhatsAppChannel(Channel):
    """One business number on Meta's Cloud API."""

    Options = WhatsAppOptions
    receipts_carry_attempt = True
    kinds = composer.KINDS
    media_lifetime_ms = 7 * 24 * _HOUR_MS
    reply_window = 24 * _HOUR_MS - 10 * _MINUTE_MS  # Meta's 24 hours, minus the time of delivery and the difference of clocks

    def __init__(self, options: WhatsAppOptions, context: Context) -> None:
        self.account = f"whatsapp:{options.phone_number_id}"
        self.webhook = options.webhook
        self.on_doubt = options.on_doubt
        self.doubt_timeout = options.doubt_timeout
        self._options = options
        self._context = context
        self._name = context.name
        self._clock = context.clock
        self._number = BusinessNumber(self.account, options.phone_number_id, options.business_account_id)
        self._keys = tuple(secret.reveal().encode() for secret in options.app_secrets)
        self._verify_token = options.verify_token.reveal().encode()
        self._graph = GraphClient(
            options.graph_url, options.api_version, options.phone_number_id, options.access_token, per_second=options.throughput
        )
        self._downloader = MediaDownloader(
            self._graph, options.graph_url, options.phone_number_id, options.access_token, is_loopback=options.is_loopback
        )
        self._uploader = MediaUploader(self._graph, context.media)
        self._pair_limiter = PairRateLimiter()
        self._templates_blocked_until_s = float("-inf")
        self._read_receipts = options.read_receipts
        self._reopen_template = self._make_reopen_template(options)
        self.typing_lasts = _TYPING_LASTS_MS if options.typing else None
        self.monthly_budget = options.monthly_budget
        self._bad_signatures = 0
        self._bad_signatures_logged_at: Instant | None = None

    async def open(self) -> None:
        await self._graph.open()
        await self._downloader.open()

    async def close(self) -> None:
        async with AsyncExitStack() as ending:  # each is closed, even if closing another one fails
            ending.push_async_callback(self._graph.close)
            ending.push_async_callback(self._downloader.close)
            ending.push_async_callback(self._uploader.close)

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Check the settings at Meta and the way of webhooks to SARA."""
        from sara_whatsapp.doctor import run_checks

        return await run_checks(self._options, self._context, fix)

    # incoming

    def receive(self, request: Request) -> WebhookResult:
        method = request.method.upper()
        if method == "GET":
            return WebhookResult(self._answer_handshake(request))
        if method != "POST":
            return WebhookResult(Response(405))
        # Meta sends no compressed bodies; the signature is over the bytes as they came.
        if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            return WebhookResult(Response(415))
        if not self.verify(request):
            self._log_bad_signature()
            return WebhookResult(Response(401))
        parsed = parse(request.body, self._number, self._clock())
        if is_probe(parsed):
            return WebhookResult(Response(200))
        for note in parsed.notes:
            log.info("webhook_ignored", channel=self._name, what=note.what, which=note.which, count=note.count)
            if note.what == UNKNOWN_KIND:
                self._report_unknown_kind(note.which)
        if parsed.unparsed:
            log.warning(
                "webhook_stored_unparsed", channel=self._name, count=len(parsed.unparsed), reason=parsed.unparsed[0].reason
            )
        return WebhookResult(Response(200), True, parsed.messages, parsed.receipts, parsed.changes, parsed.unparsed)

    def _report_unknown_kind(self, kind: str) -> None:
        self._context.problems.report(
            f"channel:{self._name}:unknown_message_type",
            f"{self._name}: customers send messages of the type `{kind}`, which this version cannot read; they stay unanswered",
            "see them with `sara conversations show`; update SARA",
            severity="warning",
            lasts=24 * _HOUR_MS,
        )

    def _answer_handshake(self, request: Request) -> Response:
        """Answer Meta's handshake, sent when the callback address or the verify token is entered."""
        query = request.query
        token = query.get("hub.verify_token", "").encode("utf-8", "replace")
        right = hmac.compare_digest(token, self._verify_token)
        if not right or query.get("hub.mode") != "subscribe" or "hub.challenge" not in query:
            return Response(403)
        return Response(200, query["hub.challenge"].encode("utf-8", "replace"))

    def verify(self, request: Request) -> bool:
        """Return whether one of the app secrets made the signature.

        Bytes are compared, because compare_digest raises for text beyond ASCII.
        """
        claimed = request.headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
        signatures = [f"sha256={hmac.new(key, request.body, hashlib.sha256).hexdigest()}".encode() for key in self._keys]
        matches = [hmac.compare_digest(claimed, signature) for signature in signatures]
        return any(matches)  # all were compared first, so that the time taken does not tell which secret was right

    def _log_bad_signature(self) -> None:
        """Log wrong signatures at most once a minute, because anybody can send any number of them."""
        self._bad_signatures += 1
        now = self._clock()
        if self._bad_signatures_logged_at is None or now - self._bad_signatures_logged_at >= _MINUTE_MS:
            log.warning("webhook_signature_rejected", channel=self._name, count=self._bad_signatures)
            self._bad_signatures, self._bad_signatures_logged_at = 0, now

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._downloader.fetch(attachment)

    # outgoing

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        parts = composer.compose(draft, self.text_limit)
        files = self._options.long_answers == "document" and draft.kind == "text"
        return [composer.to_text_file(draft)] if files and len(parts) >= self._options.document_from else parts

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        now = asyncio.get_running_loop().time()
        if part.kind == "template" and now < self._templates_blocked_until_s:
            raise NotSent(
                "Meta limits the sending of templates.",
                after=ceil((self._templates_blocked_until_s - now) * 1_000),
                scope="conversation",
            )
        try:
            part, media_id = await self._uploader.prepare(part)
        except FileRejected:
            if (words := composer.to_text_message(part)) is None:
                raise
            part, media_id = words, None
        # Counted only when nothing else prevents the sending.
        if wait := self._pair_limiter.take(recipient_of(part.to), now):
            raise NotSent(
                "The rate limit of messages to this person is reached.",
                after=ceil(wait * 1_000) + _CLOCK_SLACK_MS,
                scope="conversation",
            )
        try:
            return await self._post_message(part, attempt_id, media_id)
        except TemplatesThrottled as error:
            self._templates_blocked_until_s = now + (error.after or _HOUR_MS) / 1_000
            raise
        except Rejected:
            if media_id is not None:
                self._uploader.forget(media_id)  # the file may be the cause, or Meta may have deleted it
            raise

    async def _post_message(self, part: OutboundMessage, attempt_id: str, media_id: str | None) -> SendResult:
        """Send a part; if Meta rejects its file, send the file as a document, and if that fails the text alone."""
        try:
            accepted = await self._graph.send(build_message(part, attempt_id, media_id))
            if isinstance(accepted, TemplatePaused):
                self._report_paused_template(part, accepted.template_status)
            return accepted
        except FileRejected:
            others = [form for form in (composer.to_document(part), composer.to_text_message(part)) if form is not None]
            if not others:
                raise
        log.warning("file_rejected", channel=self._name, part=part.id, kind=part.kind)
        for form in others[:-1]:
            with suppress(Rejected):
                return await self._graph.send(build_message(form, attempt_id, media_id))
        return await self._graph.send(build_message(others[-1], attempt_id, media_id))

    def _report_paused_template(self, part: OutboundMessage, standing: str) -> None:
        name, language = part.content.get("name", part.kind), part.content.get("language", "")
        told = "it is paused for low quality" if standing == "paused" else f"Meta says {standing.replace('_', ' ')}"
        self._context.problems.report(
            f"channel:{self._name}:template_paused",
            f"{self._name}: the template {name} ({language}) was accepted and is not delivered: {told}",
            "check the template in WhatsApp Manager, or configure another one",
            severity="warning",
            lasts=24 * _HOUR_MS,
        )

    def is_address(self, person: Identity) -> bool:
        return is_address(person)

    def reopen_template(self) -> OutgoingContent | None:
        return self._reopen_template

    def _make_reopen_template(self, options: WhatsAppOptions) -> OutgoingContent | None:
        if (template := options.template) is None:
            return None
        content = {"name": template.name, "language": template.language, "parameters": list(template.parameters)}
        told = ", ".join((f"{template.name} ({template.language})", *template.parameters))
        draft = next(iter(self.compose(OutgoingContent(f"[template {told}]", "template", content))))
        return replace(draft, content={**draft.content, "category": template.category})

    async def mark_read(self, external_id: str) -> None:
        # The call for the typing indicator, which follows, also marks the message as read.
        if self._read_receipts and self.typing_lasts is None:
            await self._send_signal(build_read_mark(external_id))

    async def typing(self, external_id: str) -> None:
        if self.typing_lasts is not None:
            await self._send_signal(build_typing_indicator(external_id))

    async def _send_signal(self, body: Mapping[str, Any]) -> None:
        try:
            await self._graph.send_signal(body)
        except SaraError as error:
            log.debug("typing_indicator_failed", channel=self._name, error=str(error))
            raise
