"""What strangers can do to the two listeners: compressed bodies, half-sent requests, wrong tokens, bodies that kill."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from urllib.parse import urlsplit

from tests.patience import patience

from .conftest import Town

PATIENCE = patience(20)
LONGEST_STALL = patience(0.03)
"""Seconds. Usual are one or two thousandths; a piece of a bomb that is decompressed takes two tenths, and there are many."""


@cache
def bomb() -> bytes:
    """A megabyte of gzip that holds a gigabyte."""
    packer, block = zlib.compressobj(9, wbits=31), bytes(1 << 24)
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * 60


def request(url: str, path: str, headers: Sequence[str] = (), body: bytes = b"", method: str = "POST") -> str:
    """Send a request over a connection of its own; the status line and the header lines of the answer."""
    where = urlsplit(url)
    named = any(line.lower().startswith("host:") for line in headers)
    lines = [f"{method} {path} HTTP/1.1", *([] if named else [f"Host: {where.netloc}"]), f"Content-Length: {len(body)}", *headers]
    with socket.create_connection((where.hostname, where.port), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        with suppress(OSError):  # refused, and no longer read
            connection.sendall(body)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(4_096)):
            answer += piece
    return answer.partition(b"\r\n\r\n")[0].decode()


@contextmanager
def stalls() -> Iterator[list[float]]:
    """How long this thread's loop was busy with one callback at most, in seconds of processor time, once the block is left: how
    much else the machine has to do makes no difference to it. As in the daemon, the collector looks through new objects only."""
    gc.collect()
    gc.freeze()
    worst, run, here = [0.0], asyncio.events.Handle._run, threading.current_thread()

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        if threading.current_thread() is here:
            worst[0] = max(worst[0], time.thread_time() - began)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]
    try:
        yield worst
    finally:
        asyncio.events.Handle._run = run  # type: ignore[method-assign]
        gc.unfreeze()


async def test_thirty_bombs_at_once_are_refused_unread_and_the_loop_does_not_stand_still(town: Town) -> None:
    daemon = await town.start()
    token = (town.folder / "state" / "admin-token").read_text().strip()
    key = f"Authorization: Bearer {token}"
    gzip, webhook, queue = "Content-Encoding: gzip", "/webhook/messages", "/api/v1/queue/retry"
    rows = [
        (daemon.public_url, "/nowhere", [gzip], 404),
        (daemon.public_url, webhook, [gzip], 415),
        (daemon.public_url, webhook, ["Content-Encoding: identity", gzip], 415),
        (daemon.public_url, webhook, [gzip, "Content-Encoding: identity"], 415),
        (daemon.public_url, webhook, ["Content-Encoding: identity, deflate"], 415),
        (daemon.admin_url, queue, [gzip], 401),
        (daemon.admin_url, "/nowhere", [gzip, "Authorization: Bearer wrong"], 401),
        (daemon.admin_url, queue, [gzip, key], 415),
        (daemon.admin_url, queue, [key, "Content-Encoding: identity", "Content-Encoding: br"], 415),
        (daemon.admin_url, queue, [gzip, "Host: evil.example"], 421),
    ]
    bomb()
    with stalls() as worst:
        answers = await asyncio.gather(
            *(asyncio.to_thread(request, url, path, headers, bomb()) for url, path, headers, _ in rows for _ in range(3))
        )
    statuses = [int(answer.split()[1]) for answer in answers]
    assert worst[0] < LONGEST_STALL
    assert statuses == [status for *_, status in rows for _ in range(3)]
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


NESTED = b'{"kind":' * 6_000 + b"1" + b"}" * 6_000
DIGITS = b"9" * 30
OBJECTS = [
    NESTED,
    b"[" * 30_000,
    b'{"kind": "reply", "key": ' + NESTED + b"}",
    b'{"kind": "reply", "key": ' + DIGITS + b"}",
    b'{"kind": "reply", "key": "\\ud800"}',
    b'{"kind": "reply", "key": "c1", "\\udfff": 1}',
    b'{"kind": {"reply": 1}, "key": "c1"}',
    b'{"for": ' + DIGITS + b', "at": ' + DIGITS + b', "text": "hello", "kind": 1, "contact": 1}',
    b'{"for": ' + b"9" * 5_000 + b"}",
    b'{"for": 1e999, "at": 1e999, "text": "hello", "kind": 1}',
    b'{"for": NaN, "at": -Infinity, "text": 1, "how": 1, "reason": [], "quietly": 1}',
    b'{"text": "half \\ud83d", "how": "\\ud83d", "reason": "\\ud83d", "contact": "\\ud83d", "quietly": "\\ud83d"}',
    b'{"text": "caf\xe9"}',
    b'{"text": "\xed\xa0\x80"}',
    b"\xff\xfe{\x00}\x00",
    b"null",
    b"[]",
    b'"reply"',
    b"{",
]
POSTED = [
    "/api/v1/queue/retry",
    "/api/v1/queue/drop",
    "/api/v1/forget",
    *(f"/api/v1/conversations/c1/{action}" for action in ("handoff", "resume", "opt-out", "opt-in", "send", "note")),
]
ASKED = [
    "/api/v1/unparsed?after={}",
    "/api/v1/unparsed?limit={}",
    "/api/v1/queue/jobs?limit={}",
    "/api/v1/conversations?limit={}",
    "/api/v1/conversations?search={}",
    "/api/v1/conversations?unhealthy={}",
    "/api/v1/search?q={}",
    "/api/v1/search?q=a&limit={}",
    "/api/v1/conversations/{}/events",
    "/api/v1/conversations/c1/events?after={}",
]
WORDS = ["9" * 30, "c" + "9" * 30, "e" + "9" * 18, "-1", "%ED%A0%80", "%00", "%FF", "\udcff", '%22%22"', "٣", "%", "[" * 2_000]


async def test_nothing_that_is_sent_to_the_admin_listener_is_answered_500(town: Town) -> None:
    daemon = await town.start()
    key = f"Authorization: Bearer {(town.folder / 'state' / 'admin-token').read_text().strip()}"

    def ask(method: str, path: str, body: bytes = b"", *headers: str) -> int:
        return int(request(daemon.admin_url, path, [key, *headers], body, method).split()[1])

    def ask_everything() -> list[tuple[str, str, bytes, int]]:
        told = [("POST", path, body, ask("POST", path, body)) for path in POSTED for body in OBJECTS]
        asked = [("GET", path.format(word), b"", ask("GET", path.format(word))) for path in ASKED for word in WORDS]
        acted = [("POST", f"/api/v1/conversations/{word}/send", b"", 0) for word in WORDS]
        acted = [(method, path, body, ask(method, path, b'{"text": "hello"}')) for method, path, body, _ in acted]
        odd = [
            ("POST", "/api/v1/queue/retry", b"zz", ask("POST", "/api/v1/queue/retry", b"zz", "Transfer-Encoding: chunked")),
            ("POST", "/api/v1/queue/retry", b"x", ask("POST", "/api/v1/queue/retry", b"x" * 70_000)),
        ]
        return told + asked + acted + odd

    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.to_thread(ask_everything)
    assert [(method, path[:80], body[:80], status) for method, path, body, status in answers if status >= 500] == []
    refused = {(path, body): status for _, path, body, status in answers}
    for path in POSTED:
        for body in (NESTED, OBJECTS[1], OBJECTS[4], OBJECTS[8], OBJECTS[11], *OBJECTS[12:]):
            assert refused[path, body] == 400, (path, body[:80])
