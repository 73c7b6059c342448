"""Options of a channel with `plugin: whatsapp`."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from sara import Duration, Options, Secret
from sara.helpers import Advice, Placeholder


def _digits_to_text(value: Any) -> Any:
    # An unquoted id is a whole number in YAML; Meta's ids have no leading zeros that could be lost.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _strip_secret(secret: Secret) -> Secret:
    text = secret.reveal().strip()  # copied secrets often carry a line end
    if not text:
        raise ValueError("must not be empty")
    return Secret(text)


def _check_header_value(secret: Secret) -> Secret:
    if not all("!" <= char <= "~" for char in secret.reveal()):
        raise ValueError("must not contain spaces, line ends or non-ASCII characters")
    return secret


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError for an invalid port
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://graph.facebook.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must contain only scheme, host, port and path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(
            "must start with https://, because http would send the access token unencrypted; http is for loopback only"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


MAX_PHONE_DIGITS = 13
"""Maximum number of digits of nearly every phone number; Meta's ids have 15 and more."""

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$"), BeforeValidator(_digits_to_text)]
NonBlankSecret = Annotated[Secret, AfterValidator(_strip_secret)]
NonBlankText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]
"""Text that is not blank."""


class TemplateOptions(Options):
    """A message template as Meta has approved it."""

    name: str = Field(
        pattern=r"^[a-z0-9_]{1,512}$", examples=["we_have_news"], description="The template's name in WhatsApp Manager."
    )
    language: str = Field(
        pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?$",
        examples=["en_US"],
        description="Its language, exactly as approved: en_US, de, pt_BR.",
    )
    parameters: tuple[NonBlankText, ...] = Field((), description="Values of {{1}}, {{2}} … in its body, in this order.")
    category: Literal["utility", "marketing"] = Field(
        "utility",
        description="Category that Meta approved. A marketing template is not sent to customers who opted out of marketing.",
    )


class WhatsAppOptions(Options):
    """One business number on Meta's WhatsApp Cloud API."""

    webhook: str = Field(
        "/webhook/messages",
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        examples=["/webhook/messages"],
        description="Path at which Meta's events arrive on the public listener.",
    )
    phone_number_id: Annotated[Digits, Placeholder("109000000000001")] = Field(
        examples=["106540352242922"],
        description="Id of the business number (not the number itself), from WhatsApp > API Setup in the app dashboard.",
    )
    business_account_id: Annotated[Digits | None, Placeholder("109000000000002")] = Field(
        None,
        examples=["102290129340398"],
        description="Id of the WhatsApp Business Account that owns the number. For `sara doctor`, and to ignore events of other accounts.",
    )
    app_id: Annotated[Digits | None, Placeholder("109000000000003")] = Field(
        None, examples=["670843887433847"], description="Id of the Meta app, from App settings > Basic. For `sara doctor`."
    )
    app_secret: NonBlankSecret | Annotated[tuple[NonBlankSecret, ...], Field(min_length=1)] = Field(
        description="Secret of the app, with which Meta signs events. During a change: a list of the new and the old secret."
    )
    access_token: Annotated[NonBlankSecret, AfterValidator(_check_header_value)] = Field(
        description="Token of a system user with whatsapp_business_messaging and whatsapp_business_management."
    )
    verify_token: NonBlankSecret = Field(description="Any text; enter the same one in Meta's webhook configuration.")
    graph_url: Annotated[str, AfterValidator(_check_url)] = Field(
        "https://graph.facebook.com", description="Address of Meta's Graph API. Plain http only on loopback, for the simulator."
    )
    api_version: str = Field(
        "v26.0", pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$", examples=["v26.0"], description="Version of the Graph API."
    )
    throughput: int = Field(
        80, ge=1, le=1_000, description="Messages per second that Meta grants this number: 80, or 1,000 after an upgrade."
    )
    typing: bool = Field(
        True,
        description="Show the typing indicator while an answer is produced. Meta then also marks the customer's message as read.",
    )
    read_receipts: bool = Field(True, description="Mark a customer's message as read when its answer is started.")
    template: TemplateOptions | None = Field(
        None,
        description="Approved template that asks the customer to write again when the 24-hour reply window is closed. "
        "It is sent once; the replies are parked. Without a template they are only parked.",
    )
    long_answers: Literal["split", "document"] = Field(
        "split",
        description="How to send an answer that is too long for one message: as several messages, each of which costs money, or as "
        "a text file with the first paragraph as its caption, from `document_from` messages on.",
    )
    document_from: int = Field(4, ge=2, description="Number of messages from which on `long_answers: document` sends a file.")
    monthly_budget: int | None = Field(
        None,
        ge=1,
        description="Messages per month that Meta charges for or counts towards its free ones; SARA warns at 80 % and stops "
        "nothing. Default: no warning.",
    )
    on_doubt: Literal["resend", "hold"] = Field(
        "resend", description="What to do with a message of unknown delivery: send it again, or hold it for an operator."
    )
    doubt_timeout: Duration = Field(60_000, description="How long to wait for a receipt that resolves an unknown delivery.")

    def advise(self) -> Iterable[Advice]:
        """Yield advice about ids that were confused with each other: all of them are digits."""
        if len(self.phone_number_id) <= MAX_PHONE_DIGITS:
            remedy = "copy the Phone number ID from WhatsApp > API Setup, where it stands below the number"
            yield Advice("phone_number_id", "looks like a phone number, but must be its id", remedy)
        seen: dict[str, str] = {}
        for option in ("phone_number_id", "business_account_id", "app_id"):
            value = getattr(self, option)
            if value is not None and (other := seen.setdefault(value, option)) != option:
                yield Advice(option, f"is the same as {other}", "copy each id from its own page at Meta", works=False)

    @property
    def is_loopback(self) -> bool:
        """Return whether the Graph API is a simulator on this machine."""
        return _is_loopback(urlsplit(self.graph_url).hostname or "")

    @property
    def app_secrets(self) -> tuple[Secret, ...]:
        """The secrets with which a signature may have been made."""
        return self.app_secret if isinstance(self.app_secret, tuple) else (self.app_secret,)
