"""Deliver webhooks as Meta does: signed, at least once, repeated until they are answered 200."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sara import SaraError
from sara_simulators.whatsapp.faults import Faults
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.webhooks import sign_body

if TYPE_CHECKING:
    import aiohttp

AT_ONCE = 50
"""Limit of concurrent webhook requests."""


class NotVerified(SaraError):
    """The webhook did not return the challenge."""


@dataclass(slots=True)
class WebhookDelivery:
    """A webhook on its way. `statuses` are the responses so far, 0 where there was none.

    It is `accepted` once one was 200, and `abandoned` when nothing more will be tried.
    """

    body: bytes
    signature: str
    on_accepted: Callable[[], None] = lambda: None
    on_abandoned: Callable[[], None] = lambda: None
    statuses: list[int] = field(default_factory=list)
    accepted: bool = False
    abandoned: bool = False


class WebhookSender:
    """Posts webhooks to the daemon, and repeats them."""

    def __init__(self, settings: Settings, faults: Faults, changed: Callable[[], None]) -> None:
        self.webhook: str | None = None
        self.deliveries: deque[WebhookDelivery] = deque(maxlen=1_000)
        self._settings = settings
        self._faults = faults
        self._changed = changed
        self._connected = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    # ── life ──

    async def verify(self, webhook: str, verify_token: str) -> None:
        """Check that the other end knows the verify token. Raises `NotVerified`."""
        import aiohttp

        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            async with self._open().get(webhook, params=query, allow_redirects=False) as answer:
                status, text = answer.status, (await answer.content.read(1_000)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotVerified(f"{webhook} could not be verified: {error or 'no answer in time'}") from error
        if status != 200:
            raise NotVerified(f"{webhook} could not be verified: it answered {status}; do both sides have the same verify_token?")
        if text != challenge:
            raise NotVerified(f"{webhook} could not be verified: it answered {text[:80]!r} instead of the challenge {challenge}")

    def set_target(self, webhook: str | None) -> None:
        """Deliver there from now on, waiting webhooks too; None makes everything wait."""
        self.webhook = webhook
        if webhook is None:
            self._connected.clear()
        else:
            self._connected.set()

    async def close(self) -> None:
        """Cancel all deliveries; nothing is delivered any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None
        self._connected.clear()
        self.webhook = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that ends with the simulator at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed()

    @property
    def under_way(self) -> int:
        """Return the number of webhooks and status events that are not settled yet."""
        return len(self._tasks)

    # ── delivery ──

    async def deliver(
        self,
        body: bytes,
        *,
        on_accepted: Callable[[], None] = lambda: None,
        on_abandoned: Callable[[], None] = lambda: None,
        secret: str | None = None,
        retry: bool = True,
    ) -> WebhookDelivery:
        """Post a webhook, once a target is set; return after the first try. Further ones run in the background."""
        await self._connected.wait()
        delivery = WebhookDelivery(body, sign_body(body, secret or self._settings.app_secret), on_accepted, on_abandoned)
        self.deliveries.append(delivery)
        await self._try(delivery)
        if not delivery.accepted:
            if retry:
                self.spawn(self._try_again(delivery))
            else:
                self._abandon(delivery)
        return delivery

    async def _try_again(self, delivery: WebhookDelivery) -> None:
        for gap in self._settings.retry_gaps:
            await asyncio.sleep(gap / 1000)
            await self._try(delivery)
            if delivery.accepted:
                return
        self._abandon(delivery)

    def _abandon(self, delivery: WebhookDelivery) -> None:
        delivery.abandoned = True
        delivery.on_abandoned()
        self._changed()

    async def _try(self, delivery: WebhookDelivery) -> None:
        copies = self._faults.redeliver.value if self._faults.redeliver.strikes() else 1
        for _ in range(max(1, copies)):
            status = await self._post(delivery)
            delivery.statuses.append(status)
            if status == 200 and not delivery.accepted:
                delivery.accepted = True
                delivery.on_accepted()
            self._changed()

    async def _post(self, delivery: WebhookDelivery) -> int:
        import aiohttp

        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": delivery.signature,
            "User-Agent": "facebookexternalua",
        }
        if self.webhook is None:
            return 0
        async with self._at_once:
            try:
                async with self._open().post(self.webhook, data=delivery.body, headers=headers, allow_redirects=False) as answer:
                    await answer.read()
                    return answer.status
            except (aiohttp.ClientError, TimeoutError):
                return 0

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            # a fresh connection each time: a daemon that restarts must not be met with a connection to its predecessor
            connector = aiohttp.TCPConnector(limit=AT_ONCE + 1, force_close=True)
            timeout = aiohttp.ClientTimeout(total=self._settings.webhook_timeout / 1000)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self._session
