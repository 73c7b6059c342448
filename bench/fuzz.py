"""Is any signed webhook body answered with a 5xx? Mutated samples, sent to a running daemon over HTTP.

python bench/fuzz.py                                   # 100,000 bodies, some five minutes
python bench/fuzz.py --bodies 20000 --seed 7           # other bodies
python bench/fuzz.py --seed 7 --first 1234 --bodies 1  # one of them again

Each body is a sample from tests/data/webhooks, changed in its structure or its bytes, and signed. A body depends on the seed and its number
alone. Meta delivers again what is not answered with 200, for days: exit code 1 if any answer is another one.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import gzip
import hashlib
import hmac
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sara.cli.context import open_store
from tests.journeys.conftest import Process, Town, configuration

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "webhooks"
SAMPLES = [path.read_bytes() for path in sorted(FOLDER.glob("*.json"))]
DOCUMENTS = [json.loads(sample) for sample in SAMPLES]
CONNECTIONS = 16
EXAMPLES = 20
"""Refused bodies that are named."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e300, 2**53, 2**63, -(2**63), 10**30, "", " ", "0", "-1", "1e5", "\x00", "\ud800", "a\udc00b",
    "\u202e", "\ufffd", "é" * 300, "x" * 5_000, "15550001111", "+1 555 000 1111", "messages", "text", "system", "unknown", "wamid.new",
    "1795308000", "99999999999", [], {}, [[]], [{}], {"": ""}, {"id": "1"}, {"body": "hi"}, [None], [[], {}], {"type": "text"}, {"text": {"body": 1}},
)  # fmt: skip
TOKENS = (
    b"9" * 5_000, b"1e999", b"-1E-999", b"NaN", b"-Infinity", b'"\\ud83d"', b'"\\u0000"', b"[" * 2_000, b"[" * 60 + b"]" * 60,
    b'{"a":' * 60 + b"1" + b"}" * 60, b'{"id":"a","id":"b"}', b"tru", b"'x'", b"\xff", b"\xed\xa0\x80", b"\x00", b",", b"}", b'"', b"/* */", b"\xef\xbb\xbf",
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp037")


def body_of(seed: int, number: int) -> bytes:
    """Return the body of this number."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311  # it has to be repeatable
    index = chance.randrange(len(SAMPLES))
    body = SAMPLES[index]
    if chance.random() < 0.75:
        document = copy.deepcopy(DOCUMENTS[index])
        for _ in range(chance.randint(1, 4)):
            document = _change(document, chance)
        body = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:  # of messages that were not delivered before
        body = body.replace(b"wamid.", f"wamid.{number}.".encode())
    if chance.random() < 0.4:
        for _ in range(chance.randint(1, 3)):
            body = chance.choice(BYTE_CHANGES)(body, chance)
    return body


def _places(value: Any, holders: list[tuple[Any, Any]]) -> None:
    """Collect every place below `value` as a holder and its key."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        holders.append((value, key))
        _places(value[key], holders)


def _change(document: Any, chance: random.Random) -> Any:
    """Change one place of a document, and return it."""
    places: list[tuple[Any, Any]] = []
    _places(document, places)
    if not places or chance.random() < 0.01:
        return copy.deepcopy(chance.choice(VALUES))
    holder, key = chance.choice(places)
    old = holder[key]
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        case 3:  # something from elsewhere, of another type maybe
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other[name])
        case 4:
            holder[key] = [copy.deepcopy(old) for _ in range(chance.choice((1, 2, 300)))]
        case 5:
            holder[key] = {str(chance.choice(VALUES))[:100]: old}
        case 6 if isinstance(holder, dict):
            holder[f"{key}{chance.choice(('_', 's', ' ', chr(0), 'é'))}"] = holder.pop(key)
        case _:  # a new id: the message is none that is known
            holder[key] = f"wamid.{chance.getrandbits(64):x}" if isinstance(old, str) else [old, old]
    return document


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randint(0, len(body))]


def _flip(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 8) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _insert(body: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(body))
    return body[:at] + chance.choice(TOKENS) + body[at:]


def _replace_value(body: bytes, chance: random.Random) -> bytes:
    """Put a raw token where a value stands."""
    starts = [at for at in range(len(body)) if body[at : at + 1] == b":"]
    if not starts:
        return body
    at = chance.choice(starts) + 1
    end = next((end for end in range(at, len(body)) if body[end : end + 1] in (b",", b"}", b"]")), len(body))
    return body[:at] + chance.choice(TOKENS) + body[end:]


def _splice(body: bytes, chance: random.Random) -> bytes:
    other = chance.choice(SAMPLES)
    return body[: chance.randint(0, len(body))] + other[chance.randint(0, len(other)) :]


def _encode(body: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return gzip.compress(body, mtime=0)
    return body.decode("utf-8", "replace").encode(chance.choice(ENCODINGS), "replace")


BYTE_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_cut, _flip, _insert, _replace_value, _splice, _encode)


@dataclass
class Result:
    """How the bodies were answered. Latencies in seconds; `refused` are the numbers of those that were not answered with 200."""

    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[int] = field(default_factory=list)
    slowest: float = 0.0


async def send(url: str, secret: str, seed: int, numbers: range, tell: Callable[[Result], None] | None = None) -> Result:
    """Post the bodies of these numbers, signed, over a few connections, and count the answers."""
    result, left = Result(), iter(numbers)
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_post_each(session, url, secret, seed, left, result, tell))
    return result


async def _post_each(
    session: aiohttp.ClientSession,
    url: str,
    secret: str,
    seed: int,
    left: Iterator[int],
    result: Result,
    tell: Callable[[Result], None] | None,
) -> None:
    for number in left:
        body = body_of(seed, number)
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        began = time.monotonic()
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        result.slowest = max(result.slowest, time.monotonic() - began)
        result.statuses[status] += 1
        if status != 200:
            result.refused.append(number)
        if tell is not None:
            tell(result)


async def main(seed: int, numbers: range) -> int:
    """Start a daemon between both simulators, send the bodies, print the counts; return the exit code."""
    phone = WhatsAppSimulator(sent_delay=0, delivered_delay=0, read_delay=0)
    ai = OpenAISimulator(mode="echo")
    with tempfile.TemporaryDirectory() as folder:
        await phone.start()
        await ai.start()
        town = Town(Path(folder), phone, ai, configuration(phone, ai))
        # What is asked here is how bodies are taken in: a few answers for each customer will do.
        town.config["conversation"]["limits"] = {"person": {"minute": 2, "day": 5}}
        process = Process(town)
        try:
            await process.start()
            began = time.monotonic()
            result = await send(
                f"{await process.served()}/webhook/messages", phone.settings.app_secret, seed, numbers, progress(began)
            )
            took = time.monotonic() - began
            code = await process.end()
            async with open_store(town.file, read_only=True) as house:
                counts = await house.store.counts()
        finally:
            if process.process is not None:
                await process.kill()
            await ai.stop()
            await phone.stop()
    inbound = sum(value for name, value in counts.items() if name.startswith("in."))
    print(f"{result.statuses.total()} signed bodies, seed {seed}, in {took:.0f} s: {result.statuses.total() / took:.0f}/s")
    for status, count in sorted(result.statuses.items()):
        print(f"{count:>10}  answered {status or 'with nothing'}")
    print(f"{inbound:>10}  messages stored\n{counts.get('unparsed_payloads', 0):>10}  elements set aside, each kept once")
    print(f"{result.slowest * 1_000:>10.0f}  ms for the slowest answer")
    for number in result.refused[:EXAMPLES]:
        print(f"again: python bench/fuzz.py --seed {seed} --first {number} --bodies 1")
    if code != 0:
        print(f"the daemon ended with {code}\n{''.join(process.output[-20:])}")
    return 1 if result.refused or code != 0 else 0


def progress(began: float) -> Callable[[Result], None]:
    """Return what prints a line every 10,000 bodies."""

    def tell(result: Result) -> None:
        total = result.statuses.total()
        if total % 10_000 == 0:
            print(f"{time.monotonic() - began:6.0f} s: {total}, {dict(result.statuses)}", flush=True)

    return tell


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first body")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.seed, range(given.first, given.first + given.bodies))))
