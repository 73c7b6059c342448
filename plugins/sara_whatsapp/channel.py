"""The WhatsApp channel: Meta's signed webhooks in, Graph API messages out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import structlog

from sara import Accepted, Channel, Context, Draft, Instant, Part, Reception, Request, Response
from sara_whatsapp.bodies import message_body
from sara_whatsapp.formatting import split, to_whatsapp
from sara_whatsapp.graph import GraphClient
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.payloads import Number, parse
from sara_whatsapp.simulator import WhatsAppSimulator

log = structlog.get_logger("sara_whatsapp")

_MINUTE = 60_000


class WhatsAppChannel(Channel):
    """One business number on Meta's Cloud API."""

    Options = WhatsAppOptions
    simulator = WhatsAppSimulator
    receipts_carry_attempt = True

    def __init__(self, options: WhatsAppOptions, context: Context) -> None:
        self.account = f"whatsapp:{options.phone_number_id}"
        self.webhook = options.webhook
        self.on_doubt = options.on_doubt
        self.doubt_hold = options.doubt_hold
        self._name = context.name
        self._clock = context.clock
        self._number = Number(self.account, options.phone_number_id, options.business_account_id)
        self._keys = tuple(secret.reveal().encode() for secret in options.app_secrets)
        self._verify_token = options.verify_token.reveal().encode()
        self._graph = GraphClient(
            options.graph_url, options.api_version, options.phone_number_id, options.access_token, per_second=options.throughput
        )
        self._refusals = 0
        self._refusals_told: Instant | None = None

    async def open(self) -> None:
        await self._graph.open()

    async def close(self) -> None:
        await self._graph.close()

    # in

    def receive(self, request: Request) -> Reception:
        method = request.method.upper()
        if method == "GET":
            return Reception(self._verification(request))
        if method != "POST":
            return Reception(Response(405))
        # Meta sends no compressed bodies; the signature is over the bytes as they came.
        if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            return Reception(Response(415))
        if not self._signed(request):
            self._tell_refusal()
            return Reception(Response(401))
        parsed = parse(request.body, self._number, self._clock())
        for note in parsed.notes:
            log.info("webhook_left_out", channel=self._name, what=note.what, which=note.which, count=note.count)
        if parsed.set_aside:
            log.warning("webhook_set_aside", channel=self._name, count=len(parsed.set_aside), reason=parsed.set_aside[0].reason)
        return Reception(Response(200), True, parsed.messages, parsed.receipts, parsed.changes, parsed.set_aside)

    def _verification(self, request: Request) -> Response:
        """Meta's handshake, sent whenever the callback address or the verify token is entered."""
        query = request.query
        token = query.get("hub.verify_token", "").encode("utf-8", "replace")
        right = hmac.compare_digest(token, self._verify_token)
        if not right or query.get("hub.mode") != "subscribe" or "hub.challenge" not in query:
            return Response(403)
        return Response(200, query["hub.challenge"].encode("utf-8", "replace"))

    def _signed(self, request: Request) -> bool:
        """Whether one of the secrets made the signature. Compared as bytes: compare_digest raises for text beyond ASCII."""
        claimed = request.headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
        signatures = [f"sha256={hmac.new(key, request.body, hashlib.sha256).hexdigest()}".encode() for key in self._keys]
        matches = [hmac.compare_digest(claimed, signature) for signature in signatures]
        return any(matches)  # all were compared first, so that the time taken does not tell which secret was right

    def _tell_refusal(self) -> None:
        """One line a minute at most: anybody can send us wrong signatures, as fast as they like."""
        self._refusals += 1
        now = self._clock()
        if self._refusals_told is None or now - self._refusals_told >= _MINUTE:
            log.warning("webhook_signature_wrong", channel=self._name, count=self._refusals)
            self._refusals, self._refusals_told = 0, now

    # out

    def compose(self, draft: Draft) -> Sequence[Draft]:
        if draft.kind != "text":
            return (draft,)
        # Marks before the cut, since they change lengths.
        return [Draft(text=part) for part in split(to_whatsapp(draft.text), self.text_limit)]

    async def send(self, part: Part, attempt_id: str) -> Accepted:
        return await self._graph.send(message_body(part, attempt_id))
