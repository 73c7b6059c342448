"""Requests the public address as Meta does: the handshake and signed events."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from sara import CheckResult
from sara.helpers import explain_unreachable
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.self_test import build_probe

LARGE_BODY_BYTES = 3_000_000
"""The largest body that Meta documents."""

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=10)
_BACKEND_REMEDY = (
    "Start SARA with `sara run` if it is not running; otherwise check that the web server forwards this path to `server.listen`."
)
_PATH_REMEDY = "Configure the web server to forward the path unchanged, and check that `webhook` in sara.yaml is the same path."
_RESTART_REMEDY = "Restart SARA if sara.yaml was changed; otherwise another SARA or another server answers there."
_BODY_REMEDY = (
    "Restart SARA if app_secret was changed; otherwise a proxy (a web application firewall, a CDN) changes bodies: switch that "
    "off for this path."
)


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """The parts of an HTTP response that the probe needs."""

    status: int
    body: bytes
    location: str = ""


async def probe_webhook(options: WhatsAppOptions, address: str) -> list[CheckResult]:
    """Request the public address with the handshake, a signed event, a wrongly signed event and a large event."""
    found = _check_https(options, address)
    # A new connection for each request, as Meta's requests arrive.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, headers={"User-Agent": "SARA"}) as session:
        webhook = _WebhookProbe(session, options, address)
        try:
            return [*found, *await webhook.check_verification(), *await webhook.check_events()]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why, remedy = explain_unreachable(error)
            return [*found, CheckResult("webhook", "bad", f"{address} does not answer: {why}.", remedy)]


def _check_https(options: WhatsAppOptions, address: str) -> list[CheckResult]:
    if urlsplit(address).scheme == "https" or options.is_loopback:
        return []
    return [
        CheckResult(
            "https",
            "bad",
            f"Meta delivers to https only, but public_url gives {address}.",
            "Put a web server with a certificate before SARA.",
        )
    ]


class _WebhookProbe:
    def __init__(self, session: aiohttp.ClientSession, options: WhatsAppOptions, address: str) -> None:
        self._session = session
        self._options = options
        self._address = address

    async def check_verification(self) -> list[CheckResult]:
        challenge = str(secrets.randbelow(10**12))
        right = await self._send_handshake(self._options.verify_token.reveal(), challenge)
        if right.status != 200:
            if right.status == 403:
                message = f"{self._address} does not accept the configured verify_token, so Meta's handshake would fail."
                return [CheckResult("verify token", "bad", message, _RESTART_REMEDY)]
            return [self._report_unexpected("verify token", right)]
        if right.body.decode("utf-8", "replace").strip() != challenge:
            message = f"{self._address} answers without the challenge, so it is not SARA."
            return [CheckResult("verify token", "bad", message, _PATH_REMEDY)]
        wrong = await self._send_handshake(secrets.token_urlsafe(24), challenge)
        if wrong.status == 200:
            message = f"{self._address} accepts any verify token, so it is not SARA."
            return [CheckResult("verify token", "bad", message, _PATH_REMEDY)]
        return [CheckResult("verify token", "good", "The handshake succeeds, and fails with a wrong token.")]

    async def check_events(self) -> list[CheckResult]:
        body = build_probe()
        signed = await self._post(body, self._options.app_secrets[0].reveal())
        if signed.status != 200:
            if signed.status in (401, 403):
                message = "A signed event is rejected: the signature does not match the body that SARA receives."
                return [CheckResult("events", "bad", message, _BODY_REMEDY)]
            return [self._report_unexpected("events", signed)]
        wrong = await self._post(body, secrets.token_hex(16))
        if wrong.status not in (401, 403):
            message = f"A wrongly signed event gets {wrong.status} instead of 401, so it is not SARA that answers."
            return [CheckResult("events", "bad", message, _PATH_REMEDY)]
        return [
            CheckResult("events", "good", "A signed event is accepted; a wrongly signed one is rejected."),
            await self._check_large_event(),
        ]

    async def _check_large_event(self) -> CheckResult:
        try:
            status = (await self._post(build_probe(LARGE_BODY_BYTES), self._options.app_secrets[0].reveal())).status
            outcome = f"answered {status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Some web servers close the connection on a body that is too large.
            status, outcome = 0, explain_unreachable(error)[0]
        if status == 200:
            return CheckResult("large events", "good", "An event of 3 MB, the largest that Meta sends, is accepted.")
        remedy = "Allow bodies of 4 MB in the web server: `client_max_body_size 4m;` in nginx; Caddy has no default limit."
        return CheckResult(
            "large events", "warning", f"An event of 3 MB, the largest that Meta sends, is not accepted ({outcome}).", remedy
        )

    def _report_unexpected(self, check: str, reply: ProbeResponse) -> CheckResult:
        """Return the result for a response that SARA never gives."""
        state: Literal["bad"] = "bad"
        where = f"{self._address} answers {reply.status}"
        if 300 <= reply.status < 400:
            return CheckResult(
                check, state, f"{where}, a redirect to {reply.location or 'elsewhere'}.", "Set public_url to the final address."
            )
        if reply.status in (502, 504):
            return CheckResult(check, state, f"{where}: the web server does not reach SARA.", _BACKEND_REMEDY)
        if reply.status == 503:
            return CheckResult(
                check,
                state,
                f"{where}: SARA is stopping, cannot store messages, or is not running.",
                "Check `sara queue stats` and the log.",
            )
        if reply.status in (404, 405):
            return CheckResult(check, state, f"{where}: no server handles this path.", _PATH_REMEDY)
        if reply.status in (401, 403, 407, 429):
            return CheckResult(
                check,
                state,
                f"{where}: a proxy rejects the request.",
                "Allow all requests to this path; SARA checks the signature.",
            )
        return CheckResult(check, state, f"{where}, which is never SARA's response.", _PATH_REMEDY)

    async def _send_handshake(self, token: str, challenge: str) -> ProbeResponse:
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
        async with self._session.get(self._address, params=query, allow_redirects=False) as answer:
            return ProbeResponse(answer.status, await answer.content.read(1_000), answer.headers.get("Location", ""))

    async def _post(self, body: bytes, secret: str) -> ProbeResponse:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        async with self._session.post(self._address, data=body, headers=headers, allow_redirects=False) as answer:
            return ProbeResponse(answer.status, await answer.content.read(1_000), answer.headers.get("Location", ""))
