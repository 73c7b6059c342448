"""The errors of the Graph API: the HTTP status of each code, and the form in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ErrorCode(NamedTuple):
    """The status and title of an error code."""

    status: int
    title: str
    transient: bool = False


ERROR_CODES: Mapping[int, ErrorCode] = {
    0: ErrorCode(401, "AuthException"),
    1: ErrorCode(400, "API Unknown"),
    2: ErrorCode(503, "API Service", True),
    3: ErrorCode(500, "API Method"),
    4: ErrorCode(400, "API Too Many Calls", True),
    10: ErrorCode(403, "Permission Denied"),
    33: ErrorCode(400, "Parameter value is not valid"),
    100: ErrorCode(400, "Invalid parameter"),
    190: ErrorCode(401, "Access token has expired"),
    200: ErrorCode(403, "API Permission"),
    368: ErrorCode(403, "Temporarily blocked for policies violations"),
    80007: ErrorCode(400, "Rate limit issues", True),
    130403: ErrorCode(400, "User is blocked"),
    130429: ErrorCode(429, "Rate limit hit", True),
    130472: ErrorCode(400, "User's number is part of an experiment"),
    130497: ErrorCode(403, "Business account is restricted from messaging users in this country."),
    131000: ErrorCode(500, "Something went wrong"),
    131005: ErrorCode(403, "Access denied"),
    131008: ErrorCode(400, "Required parameter is missing"),
    131009: ErrorCode(400, "Parameter value is not valid"),
    131016: ErrorCode(500, "Service unavailable", True),
    131021: ErrorCode(400, "Recipient cannot be sender"),
    131026: ErrorCode(400, "Message undeliverable"),
    131030: ErrorCode(400, "Recipient phone number not in allowed list"),
    131031: ErrorCode(403, "Account has been locked"),
    131037: ErrorCode(400, "Display name approval needed"),
    131042: ErrorCode(400, "Business eligibility payment issue"),
    131045: ErrorCode(500, "Incorrect certificate"),
    131047: ErrorCode(400, "Re-engagement message"),
    131048: ErrorCode(400, "Spam rate limit hit"),
    131049: ErrorCode(400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: ErrorCode(400, "User has stopped marketing messages"),
    131051: ErrorCode(400, "Message type unknown"),
    131052: ErrorCode(400, "Media download error"),
    131053: ErrorCode(400, "Media upload error"),
    131056: ErrorCode(400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: ErrorCode(500, "Business Account is in maintenance mode"),
    131062: ErrorCode(400, "User id not possible for this message"),
    132000: ErrorCode(400, "Number of parameters does not match the expected number of params"),
    132001: ErrorCode(404, "Template name does not exist in the translation"),
    132015: ErrorCode(400, "Template is Paused"),
    132016: ErrorCode(400, "Template is Disabled"),
    133004: ErrorCode(503, "Server Temporarily Unavailable", True),
    133010: ErrorCode(400, "Phone number not registered"),
    135000: ErrorCode(400, "Generic user error"),
    137000: ErrorCode(400, "Identity hash mismatch"),
}


class GraphError(Exception):
    """A refusal by the Graph API. Raised by the checks, answered by the listener."""

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
        known = ERROR_CODES.get(code, ErrorCode(400, "Error"))
        self.code = code
        self.details = details
        self.subcode = subcode
        self.kind = kind
        self.status = status or known.status
        self.transient = known.transient
        self.message = message or f"(#{code}) {known.title}"
        super().__init__(self.message)

    def body(self, trace: str) -> dict[str, Any]:
        """Return the response's JSON, as Meta writes it."""
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
    """Return error 100, whose message names the parameter."""
    return GraphError(100, message=f"(#100) {sentence}")


def required(parameter: str) -> GraphError:
    """Return the error for a missing parameter that every request must have."""
    return invalid(f"The parameter {parameter} is required.")


def missing(details: str) -> GraphError:
    """Return the error for a missing part of the message."""
    return GraphError(131008, details)


def wrong(details: str) -> GraphError:
    """Return the error for a part of the message with an impossible value."""
    return GraphError(131009, details)


def wrong_token() -> GraphError:
    """Return the error for a missing or foreign bearer token."""
    return GraphError(190, message="Invalid OAuth access token - Cannot parse access token")


def expired_token() -> GraphError:
    """Return the error for an expired token."""
    return GraphError(190, message="Error validating access token: Session has expired.", subcode=463)


def no_such_object(method: str, name: str) -> GraphError:
    """Return the error for an id in the path that the token cannot see."""
    return GraphError(
        100,
        message=f"Unsupported {method.lower()} request. Object with ID '{name}' does not exist, cannot be loaded due to missing"
        " permissions, or does not support this operation",
        subcode=33,
        kind="GraphMethodException",
    )


def no_such_path(path: str) -> GraphError:
    """Return the error for an unknown path."""
    return GraphError(2500, message=f"Unknown path components: {path}", status=404)


def failure(code: int) -> dict[str, Any]:
    """Return an error as it stands in a `failed` status."""
    title = ERROR_CODES[code].title if code in ERROR_CODES else "Error"
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": f"{title}."},
        "href": "/documentation/business-messaging/whatsapp/support/error-codes",
    }
