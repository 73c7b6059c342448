"""What stands in the log of a running daemon, and what must not."""

from __future__ import annotations

import asyncio
import json

from sara.domain.messages import StoredMessage

from .conftest import DEADLINE, Process, Town, exported
from .test_running import sara

TOKEN = "tok_5b1e7f0cfa8e"
WORDS = "my saxophone is broken"

MALFORMED = (
    f"GET /webhook?hub.verify_token={TOKEN} HTTP/9.9\r\n\r\n".encode(),
    f"GET /api/v1/problems HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\x00\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization {TOKEN}\r\n\r\n".encode(),
    f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {TOKEN}\r\n\r\n{WORDS}".encode(),
    f"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN} {WORDS}\r\n".encode(),
    f"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Long: {TOKEN * 2_000}\r\n\r\n".encode(),
    f"GET http://[{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\n{TOKEN}\x01: {WORDS}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: {TOKEN}\r\n\r\n".encode(),
    f"{TOKEN} {WORDS} \x16\x03\x01".encode() + b"\r\n\r\n",
)


async def throw(url: str, data: bytes) -> bytes:
    """Send bytes that are no request; what came back."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE):
            return await reader.read(1 << 16)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_requests_that_are_no_http_are_counted_and_never_quoted(town: Town, process: Process) -> None:
    await process.start()
    where = json.loads((town.folder / "state" / "listening.json").read_text(encoding="utf-8"))
    before = len(process.output)
    limit = asyncio.Semaphore(20)

    async def one(number: int) -> None:
        async with limit:
            await throw(where["public" if number % 2 else "admin"], MALFORMED[number // 2 % len(MALFORMED)])

    await asyncio.gather(*(one(number) for number in range(400)))
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    assert await process.end() == 0
    log = process.output[before:]
    assert TOKEN not in "".join(log)
    assert WORDS not in "".join(log)
    told = [json.loads(line) for line in log if '"bad_requests_rejected"' in line]
    assert told, "nobody hears of them"
    assert len(told) <= 3, "one line a minute, and what is still to be told at the end"
    assert sum(each["count"] for each in told) > 300
    assert all(json.loads(line)["event"] for line in log), "a line that did not come through structlog"
    assert sum(map(len, log)) < 20_000


async def test_what_the_provider_says_of_a_refusal_stands_in_the_store_and_nowhere_else(town: Town, process: Process) -> None:
    said = "Switched on in the simulator."
    await process.start()
    for number, code in enumerate((131009, 131026, 4711), 1):
        town.phone.faults.error_code.on(code, times=1)
        await town.phone.say("ana", f"hello {code}")
        await town.phone.wait_for(lambda phone, number=number: phone.faults.error_code.hits >= number, timeout=DEADLINE)

    async def refused() -> list[StoredMessage]:
        return [each for each in await exported(town) if each.state == "failed"]

    failed = await town.until(refused)
    code, out, err = await sara(town, "why", failed[0].id)
    assert code == 0, err
    assert said in out
    for words in (("queue", "stats"), ("doctor",)):
        _, out, err = await sara(town, *words)
        assert said not in out + err, words
    assert await process.end() == 0
    assert said not in "".join(process.output)
    assert "131009" in "".join(process.output)
