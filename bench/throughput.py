"""How many messages a second go the whole way: signed webhook, store, AI, store, Graph API, three statuses.

The daemon runs in a process of its own; both other ends run in this one and are as fast as they can be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator


async def main(people: int, rounds: int) -> None:
    """Print messages per second and the daemon's memory."""
    phone = WhatsAppSimulator(sent_delay=0, delivered_delay=0, read_delay=0)
    ai = OpenAISimulator(mode="echo")
    await phone.start()
    await ai.start()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sara.yaml"
        file.write_text(
            json.dumps(
                {
                    "server": {"listen": "127.0.0.1:0"},
                    "admin": {"listen": "127.0.0.1:0"},
                    "state": "state",
                    "channels": {"whatsapp": {"plugin": "whatsapp", "throughput": 1000, **phone.options()}},
                    "responders": {"assistant": {"plugin": "openai", **ai.options()}},
                    "conversation": {"debounce": "0s"},
                }
            ),
            encoding="utf-8",
        )
        daemon = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sara", "run", "--config", str(file), stderr=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert daemon.stderr is not None
        while b'"daemon_started"' not in (line := await daemon.stderr.readline()):
            assert line, "the daemon did not start"
        drain = asyncio.create_task(daemon.stderr.read())
        await phone.connect(json.loads(line)["public"] + "/webhook/messages")
        idle = memory(daemon.pid)
        start = time.perf_counter()
        for turn in range(rounds):
            for n in range(people):
                await phone.say(
                    phone.add_customer(f"P{n}", phone=f"1555{n:06d}", user_id=f"US.{n:018d}") if turn == 0 else f"P{n}", f"{turn}"
                )
            await phone.wait_for(lambda seen, turn=turn: len(seen.accepted) >= people * (turn + 1), timeout=120)
        took = time.perf_counter() - start
        await phone.wait_for(lambda seen: not seen.under_way, timeout=120)
        settled = time.perf_counter() - start
        print(
            f"{people} people, {rounds} messages each: {people * rounds / took:.0f} answers/s, with all statuses {people * rounds / settled:.0f}/s"
        )
        print(
            f"memory of the daemon: {idle} MB idle, {memory(daemon.pid)} MB after; processor: {cpu(daemon.pid) / (people * rounds) * 1e3:.2f} ms a message"
        )
        daemon.terminate()
        await drain
        await daemon.wait()
    await phone.stop()
    await ai.stop()


def memory(pid: int) -> int:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1_000_000


def cpu(pid: int) -> float:
    """Processor seconds used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(main(given.people, given.rounds))
