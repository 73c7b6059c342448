"""Why an address could not be reached, told from what an HTTP client raised."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sara.plugins.connection_errors import explain_unreachable
from tests.rows import each_row


async def told(url: str, timeout: float = 5) -> tuple[str, str]:
    """What is said about an address that a real client tried."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session:
        with pytest.raises((aiohttp.ClientError, TimeoutError)) as caught:
            await session.get(url)
    return explain_unreachable(caught.value)


@pytest.fixture
async def plain() -> AsyncIterator[str]:
    """A server without TLS that never answers; its host and port."""
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_refused_connection_points_at_the_web_server(unused_tcp_port: int) -> None:
    why, remedy = await told(f"http://127.0.0.1:{unused_tcp_port}/")
    assert why == "the connection was refused"
    assert "firewall" in remedy


async def test_a_name_that_nobody_has_points_at_the_dns() -> None:
    why, remedy = await told("http://no-such-host.invalid/")
    assert why == "the name cannot be resolved"
    assert "DNS" in remedy


async def test_plain_http_where_https_should_be_is_named(plain: str) -> None:
    why, remedy = await told(f"https://{plain}/")
    assert why.startswith("no TLS connection came about")
    assert "HTTPS" in remedy


def test_no_answer_in_time_mentions_networks_that_cannot_reach_themselves() -> None:
    why, remedy = explain_unreachable(TimeoutError())
    assert why == "no answer came in time"
    assert "their own public address" in remedy


def test_anything_else_is_named_by_its_kind_and_not_by_its_words() -> None:
    why, _ = explain_unreachable(ValueError("Bearer EAAsecret"))
    assert why == "no answer came (ValueError)"


def test_a_cause_that_leads_back_to_itself_ends() -> None:
    error = ValueError()
    error.__cause__ = error
    assert explain_unreachable(error)[0] == "no answer came (ValueError)"


@each_row(
    ("number", "why", "remedy"),
    [
        (10, "has expired", "Renew"),
        (18, "self-signed", "public authority"),
        (19, "self-signed", "public authority"),
        (20, "without those that vouch", "fullchain"),
        (62, "for another name", "this very name"),
        (99, "not valid (odd)", "public authority"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(number: int, why: str, remedy: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = number, "odd"
    wrapped = OSError()
    wrapped.__cause__ = error
    said = explain_unreachable(wrapped)
    assert why in said[0]
    assert remedy in said[1]


@pytest.mark.tool
async def test_a_self_signed_certificate_is_recognised_over_a_real_connection(
    tmp_path: Path, need: Callable[[str, str], str]
) -> None:
    made = [
        need("openssl", "it makes the certificate"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    made += ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run(made, check=True, capture_output=True)  # noqa: ASYNC221  # nothing else runs on this loop
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        why, _ = await told(f"https://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()
    assert why == "the TLS certificate is self-signed"
