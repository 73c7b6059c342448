"""A channel of a third party: slips come in over HTTP with a token, answers leave as lines over TCP."""

from __future__ import annotations

import asyncio
import hmac

from sara import (SendResult, Channel, Context, InboundMessage, DeliveryUnknown, NotSent, Options, OutboundMessage, Identity, WebhookResult, Request, Response, Secret, hookimpl)


class PigeonOptions(Options):
    """One loft."""

    loft: str
    port: int
    token: Secret


class PigeonChannel(Channel):
    """A slip is `id|who|text`. An answer is the line `attempt|who|text`, to which the loft says `ok`."""

    Options = PigeonOptions
    webhook = "/loft"
    text_limit = 100

    def __init__(self, options: PigeonOptions, context: Context) -> None:
        self.account = f"pigeon:{options.loft}"
        self._options = options
        self._clock = context.clock

    def receive(self, request: Request) -> WebhookResult:
        token = request.headers.get("x-token", "").encode("utf-8", "replace")
        if not hmac.compare_digest(token, self._options.token.reveal().encode()):
            return WebhookResult(Response(401))
        slips = [line.split("|", 2) for line in request.body.decode("utf-8", "replace").splitlines()]
        now = self._clock()
        messages = [InboundMessage(self.account, ident, Identity(user_id=who), "text", text, now) for ident, who, text in slips]
        return WebhookResult(verified=True, messages=tuple(messages))

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._options.port)
        except OSError as error:
            raise NotSent(f"the loft is closed: {error}") from error
        try:
            writer.write(f"{attempt_id}|{part.to.user_id}|{part.text}\n".encode())
            if await reader.readline() != b"ok\n":
                raise DeliveryUnknown("the loft said nothing")
        finally:
            writer.close()
        return SendResult(attempt_id)


@hookimpl
def register_channels() -> list[type[Channel]]:
    """`plugin: pigeon`."""
    return [PigeonChannel]
