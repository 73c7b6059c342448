from __future__ import annotations

import socket
import ssl
from email.utils import formatdate
from itertools import pairwise
from typing import Any

from sara_openai.api.errors import MAX_WAIT_MS, CallFailure, classify_exception, read_retry_after

from sara import GiveUp, RetryLater
from tests.rows import each_row

NOW = 1_800_000_000_000
SECRET = "sk-very-secret"


class Answered(Exception):
    """As the client raises it: a status, a response with headers, the error of the body."""

    def __init__(self, status: int, body: Any, headers: dict[str, str]) -> None:
        super().__init__(f"Error code: {status} - {SECRET}")
        self.status_code, self.body = status, body
        self.response = type("Response", (), {"headers": headers})()


def answered(status: int, *, code: str | None = None, type: str | None = None, param: str | None = None) -> CallFailure:
    body = {"message": f"about {SECRET}", "code": code, "type": type, "param": param}
    return classify_exception(Answered(status, body, {}), "host", NOW)


@each_row("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_server_that_is_busy_is_asked_again(status: int) -> None:
    failed = answered(status)
    assert isinstance(failed.outcome, RetryLater)
    assert (failed.outcome.after, failed.outcome.scope, failed.setup_error) == (None, "responder", None)


@each_row("status", [400, 413, 418, 422])
def test_a_request_that_is_wrong_is_given_up(status: int) -> None:
    failed = answered(status)
    assert isinstance(failed.outcome, GiveUp)
    assert failed.setup_error is None


@each_row(
    ("status", "codes", "kind"),
    [
        (401, {"code": "invalid_api_key"}, "credentials"),
        (403, {}, "credentials"),
        (402, {}, "quota"),
        (429, {"code": "insufficient_quota"}, "quota"),
        (429, {"code": "credit_balance_exhausted", "type": "insufficient_quota"}, "quota"),
        (404, {"code": "model_not_found"}, "model"),
        (404, {}, "model"),
        (400, {"code": "model_not_found"}, "model"),
        (301, {}, "settings"),
        (405, {}, "settings"),
    ],
)
def test_what_a_person_has_to_mend_waits_and_comes_with_a_remedy(status: int, codes: dict[str, Any], kind: str) -> None:
    failed = answered(status, **codes)
    assert isinstance(failed.outcome, RetryLater)
    assert (failed.outcome.until_mended, failed.outcome.scope) == (True, "responder")
    assert failed.setup_error
    assert failed.setup_error.kind == kind
    assert failed.setup_error.remedy


@each_row("body", [None, "", "<html>no</html>", [], {"code": 5}, {"error": "x"}, {"code": "Mixed Case!"}])
def test_an_error_in_any_shape_is_understood(body: Any) -> None:
    assert isinstance(classify_exception(Answered(500, body, {}), "host", NOW).outcome, RetryLater)


def test_nothing_that_the_server_wrote_is_repeated() -> None:
    for status in (301, 400, 401, 402, 403, 404, 429, 500):
        failed = answered(status, code=f"{SECRET} !", type=SECRET, param=SECRET)
        assert SECRET not in f"{failed.outcome} {failed.setup_error}"


@each_row(
    ("headers", "after"),
    [
        ({"retry-after": "2"}, 2_000),
        ({"retry-after": "0.5"}, 500),
        ({"retry-after-ms": "150"}, 150),
        ({"retry-after": formatdate(NOW / 1_000 + 30, usegmt=True)}, 30_000),
        ({"retry-after": formatdate(NOW / 1_000 - 30, usegmt=True)}, 0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0.5s"}, 60_500),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms", "retry-after": "1"}, 1_000),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"retry-after": "86400"}, MAX_WAIT_MS),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "later"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_what_the_server_asks_for(headers: dict[str, str], after: int | None) -> None:
    assert read_retry_after(headers, NOW) == after


def caused(*chain: BaseException) -> BaseException:
    for error, cause in pairwise(chain):
        error.__cause__ = cause
    return chain[0]


@each_row(
    ("cause", "told"),
    [
        (ConnectionRefusedError(), "refused the connection"),
        (socket.gaierror(), "could not be resolved"),
        (ssl.SSLCertVerificationError(), "no TLS connection"),
        (ConnectionResetError(), "closed the connection"),
        (TimeoutError(), "did not answer in time"),
        (ValueError(), "failed"),
    ],
)
def test_the_causes_tell_what_broke_although_the_transport_calls_it_a_time_out(cause: BaseException, told: str) -> None:
    failed = classify_exception(caused(RuntimeError("Request timed out."), OSError(), cause), "host", NOW)
    assert isinstance(failed.outcome, RetryLater)
    assert told in str(failed.outcome)


def test_causes_that_run_in_a_circle_end() -> None:
    first, second = OSError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert classify_exception(first, "host", NOW).outcome


def test_what_tells_about_the_server_says_so_and_opens_the_breaker_for_everybody() -> None:
    for status in (408, 409, 425, 429, 500, 502, 503, 504, 529):
        outcome = answered(status).outcome
        assert isinstance(outcome, RetryLater), status
        assert (outcome.scope, outcome.until_mended) == ("responder", False), status
    for error in (ConnectionRefusedError(), ConnectionResetError(), TimeoutError(), socket.gaierror(), ssl.SSLError()):
        outcome = classify_exception(error, "ai.example.org", NOW).outcome
        assert isinstance(outcome, RetryLater), error
        assert (outcome.scope, outcome.until_mended) == ("responder", False), error
