"""How long does the loop stand still while a huge signed body is accepted? The real daemon in this process, the body from another.

python bench/bulk.py            # five runs, minimum and median
nice -n -5 python bench/bulk.py # on a machine that has other things to do

Two figures of each body: the longest time of one callback on the loop by the processor's clock, and the longest time between two
looks at the wall clock, which holds what other threads and other programs take as well. Exit code 1 where the first exceeds the
limit in every run.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.journeys.conftest import Town, configuration
from tests.journeys.test_strangers import stalls
from tests.plugins.whatsapp.hostile import messages, text

LIMIT = 0.05
"""Seconds that the loop may stand still."""

MESSAGES = 11_000

IDLE = 5.0
"""Seconds in which nothing is delivered, for comparison."""

POST = """
import sys, urllib.request
body = open(sys.argv[2], "rb").read()
headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sys.argv[3]}
print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers), timeout=300).status)
"""


def many(run: int) -> bytes:
    """A body with messages of many people that were never sent before."""
    sounds = [{**text(f"Hello {n}", id=f"wamid.{run}.{n}"), "from": f"1555{n % 500:07d}"} for n in range(MESSAGES)]
    return json.dumps(messages(*sounds), separators=(",", ":")).encode()


def odd(run: int) -> bytes:
    """A body with a million empty objects among the messages."""
    body = json.dumps(messages(text("sound", id=f"wamid.odd.{run}"), "FLOOD"))
    return body.replace('"FLOOD"', ",".join(["{}"] * 1_000_000)).encode()


class Looks:
    """Looks at the wall clock all the time."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        before = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest = max(self.longest, now - before - 0.001)
            before = now


async def deliver(town: Town, url: str, body: bytes) -> tuple[float, float, float]:
    """Have a body posted. The longest callback and the longest gap, and how long all of it took, in seconds."""
    path = town.folder / "body"
    path.write_bytes(body)
    secret = str(town.config["channels"]["whatsapp"]["app_secret"]).encode()
    signature = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
    looks = Looks()
    looking = asyncio.create_task(looks.run())
    began = time.perf_counter()
    with stalls() as worst:
        post = await asyncio.create_subprocess_exec(
            sys.executable, "-c", POST, url, str(path), signature, stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await post.communicate()
    took = time.perf_counter() - began
    looking.cancel()
    if answer.strip() != b"200":
        raise SystemExit(f"answered with {answer.decode().strip() or 'nothing'}")
    return worst[0], looks.longest, took


async def nothing() -> tuple[float, float, float]:
    """The same while nothing is delivered: what the machine itself does to a loop."""
    looks, began = Looks(), time.perf_counter()
    looking = asyncio.create_task(looks.run())
    with stalls() as worst:
        await asyncio.sleep(IDLE)
    looking.cancel()
    return worst[0], looks.longest, time.perf_counter() - began


async def measured(runs: int) -> dict[str, list[tuple[float, float, float]]]:
    """Both bodies, so many times."""
    found: dict[str, list[tuple[float, float, float]]] = {f"{MESSAGES:,} messages": [], "a million {}": [], "nothing": []}
    phone, ai = WhatsAppSimulator(), OpenAISimulator()
    await phone.start()
    await ai.start()
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(phone, ai, conversation={"debounce": "10m", "debounce_max": "20m"})
        town = Town(Path(folder), phone, ai, config)
        daemon = await town.start()
        for run in range(runs):
            for make, results in zip((many, odd), found.values(), strict=False):
                results.append(await deliver(town, f"{daemon.public_url}/webhook/messages", make(run)))
            found["nothing"].append(await nothing())
        await town.stop()
    await phone.stop()
    await ai.stop()
    return found


def main(runs: int) -> int:
    """Print the figures; 1 where a callback took longer than the limit in each run."""
    found = asyncio.run(measured(runs))
    print(f"{'body':>18}  {'longest callback, ms':>22}  {'longest gap, ms':>18}  {'whole, s':>9}")
    print(f"{'':>18}  {'minimum':>11}{'median':>11}  {'minimum':>9}{'median':>9}")
    for what, results in found.items():
        callbacks, gaps, took = zip(*results, strict=True)
        print(
            f"{what:>18}  {min(callbacks) * 1e3:>11.1f}{statistics.median(callbacks) * 1e3:>11.1f}"
            f"  {min(gaps) * 1e3:>9.1f}{statistics.median(gaps) * 1e3:>9.1f}  {statistics.median(took):>9.2f}"
        )
    return int(any(min(callback for callback, _, _ in results) > LIMIT for results in found.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    sys.exit(main(parser.parse_args().runs))
