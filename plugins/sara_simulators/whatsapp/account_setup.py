"""The set-up at the provider: the token, the number, the account, and the target of events.

A new simulator is set up well but for the callback address, which `WhatsAppSimulator.connect` or a request of `sara doctor --fix`
sets. What a test changes here is what a shop owner gets wrong:

simulator.setup.expires_at = 1                 # the token has ended
simulator.setup.scopes.remove("whatsapp_business_management")
simulator.setup.unsubscribe()                  # the account's events do not go to the app
simulator.setup.registered = False
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from sara_simulators.whatsapp.errors import GraphError
from sara_simulators.whatsapp.settings import Settings
from sara_simulators.whatsapp.webhook_delivery import WebhookSender

FIELDS = (
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "business_capability_update",
    "business_username_updates",
    "calls",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messages",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_message_echoes",
    "template_category_update",
    "user_preferences",
)
"""The webhook fields that an app may subscribe to here."""


class AccountSetup:
    """The set-up of the account, read and changed by tests.

    `expires_at` is Unix seconds, 0 for never. `scopes` is what the token lists, `manages` whether it really may look after the
    account. `numbers` are the account's phone numbers by id. `apps` are the subscribed apps' names by id. `callback` and `fields`
    are the app's, `number_override` and `account_override` the addresses that stand above it. `refused_fields` are those that
    this app may not have. `hurdles` are what keeps the number from sending, as Meta's `errors`. `used` is how many percent of the
    calls allowed in an hour are used up; 0 is not told.
    """

    def __init__(self, settings: Settings, webhook_sender: WebhookSender) -> None:
        self._settings = settings
        self._webhook_sender = webhook_sender
        self.token_app = settings.app_id
        self.token_type = "SYSTEM_USER"
        self.expires_at = 0
        self.scopes = ["whatsapp_business_management", "whatsapp_business_messaging"]
        self.manages = True
        self.numbers = {settings.phone_number_id: f"+{settings.display_number}"}
        self.apps = {settings.app_id: "Corner Bakery Assistant"}
        self.callback: str | None = None
        self.fields = list(FIELDS)
        self.refused_fields: set[str] = set()
        self.number_override: str | None = None
        self.account_override: str | None = None
        self.registered = True
        self.quality = "GREEN"
        self.name_status = "APPROVED"
        self.mode = "LIVE"
        self.hurdles: list[dict[str, Any]] = []
        self.used = 0

    async def connect(self, webhook: str) -> None:
        """Set everything up so that events go to `webhook`, as who owns the business would. Raises `NotVerified`."""
        await self._webhook_sender.verify(webhook, self._settings.verify_token)
        self.apps.setdefault(self._settings.app_id, "Corner Bakery Assistant")
        self.callback, self.fields = webhook, sorted({*self.fields, *FIELDS})
        self.redirect()

    def unsubscribe(self) -> None:
        """Stop delivering the account's events to any app."""
        self.apps.clear()
        self.redirect()

    def point_elsewhere(self, callback: str | None, fields: Iterable[str] = FIELDS) -> None:
        """Set another callback address of the app, or none, and its fields."""
        self.callback, self.fields = callback, list(fields)
        self.redirect()

    def override(self, url: str | None, *, of_account: bool = False) -> None:
        """Set an address that overrides the app's; None removes it."""
        if of_account:
            self.account_override = url
        else:
            self.number_override = url
        self.redirect()

    def redirect(self) -> None:
        """Deliver events to the override, else to the app's callback, if that is on this machine."""
        there = self.number_override or self.account_override or self.callback
        goes = self._settings.app_id in self.apps and "messages" in self.fields
        self._webhook_sender.set_target(there if goes and there and is_on_this_machine(there) else None)

    def describe_token(self, token: str, now_s: int, *, expired: bool) -> dict[str, Any]:
        """Return what `debug_token` says about a token."""
        if not hmac.compare_digest(token.encode(), self._settings.access_token.encode()):
            return _bad_token("Invalid OAuth access token - Cannot parse access token")
        ended = expired or (self.expires_at and self.expires_at <= now_s)
        valid = (
            {"is_valid": True} if not ended else _bad_token("Error validating access token: Session has expired.", subcode=463)
        )
        targets = [self._settings.business_account_id]
        return {
            "app_id": self.token_app,
            "type": self.token_type,
            "application": "Corner Bakery Assistant",
            "data_access_expires_at": 0,
            "expires_at": self.expires_at or (now_s - 1 if ended else 0),
            "issued_at": 1_790_000_000,
            "scopes": list(self.scopes),
            "granular_scopes": [{"scope": scope, "target_ids": targets} for scope in self.scopes],
            "user_id": "122000000000123",
            **valid,
        }

    def health(self) -> dict[str, Any]:
        """Return whether the number can send."""
        errors = list(self.hurdles)
        if not self.registered:
            errors.append(
                {
                    "error_code": 133010,
                    "error_description": "The phone number is not registered.",
                    "possible_solution": "Register the phone number with its two-step verification PIN.",
                }
            )
        number: dict[str, Any] = {"entity_type": "PHONE_NUMBER", "id": self._settings.phone_number_id}
        number |= {"can_send_message": "BLOCKED", "errors": errors} if errors else {"can_send_message": "AVAILABLE"}
        others = (("WABA", self._settings.business_account_id), ("APP", self._settings.app_id))
        entities = [number, *({"entity_type": kind, "id": id, "can_send_message": "AVAILABLE"} for kind, id in others)]
        return {"can_send_message": number["can_send_message"], "entities": entities}

    def addresses(self) -> dict[str, str]:
        """Return the number's `webhook_configuration`."""
        levels = {"phone_number": self.number_override, "whatsapp_business_account": self.account_override}
        return {name: url for name, url in (levels | {"application": self.callback}).items() if url}

    def refusal(self) -> GraphError | None:
        """Return the error that every send gets in the present state; None for no error."""
        return None if self.registered else GraphError(133010)


def is_on_this_machine(url: str) -> bool:
    """Return whether an address is on loopback; events are never delivered elsewhere."""
    from sara_simulators.whatsapp.loopback import is_loopback

    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
    except ValueError:
        return False


def _bad_token(message: str, subcode: int | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": 190, "message": message} | ({"subcode": subcode} if subcode else {})
    return {"error": error, "is_valid": False}
