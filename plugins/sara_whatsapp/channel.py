"""The WhatsApp channel: Meta's signed webhooks in, Graph API messages out."""

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
from sara_whatsapp.api.error_codes import FileRefused, TemplatesPaused
from sara_whatsapp.api.media_download import Downloads
from sara_whatsapp.api.media_upload import Uploads
from sara_whatsapp.api.rate_limit import PairPace
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.send import composer
from sara_whatsapp.send.payloads import message_body, pair_of, read_body, typing_body
from sara_whatsapp.webhook.identities import is_address
from sara_whatsapp.webhook.parser import UNKNOWN_KIND, Number, parse
from sara_whatsapp.webhook.self_test import is_probe

log = structlog.get_logger("sara_whatsapp")

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_TYPING_LASTS = 25_000
_SLACK = 50
"""Milliseconds put on top of a wait: a clock that is a little ahead of ours must not make the pause count twice."""


class WhatsAppChannel(Channel):
    """One business number on Meta's Cloud API."""

    Options = WhatsAppOptions
    receipts_carry_attempt = True
    kinds = composer.KINDS
    media_lifetime_ms = 7 * 24 * _HOUR
    reply_window = 24 * _HOUR - 10 * _MINUTE  # Meta's day, less what a message needs to get there and clocks may differ

    def __init__(self, options: WhatsAppOptions, context: Context) -> None:
        self.account = f"whatsapp:{options.phone_number_id}"
        self.webhook = options.webhook
        self.on_doubt = options.on_doubt
        self.doubt_timeout = options.doubt_timeout
        self._options = options
        self._context = context
        self._name = context.name
        self._clock = context.clock
        self._number = Number(self.account, options.phone_number_id, options.business_account_id)
        self._keys = tuple(secret.reveal().encode() for secret in options.app_secrets)
        self._verify_token = options.verify_token.reveal().encode()
        self._graph = GraphClient(
            options.graph_url, options.api_version, options.phone_number_id, options.access_token, per_second=options.throughput
        )
        self._downloads = Downloads(
            self._graph, options.graph_url, options.phone_number_id, options.access_token, loopback=options.loopback
        )
        self._uploads = Uploads(self._graph, context.media)
        self._pairs = PairPace()
        self._templates_from = float("-inf")
        self._read_receipts = options.read_receipts
        self._outside = self._template_of(options)
        self.typing_lasts = _TYPING_LASTS if options.typing else None
        self.monthly_budget = options.monthly_budget
        self._refusals = 0
        self._refusals_told: Instant | None = None

    async def open(self) -> None:
        await self._graph.open()
        await self._downloads.open()

    async def close(self) -> None:
        async with AsyncExitStack() as ending:  # each is closed, whatever becomes of the others
            ending.push_async_callback(self._graph.close)
            ending.push_async_callback(self._downloads.close)
            ending.push_async_callback(self._uploads.close)

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Whether everything at Meta, and the way from there to here, is as it must be."""
        from sara_whatsapp.doctor import examine

        return await examine(self._options, self._context, fix)

    # in

    def receive(self, request: Request) -> WebhookResult:
        method = request.method.upper()
        if method == "GET":
            return WebhookResult(self._verification(request))
        if method != "POST":
            return WebhookResult(Response(405))
        # Meta sends no compressed bodies; the signature is over the bytes as they came.
        if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            return WebhookResult(Response(415))
        if not self.verify(request):
            self._tell_refusal()
            return WebhookResult(Response(401))
        parsed = parse(request.body, self._number, self._clock())
        if is_probe(parsed):
            return WebhookResult(Response(200))
        for note in parsed.notes:
            log.info("webhook_ignored", channel=self._name, what=note.what, which=note.which, count=note.count)
            if note.what == UNKNOWN_KIND:
                self._tell_unknown_kind(note.which)
        if parsed.set_aside:
            log.warning(
                "webhook_stored_unparsed", channel=self._name, count=len(parsed.set_aside), reason=parsed.set_aside[0].reason
            )
        return WebhookResult(Response(200), True, parsed.messages, parsed.receipts, parsed.changes, parsed.set_aside)

    def _tell_unknown_kind(self, kind: str) -> None:
        self._context.problems.report(
            f"channel:{self._name}:unknown_message_type",
            f"{self._name}: customers send messages of the type `{kind}`, which this version cannot read; they stay unanswered",
            "see them with `sara conversations show`; update SARA",
            severity="warning",
            lasts=24 * _HOUR,
        )

    def _verification(self, request: Request) -> Response:
        """Meta's handshake, sent whenever the callback address or the verify token is entered."""
        query = request.query
        token = query.get("hub.verify_token", "").encode("utf-8", "replace")
        right = hmac.compare_digest(token, self._verify_token)
        if not right or query.get("hub.mode") != "subscribe" or "hub.challenge" not in query:
            return Response(403)
        return Response(200, query["hub.challenge"].encode("utf-8", "replace"))

    def verify(self, request: Request) -> bool:
        """Tell whether one of the secrets made the signature. Compared as bytes: compare_digest raises for text beyond ASCII."""
        claimed = request.headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
        signatures = [f"sha256={hmac.new(key, request.body, hashlib.sha256).hexdigest()}".encode() for key in self._keys]
        matches = [hmac.compare_digest(claimed, signature) for signature in signatures]
        return any(matches)  # all were compared first, so that the time taken does not tell which secret was right

    def _tell_refusal(self) -> None:
        """One line a minute at most: anybody can send us wrong signatures, as fast as they like."""
        self._refusals += 1
        now = self._clock()
        if self._refusals_told is None or now - self._refusals_told >= _MINUTE:
            log.warning("webhook_signature_rejected", channel=self._name, count=self._refusals)
            self._refusals, self._refusals_told = 0, now

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._downloads.fetch(attachment)

    # out

    def compose(self, draft: OutgoingContent) -> Sequence[OutgoingContent]:
        parts = composer.compose(draft, self.text_limit)
        files = self._options.long_answers == "document" and draft.kind == "text"
        return [composer.file_of(draft)] if files and len(parts) >= self._options.document_from else parts

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        now = asyncio.get_running_loop().time()
        if part.kind == "template" and now < self._templates_from:
            raise NotSent("Meta limits templates.", after=ceil((self._templates_from - now) * 1_000), scope="conversation")
        try:
            part, media_id = await self._uploads.ready(part)
        except FileRefused:
            if (words := composer.words_of(part)) is None:
                raise
            part, media_id = words, None
        # Counted only once nothing else keeps the message from leaving.
        if wait := self._pairs.take(pair_of(part.to), now):
            raise NotSent("Too many messages to this person at once.", after=ceil(wait * 1_000) + _SLACK, scope="conversation")
        try:
            return await self._posted(part, attempt_id, media_id)
        except TemplatesPaused as error:
            self._templates_from = now + (error.after or _HOUR) / 1_000
            raise
        except Rejected:
            if media_id is not None:
                self._uploads.forget(media_id)  # it may be the file that Meta does not take, or has no longer
            raise

    async def _posted(self, part: OutboundMessage, attempt_id: str, media_id: str | None) -> SendResult:
        """Post a part; if its file is refused then once as a document, which may be nearly anything, and at last its words."""
        try:
            accepted = await self._graph.send(message_body(part, attempt_id, media_id))
            if isinstance(accepted, TemplatePaused):
                self._tell_held_back(part, accepted.standing)
            return accepted
        except FileRefused:
            others = [form for form in (composer.document_of(part), composer.words_of(part)) if form is not None]
            if not others:
                raise
        log.warning("file_rejected", channel=self._name, part=part.id, kind=part.kind)
        for form in others[:-1]:
            with suppress(Rejected):
                return await self._graph.send(message_body(form, attempt_id, media_id))
        return await self._graph.send(message_body(others[-1], attempt_id, media_id))

    def _tell_held_back(self, part: OutboundMessage, standing: str) -> None:
        name, language = part.content.get("name", part.kind), part.content.get("language", "")
        told = "it is paused for low quality" if standing == "paused" else f"Meta says {standing.replace('_', ' ')}"
        self._context.problems.report(
            f"channel:{self._name}:template_paused",
            f"{self._name}: the template {name} ({language}) was accepted and is not delivered: {told}",
            "check the template in WhatsApp Manager, or configure another one",
            severity="warning",
            lasts=24 * _HOUR,
        )

    def is_address(self, person: Identity) -> bool:
        return is_address(person)

    def reopen_template(self) -> OutgoingContent | None:
        return self._outside

    def _template_of(self, options: WhatsAppOptions) -> OutgoingContent | None:
        if (template := options.template) is None:
            return None
        content = {"name": template.name, "language": template.language, "parameters": list(template.parameters)}
        told = ", ".join((f"{template.name} ({template.language})", *template.parameters))
        draft = next(iter(self.compose(OutgoingContent(f"[template {told}]", "template", content))))
        return replace(draft, content={**draft.content, "category": template.category})

    async def mark_read(self, external_id: str) -> None:
        # Where typing is shown, the call for it follows and marks the message as read by itself.
        if self._read_receipts and self.typing_lasts is None:
            await self._tell(read_body(external_id))

    async def typing(self, external_id: str) -> None:
        if self.typing_lasts is not None:
            await self._tell(typing_body(external_id))

    async def _tell(self, body: Mapping[str, Any]) -> None:
        try:
            await self._graph.tell(body)
        except SaraError as error:
            log.debug("typing_indicator_failed", channel=self._name, error=str(error))
            raise
