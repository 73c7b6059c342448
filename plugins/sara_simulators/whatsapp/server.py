"""The simulator: settings, world and listener put together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sara import Simulator, SimulatorSwitch
from sara_simulators.whatsapp.account_setup import AccountSetup
from sara_simulators.whatsapp.customer_actions import CustomerActions
from sara_simulators.whatsapp.faults import Fault, Faults
from sara_simulators.whatsapp.media import Media, MediaStore
from sara_simulators.whatsapp.records import AcceptedSend, ChatMessage, Customer, GraphRequest, ReadMark
from sara_simulators.whatsapp.reply_windows import ReplyWindows
from sara_simulators.whatsapp.send_checks import SendChecks
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.state import World
from sara_simulators.whatsapp.status_events import StatusEvents
from sara_simulators.whatsapp.templates import Template, Templates
from sara_simulators.whatsapp.webhook_delivery import WebhookDelivery, WebhookSender
from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook, template_webhook

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")
_BODY_LIMIT = 101 * 1024 * 1024  # the largest document and what goes with it


class WhatsAppSimulator(CustomerActions, Simulator):
    """A Graph API on loopback, with customers who write, receive and read, and a phone page to be one of them.

    Takes the fields of `Settings` as keywords. Start it, give `options()` to the channel, `connect` it to the webhook, then
    `say` something (`CustomerActions` has a method for each kind of message), or open `page`. Everything happens on the event loop that started it.
    """

    patience_s = 30.0
    """Default time limit of `wait_for`, in seconds."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.faults = Faults(random.Random(self.settings.seed), self._faults_changed)
        self._world = World(self.settings.clock, ReplyWindows(self.settings.window, self.settings.first_contact))
        self._media_store = MediaStore(self.settings.clock)
        self._templates = Templates()
        self._webhook_sender = WebhookSender(self.settings, self.faults, self._world.changed)
        self.setup = AccountSetup(self.settings, self._webhook_sender)
        self._status_events = StatusEvents(self.settings, self.faults, self._world, self._webhook_sender)
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._host = ""
        self.url = ""

    # ── life ──

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on `host`, which must be this machine itself, and `port`; return the base URL."""
        from aiohttp import web

        from sara_simulators.whatsapp import media_endpoints, message_endpoints, setup_endpoints, template_endpoints
        from sara_simulators.whatsapp.graph_requests import GraphGateway
        from sara_simulators.whatsapp.loopback import is_loopback, loopback_only
        from sara_simulators.whatsapp.page import Page

        if self._runner:
            raise RuntimeError("the simulator is already running")
        if not is_loopback(host):
            raise ValueError(f"the simulator listens on loopback only, not on {host}")
        page = Page(self.settings, self.faults, self._world, self._status_events, self._webhook_sender, self._media_store, self)
        gateway = GraphGateway(self.settings, self.faults, self._world)
        send_checks = SendChecks(self.settings, self.faults, self._world, self._media_store, self._templates)
        sections = [
            page.routes(),
            media_endpoints.routes(gateway, self._media_store),
            template_endpoints.routes(gateway, self._templates),
            setup_endpoints.routes(gateway, self.setup, self._webhook_sender),
            message_endpoints.routes(gateway, self._media_store, send_checks, self._status_events.report),
            message_endpoints.fallback_routes(gateway),
        ]
        app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[loopback_only])
        app.add_routes([route for section in sections for route in section])
        app.on_shutdown.append(lambda _: page.close())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._host = host
        try:
            await self._listen(self._runner, port)
        except OSError:
            await self.stop()
            raise
        self.page = f"{self.url}/"
        self._media_store.origin = self.url
        return self.url

    async def _listen(self, runner: web.AppRunner, port: int) -> None:
        from aiohttp import web

        self._site = web.TCPSite(runner, self._host, port, reuse_address=True)
        await self._site.start()
        bound = runner.addresses[0][1]
        self.url = f"http://[{self._host}]:{bound}" if ":" in self._host else f"http://{self._host}:{bound}"

    async def stop(self) -> None:
        """Close the listener, and cancel all pending deliveries."""
        runner, self._runner, self._site, self.page = self._runner, None, None, None
        await self._webhook_sender.close()
        self._world.listeners.clear()
        if runner:
            await runner.cleanup()

    async def __aenter__(self) -> WhatsAppSimulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """Refuse connections while the context is open: open connections are cut and new ones refused."""
        runner, site = self._runner, self._site
        if not runner or not site:
            raise RuntimeError("the simulator is not running")
        await site.stop()
        for connection in runner.server.connections if runner.server else ():
            connection.force_close()
        try:
            yield
        finally:
            await self._listen(runner, urlsplit(self.url).port or 0)

    def options(self) -> dict[str, Any]:
        """Return the options of a `whatsapp` section that talks to this simulator."""
        if not self.url:
            raise RuntimeError("start the simulator first: its address is one of the options")
        names = ("phone_number_id", "business_account_id", "app_id", "app_secret", "access_token", "verify_token")
        return {name: getattr(self.settings, name) for name in names} | {"graph_url": self.url}

    def switches(self) -> Sequence[Fault]:
        """Return Meta's faults."""
        return tuple(self.faults)

    def show_switches(self, switches: Sequence[SimulatorSwitch]) -> None:
        """Show the switches of another simulator on the phone page, after its own."""
        for switch in switches:
            switch.changed = self._faults_changed
        self.faults.others += switches

    async def connect(self, webhook: str) -> None:
        """Verify `webhook` and deliver there from now on, earlier messages too. Raises `NotVerified`."""
        await self.setup.connect(webhook)
        self._world.changed(kind="connected", connected=True)

    # ── customers ──

    async def say(
        self,
        customer: str | Customer,
        content: str | Mapping[str, Any],
        reply_to: str | None = None,
        *,
        forwarded: bool | str = False,
    ) -> str:
        """Send a text, or a whole message such as `{"type": "image", "image": {...}}`.

        `forwarded` marks it as forwarded, `"often"` as forwarded many times. Returns its id at once; the webhook is delivered
        in the background.
        """
        return (await self.post_messages([(customer, content)], reply_to, forwarded=forwarded))[0]

    async def post_messages(
        self,
        messages: Sequence[tuple[str | Customer, str | Mapping[str, Any]]],
        reply_to: str | None = None,
        *,
        forwarded: bool | str = False,
    ) -> list[str]:
        """Send several messages, of one customer or of many, in one webhook. Returns their ids at once."""
        people = [self._world.find(customer) for customer, _ in messages]
        bubbles = [
            self._world.write(who, content, reply_to, forwarded) for who, (_, content) in zip(people, messages, strict=True)
        ]
        body = encode_body(inbound_webhook(self.settings, zip(people, bubbles, strict=True), self._world.messages))
        self._webhook_sender.spawn(self._bring(body, bubbles))
        return [bubble.id for bubble in bubbles]

    async def _bring(self, body: bytes, bubbles: Sequence[ChatMessage]) -> None:
        def move(state: str) -> None:
            for bubble in bubbles:
                self._world.advance(bubble.id, state)

        await self._webhook_sender.deliver(body, on_accepted=lambda: move("delivered"), on_abandoned=lambda: move("failed"))

    async def post(self, body: Mapping[str, Any] | bytes, *, secret: str | None = None, retry: bool = True) -> WebhookDelivery:
        """Post any body, signed (with another `secret`, if given); a mapping is written as Meta would. Returns after the first
        try.
        """
        if not self._webhook_sender.webhook:
            raise RuntimeError("connect the simulator to a webhook first")
        if not isinstance(body, bytes):
            self._world.record_posted(body)
            body = encode_body(body)
        return await self._webhook_sender.deliver(body, secret=secret, retry=retry)

    @property
    def media(self) -> Sequence[Media]:
        """Return every file that exists, of both sides, oldest first."""
        return tuple(self._media_store)

    def add_customer(
        self, name: str, phone: str | None = None, user_id: str | None = None, username: str | None = None
    ) -> Customer:
        """Add a customer; without `phone` the number is hidden, without `user_id` one is made up."""
        return self._world.invent(name, phone, user_id, username)

    # ── templates ──

    @property
    def templates(self) -> Sequence[Template]:
        """Return the business's templates of any status."""
        return tuple(self._templates)

    def approve(
        self,
        name: str,
        language: str = "en",
        body: str | None = None,
        *,
        category: str = "utility",
        buttons: Sequence[str] = (),
        footer: str = "",
    ) -> Template:
        """Add an approved template, or approve an existing one where there is no body.

        `{{1}}` or `{{name}}` in `body` are places for parameters.
        """
        known = self._templates.get(name, language)
        if body is None and known:
            return self._decide(known, "APPROVED")
        text = f"This is the template {name}." if body is None else body
        return self._decide(Template(name, language, text, category, tuple(buttons), footer), "APPROVED")

    def reject(self, name: str, language: str = "en", status: str = "REJECTED") -> Template:
        """Change a template's status to REJECTED, PAUSED or DISABLED. Raises `KeyError` where there is none such."""
        known = self._templates.get(name, language)
        if known is None:
            raise KeyError(f"no template {name!r} in {language!r}")
        return self._decide(known, status)

    def _decide(self, template: Template, status: str) -> Template:
        decided = self._templates.put(replace(template, status=status))
        if self._webhook_sender.webhook:
            body = encode_body(template_webhook(self.settings, decided, status, self.settings.clock()))
            self._webhook_sender.spawn(self._bring(body, ()))
        return decided

    # ── the record ──

    @property
    def customers(self) -> Mapping[str, Customer]:
        """Return the customers by id."""
        return self._world.customers

    @property
    def accepted(self) -> list[AcceptedSend]:
        """Return every accepted send, in order."""
        return self._world.accepted

    @property
    def requests(self) -> Sequence[GraphRequest]:
        """Return the latest ten thousand requests to the Graph API, oldest first."""
        return self._world.requests

    @property
    def reads(self) -> list[ReadMark]:
        """Return the read marks of the business, typing indicators included."""
        return self._world.reads

    @property
    def typings(self) -> list[ReadMark]:
        """Return the messages for which the business showed the typing indicator."""
        return self._world.typings

    @property
    def deliveries(self) -> Sequence[WebhookDelivery]:
        """Return the latest thousand webhooks, oldest first."""
        return self._webhook_sender.deliveries

    @property
    def under_way(self) -> int:
        """Return the number of webhooks and status events that are not settled yet."""
        return self._webhook_sender.under_way

    async def wait_for(self, condition: Callable[[WhatsAppSimulator], T], timeout: float | None = None) -> T:
        """Wait until `condition(simulator)` is true and return its value; evaluate it after every change.

        Raises `TimeoutError` after `timeout` seconds, by default `patience_s`, with a description of the state.
        """
        timeout = self.patience_s if timeout is None else timeout
        try:
            async with asyncio.timeout(timeout):
                while not (found := condition(self)):
                    await self._world.wait()
                return found
        except TimeoutError:
            raise TimeoutError(
                f"not within {timeout} s; {len(self.accepted)} sends accepted, requests answered"
                f" {[request.status for request in self.requests][-10:]}, webhooks answered"
                f" {[delivery.statuses for delivery in self.deliveries][-10:]}, {self.under_way} under way"
            ) from None

    def _faults_changed(self) -> None:
        self._world.changed(kind="faults", faults=[fault.state() for fault in self.faults.all_switches()])
