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
        raise ValueError("must hold nothing but scheme, host, port and path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must start with https://, because the access token would travel in clear; http is for loopback only")
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
    parameters: tuple[NonBlankText, ...] = Field(
        (), description="What takes the places of {{1}}, {{2}} … in its body, in their order."
    )
    category: Literal["utility", "marketing"] = Field(
        "utility",
        description="As what Meta approved it. One for marketing goes to nobody who told WhatsApp that they want no offers.",
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
        description="Id of the WhatsApp Business Account that owns the number. For `sara doctor`, and to leave out others' news.",
    )
    app_id: Annotated[Digits | None, Placeholder("109000000000003")] = Field(
        None, examples=["670843887433847"], description="Id of the Meta app, from App settings > Basic. For `sara doctor`."
    )
    app_secret: NonBlankSecret | Annotated[tuple[NonBlankSecret, ...], Field(min_length=1)] = Field(
        description="The app's secret, with which Meta signs events. While it is being changed: a list of the new and the old."
    )
    access_token: Annotated[NonBlankSecret, AfterValidator(_check_header_value)] = Field(
        description="Token of a system user with whatsapp_business_messaging and whatsapp_business_management."
    )
    verify_token: NonBlankSecret = Field(description="Text of your own choice; enter the same in Meta's webhook configuration.")
    graph_url: Annotated[str, AfterValidator(_check_url)] = Field(
        "https://graph.facebook.com", description="Where Meta's Graph API is. Plain http only on loopback, for the simulator."
    )
    api_version: str = Field(
        "v26.0", pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$", examples=["v26.0"], description="Version of the Graph API to speak."
    )
    throughput: int = Field(
        80, ge=1, le=1_000, description="Messages per second that Meta grants this number: 80, or 1,000 after an upgrade."
    )
    typing: bool = Field(
        True, description="Show the customer that an answer is being written. With Meta this marks their message as read, too."
    )
    read_receipts: bool = Field(True, description="Mark a customer's message as read once an answer to it is being made.")
    template: TemplateOptions | None = Field(
        None,
        description="Approved template that asks the customer to write again, once the 24 hours in which Meta lets us answer are "
        "over. It is sent once; what could not be said waits. Without one it only waits.",
    )
    long_answers: Literal["split", "document"] = Field(
        "split",
        description="What becomes of an answer that is too long for one message: several messages, each of which costs, or a text "
        "file with the first paragraph beside it, from `document_from` messages on.",
    )
    document_from: int = Field(4, ge=2, description="From how many messages on a long answer becomes a file, if it does at all.")
    monthly_budget: int | None = Field(
        None,
        ge=1,
        description="How many messages a month may be sent that Meta charges for or counts towards its free ones; a warning comes "
        "at 80 %. Nothing is held back. Left out: no warning.",
    )
    on_doubt: Literal["resend", "hold"] = Field(
        "resend",
        description="What to do with a message of which nobody can tell whether it left: send it again, or hold it for a person.",
    )
    doubt_timeout: Duration = Field(60_000, description="How long to wait for a receipt that settles such a doubt.")

    def advise(self) -> Iterable[Advice]:
        """Yield advice about ids that were confused with each other: all of them are digits."""
        if len(self.phone_number_id) <= MAX_PHONE_DIGITS:
            remedy = "copy the Phone number ID from WhatsApp > API Setup, where it stands below the number"
            yield Advice("phone_number_id", "looks like a telephone number, and its id is wanted", remedy)
        seen: dict[str, str] = {}
        for option in ("phone_number_id", "business_account_id", "app_id"):
            value = getattr(self, option)
            if value is not None and (other := seen.setdefault(value, option)) != option:
                yield Advice(option, f"is the same as {other}", "copy each id from its own page at Meta", works=False)

    @property
    def is_loopback(self) -> bool:
        """Whether the Graph API is a simulator on this machine."""
        return _is_loopback(urlsplit(self.graph_url).hostname or "")

    @property
    def app_secrets(self) -> tuple[Secret, ...]:
        """The secrets with which a signature may have been made."""
        return self.app_secret if isinstance(self.app_secret, tuple) else (self.app_secret,)
