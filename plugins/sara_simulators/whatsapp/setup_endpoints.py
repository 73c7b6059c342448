"""Endpoints of the account set-up: the token, the number's own fields, the account, the callback."""

from __future__ import annotations

import hmac
from typing import Any

from aiohttp import web

from sara_simulators.whatsapp.account_setup import FIELDS, AccountSetup, is_on_this_machine
from sara_simulators.whatsapp.errors import GraphError, invalid, no_such_object, required
from sara_simulators.whatsapp.graph_requests import OBJECT, GraphGateway, bearer_token, json_response, parse_object
from sara_simulators.whatsapp.webhook_delivery import NotVerified, WebhookSender

_OBJECT = "whatsapp_business_account"
_NOT_VERIFIED = 2200


def routes(gateway: GraphGateway, setup: AccountSetup, webhook_sender: WebhookSender) -> list[web.RouteDef]:
    """Return the routes, and give the phone number's own fields to the gateway."""
    gateway.number |= {
        "quality_rating": lambda: setup.quality,
        "name_status": lambda: setup.name_status,
        "platform_type": lambda: "CLOUD_API" if setup.registered else "NOT_APPLICABLE",
        "status": lambda: "CONNECTED" if setup.registered else "DISCONNECTED",
        "account_mode": lambda: setup.mode,
        "health_status": setup.health,
        "webhook_configuration": setup.addresses,
    }
    gateway.refusal = setup.refusal
    gateway.used = lambda: setup.used
    endpoints = _SetupEndpoints(gateway, setup, webhook_sender)
    answers = [
        ("GET", r"/{version:v\d+\.\d+}/debug_token", endpoints.inspect),
        ("GET", f"{OBJECT}/phone_numbers", endpoints.numbers),
        ("GET", f"{OBJECT}/subscribed_apps", endpoints.apps),
        ("POST", f"{OBJECT}/subscribed_apps", endpoints.subscribe),
        ("GET", f"{OBJECT}/subscriptions", endpoints.subscriptions),
        ("POST", f"{OBJECT}/subscriptions", endpoints.set_callback),
    ]
    return [web.route(method, path, gateway.wrap(answer)) for method, path, answer in answers]


class _SetupEndpoints:
    def __init__(self, gateway: GraphGateway, setup: AccountSetup, webhook_sender: WebhookSender) -> None:
        self._gateway = gateway
        self._settings = gateway.settings
        self._setup = setup
        self._webhook_sender = webhook_sender

    # ── the app ──

    def _as_app(self, request: web.Request) -> None:
        right = f"{self._settings.app_id}|{self._settings.app_secret}"
        if not hmac.compare_digest(bearer_token(request).encode(), right.encode()):
            raise GraphError(190, message="Invalid OAuth access token signature.")

    def _own_app(self, request: web.Request) -> None:
        self._as_app(request)
        if request.match_info["object"] != self._settings.app_id:
            raise no_such_object(request.method, request.match_info["object"])

    async def inspect(self, request: web.Request, raw: bytes) -> web.Response:
        self._as_app(request)
        token = request.query.get("input_token")
        if not token:
            raise required("input_token")
        now_s = self._settings.clock() // 1_000
        return json_response(
            {"data": self._setup.describe_token(token, now_s, expired=self._gateway.faults.token_expired.active)}
        )

    async def subscriptions(self, request: web.Request, raw: bytes) -> web.Response:
        self._own_app(request)
        setup = self._setup
        if setup.callback is None:
            return json_response({"data": []})
        fields = [{"name": name, "version": request.match_info["version"]} for name in setup.fields]
        return json_response({"data": [{"object": _OBJECT, "callback_url": setup.callback, "active": True, "fields": fields}]})

    async def set_callback(self, request: web.Request, raw: bytes) -> web.Response:
        """Verify the address as Meta does, then deliver there."""
        self._own_app(request)
        body = parse_object(raw) or {}
        for key in ("object", "callback_url", "verify_token", "fields"):
            if not isinstance(body.get(key), str) or not body[key]:
                raise required(key)
        if body["object"] != _OBJECT:
            raise invalid(f"Param object must be one of {{{_OBJECT.upper()}}}")
        fields = [name.strip() for name in body["fields"].split(",")]
        for name in fields:
            if name not in FIELDS or name in self._setup.refused_fields:
                raise invalid(f'Param fields[0] must be one of {{{", ".join(FIELDS)}}} - got "{name}".')
        if not is_on_this_machine(body["callback_url"]):
            raise GraphError(_NOT_VERIFIED, message=_unverified("the simulator delivers on this machine only"))
        try:
            await self._webhook_sender.verify(body["callback_url"], body["verify_token"])
        except NotVerified as error:
            raise GraphError(_NOT_VERIFIED, message=_unverified(str(error))) from error
        self._setup.point_elsewhere(body["callback_url"], fields)
        self._gateway.world.changed(kind="connected", connected=self._webhook_sender.webhook is not None)
        return json_response({"success": True})

    # ── the account ──

    def _own_account(self, request: web.Request) -> None:
        self._gateway.authorize(request)
        if request.match_info["object"] != self._settings.business_account_id:
            raise no_such_object(request.method, request.match_info["object"])
        if not self._setup.manages:
            raise GraphError(200, message="(#200) You do not have the necessary permissions to manage this business account.")

    async def numbers(self, request: web.Request, raw: bytes) -> web.Response:
        self._own_account(request)
        common = {"verified_name": self._settings.verified_name, "status": "LINKED", "quality_rating": "GREEN"}
        nodes = [{"id": id, "display_phone_number": number, **common} for id, number in self._setup.numbers.items()]
        wanted = [field for field in request.query.get("fields", "").split(",") if field]
        data = [{key: node[key] for key in ("id", *wanted) if key in node} for node in nodes] if wanted else nodes
        return json_response({"data": data, "paging": {"cursors": {"before": "QVFI", "after": "QVFJ"}}})

    async def apps(self, request: web.Request, raw: bytes) -> web.Response:
        self._own_account(request)
        data = []
        for id, name in self._setup.apps.items():
            link = f"https://www.facebook.com/games/?app_id={id}"
            node: dict[str, Any] = {"whatsapp_business_api_data": {"id": id, "name": name, "link": link}}
            if self._setup.account_override:
                node["override_callback_uri"] = self._setup.account_override
            data.append(node)
        return json_response({"data": data})

    async def subscribe(self, request: web.Request, raw: bytes) -> web.Response:
        """Without a body, as here, an override of the account goes away."""
        self._own_account(request)
        self._setup.apps[self._settings.app_id] = "Corner Bakery Assistant"
        self._setup.override(None, of_account=True)
        return json_response({"success": True})


def _unverified(why: str) -> str:
    return f"(#{_NOT_VERIFIED}) Callback verification failed with the following errors: {why}"
