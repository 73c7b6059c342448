"""The errors of the Graph API: which code comes with which HTTP status, and the form they are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Known(NamedTuple):
    """What belongs to an error code."""

    status: int
    title: str
    transient: bool = False


KNOWN: Mapping[int, Known] = {
    0: Known(401, "AuthException"),
    1: Known(400, "API Unknown"),
    2: Known(503, "API Service", True),
    3: Known(500, "API Method"),
    4: Known(400, "API Too Many Calls", True),
    10: Known(403, "Permission Denied"),
    33: Known(400, "Parameter value is not valid"),
    100: Known(400, "Invalid parameter"),
    190: Known(401, "Access token has expired"),
    200: Known(403, "API Permission"),
    368: Known(403, "Temporarily blocked for policies violations"),
    80007: Known(400, "Rate limit issues", True),
    130403: Known(400, "User is blocked"),
    130429: Known(429, "Rate limit hit", True),
    130472: Known(400, "User's number is part of an experiment"),
    130497: Known(403, "Business account is restricted from messaging users in this country."),
    131000: Known(500, "Something went wrong"),
    131005: Known(403, "Access denied"),
    131008: Known(400, "Required parameter is missing"),
    131009: Known(400, "Parameter value is not valid"),
    131016: Known(500, "Service unavailable", True),
    131021: Known(400, "Recipient cannot be sender"),
    131026: Known(400, "Message undeliverable"),
    131030: Known(400, "Recipient phone number not in allowed list"),
    131031: Known(403, "Account has been locked"),
    131037: Known(400, "Display name approval needed"),
    131042: Known(400, "Business eligibility payment issue"),
    131045: Known(500, "Incorrect certificate"),
    131047: Known(400, "Re-engagement message"),
    131048: Known(400, "Spam rate limit hit"),
    131049: Known(400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: Known(400, "User has stopped marketing messages"),
    131051: Known(400, "Message type unknown"),
    131052: Known(400, "Media download error"),
    131053: Known(400, "Media upload error"),
    131056: Known(400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: Known(500, "Business Account is in maintenance mode"),
    131062: Known(400, "User id not possible for this message"),
    132000: Known(400, "Number of parameters does not match the expected number of params"),
    132001: Known(404, "Template name does not exist in the translation"),
    132015: Known(400, "Template is Paused"),
    132016: Known(400, "Template is Disabled"),
    133004: Known(503, "Server Temporarily Unavailable", True),
    133010: Known(400, "Phone number not registered"),
    135000: Known(400, "Generic user error"),
    137000: Known(400, "Identity hash mismatch"),
}


class GraphError(Exception):
    """The Graph API refuses a request. Raised by the rules, answered by the listener."""

    def __init__(
        self,
        code: int,
        details: str = "",
        *,
        message: str | None = None,
        subcode: int | None = None,
        kind: str = "OAuthException",
        status: int | None = None,
    ) -> None:
        known = KNOWN.get(code, Known(400, "Error"))
        self.code = code
        self.details = details
        self.subcode = subcode
        self.kind = kind
        self.status = status or known.status
        self.transient = known.transient
        self.message = message or f"(#{code}) {known.title}"
        super().__init__(self.message)

    def body(self, trace: str) -> dict[str, Any]:
        """The answer's JSON, as Meta writes it."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.transient:
            error["is_transient"] = True
        error["fbtrace_id"] = trace
        return {"error": error}


def invalid(sentence: str) -> GraphError:
    """Code 100, whose message names the parameter."""
    return GraphError(100, message=f"(#100) {sentence}")


def required(parameter: str) -> GraphError:
    """A parameter that every request must have is not there."""
    return invalid(f"The parameter {parameter} is required.")


def missing(details: str) -> GraphError:
    """A part of the message is not there."""
    return GraphError(131008, details)


def wrong(details: str) -> GraphError:
    """A part of the message has a value that it cannot have."""
    return GraphError(131009, details)


def wrong_token() -> GraphError:
    """No bearer token, or not ours."""
    return GraphError(190, message="Invalid OAuth access token - Cannot parse access token")


def expired_token() -> GraphError:
    """The token was right once."""
    return GraphError(190, message="Error validating access token: Session has expired.", subcode=463)


def no_such_object(method: str, name: str) -> GraphError:
    """An id in the path that the token cannot see."""
    return GraphError(
        100,
        message=f"Unsupported {method.lower()} request. Object with ID '{name}' does not exist, cannot be loaded due to missing"
        " permissions, or does not support this operation",
        subcode=33,
        kind="GraphMethodException",
    )


def no_such_path(path: str) -> GraphError:
    """Nothing lives at this address."""
    return GraphError(2500, message=f"Unknown path components: {path}", status=404)


def failure(code: int) -> dict[str, Any]:
    """An error as it stands in a `failed` status."""
    title = KNOWN[code].title if code in KNOWN else "Error"
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": f"{title}."},
        "href": "/documentation/business-messaging/whatsapp/support/error-codes",
    }
