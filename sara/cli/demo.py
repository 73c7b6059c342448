"""`sara demo`: the real daemon between two simulators, in one process, on free ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sara.cli.context import EX_CONFIG, plugins_beside
from sara.cli.invocation import Invocation
from sara.cli.output import fail, printable
from sara.cli.simulate import interruption, simulator_of, started
from sara.config.loader import load
from sara.config.settings import Config
from sara.domain.contacts import Contact
from sara.domain.errors import SaraError
from sara.domain.messages import HistoryMessage
from sara.domain.replies import Turn
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.call_guard import call_with_timeout
from sara.plugins.context import Context
from sara.plugins.guarded import build_plugin
from sara.plugins.loader import Plugins
from sara.runtime.clock import wall_clock
from sara.runtime.daemon import Daemon
from sara.runtime.logging import LEVELS, set_up

LOOK_EVERY = 0.3
"""Seconds between two looks at what is wrong."""

CHANNEL = "whatsapp"
RESPONDER = "openai"
INSTRUCTIONS = """\
You answer the customers of the Corner Bakery, a small bakery. It is {now}. Be brief and friendly, and answer in the customer's language.
What is not said here you do not know: say so, and offer to pass the customer on to a colleague.

- Opening hours: Tuesday to Saturday 7:30 to 18:00, Sunday 7:30 to 13:00, closed on Monday.
- Prices: sourdough loaf 4.80 EUR, cinnamon bun 2.90 EUR, filter coffee 2.50 EUR. Cakes from 28 EUR, ordered two days before; ask for
  how many people, and for which day.
- Delivery in town, Tuesday to Friday before 10:00, for 3.50 EUR; free from 30 EUR on.
- Address: Harbour Lane 12, two minutes from the ferry; the blue door.
- You cannot look up or place orders: for that, pass the customer on to a colleague.
"""
"""What the demo's script says too, for a real model."""


def demo(base_url: str | None, model: str | None, port: int, log_level: str) -> int:
    """Run the demo until it is interrupted."""
    if log_level not in LEVELS:
        return fail(f"--log-level is one of {', '.join(LEVELS)}", 2)
    set_up(log_level)
    try:
        return asyncio.run(_demo(base_url, model, port))
    except SaraError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 0


async def _demo(base_url: str | None, model: str | None, port: int) -> int:
    with tempfile.TemporaryDirectory(prefix="sara-demo-") as folder:
        async with AsyncExitStack() as stack:
            plugins = plugins_beside(Path(folder) / "sara.yaml")
            phone = simulator_of(plugins, CHANNEL)
            stack.push_async_callback(phone.stop)
            await started(phone, port)
            print("Starting the daemon, the phone and the AI (some seconds) …", flush=True)
            responder, about = _real_responder(base_url, model)
            if responder is None:
                script = simulator_of(plugins, RESPONDER)
                stack.push_async_callback(script.stop)
                await script.start()
                phone.show_switches(script.switches())
                responder = {"plugin": RESPONDER, "instructions": INSTRUCTIONS, **script.options()}
            file = Path(folder) / "sara.yaml"
            configuration = _configuration(phone.options(), responder)
            file.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
            loaded = load(file, plugins.options_of)
            if loaded.config is None:
                return fail("\n".join(finding.render() for finding in loaded.errors), EX_CONFIG)
            if not about:
                print("Asking the AI once …", flush=True)
                about = await _tried(plugins, loaded.config, base_url or "OpenAI", file)
            daemon = Daemon(loaded, plugins)
            await daemon.start()
            stack.push_async_callback(daemon.stop, 5_000)
            await phone.connect(daemon.public_url + "/webhook/messages")
            # Which port it got is known only now; the commands read the file again.
            configuration["server"]["public_url"] = daemon.public_url
            file.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
            over = interruption()
            _welcome(phone.page or "", about, daemon, file)
            telling = asyncio.create_task(tell(daemon.problems, Invocation.present(file)))
            await over.wait()
            telling.cancel()
            print("\nStopping …", flush=True)
    return 0


def _real_responder(base_url: str | None, model: str | None) -> tuple[dict[str, Any] | None, str]:
    """Return a responder's section for a real AI where there is one to use, else a sentence about who answers."""
    key = os.environ.get("OPENAI_API_KEY")
    if not base_url and not key:
        return None, "The AI is a script that knows a small shop; set OPENAI_API_KEY or say --base-url URL for a real one."
    # A model without eyes refuses the first picture, and is shown none from then on.
    section: dict[str, Any] = {"plugin": RESPONDER, "instructions": INSTRUCTIONS, "images": True}
    if base_url:
        section["base_url"] = base_url
    if model:
        section["model"] = model
    if key:
        section["api_key"] = key
    return section, ""


async def _tried(plugins: Plugins, config: Config, where: str, file: Path) -> str:
    """Ask the AI once; a sentence about what came of it."""
    section, problems, now = config.responders["assistant"], ProblemRegistry(wall_clock), wall_clock()
    context = Context(section.name, config.state, wall_clock, problems)
    made: Any = None
    try:
        made = build_plugin(plugins, "responder", section, context)
        await made.open()
        turn = Turn("c0", "demo:0", Contact("p0"), (HistoryMessage("m0", "customer", "Hello!", now),), now=now)
        await call_with_timeout(made.answer(turn), made.timeout * 2)
    except (SaraError, TimeoutError) as error:
        invocation = Invocation.present(file)
        told = [f"{problem.message}\n  → {invocation.runnable(problem.remedy)}" for problem in problems]
        return f"The AI at {where} does not answer: {printable(chr(10).join(told) or str(error) or 'it took too long')}"
    finally:
        if made is not None:
            await made.close()
    return f"The AI is real: {where}. It has just answered."


async def tell(problems: ProblemRegistry, invocation: Invocation) -> None:
    """Print what goes wrong as it comes, and what is over again; commands as they can be run from here."""
    known: dict[str, str] = {}
    while True:
        now = {problem.key: problem for problem in problems}
        for key, problem in now.items():
            if key not in known:
                remedy = f"\n  → {printable(invocation.runnable(problem.remedy))}" if problem.remedy else ""
                print(f"! {printable(problem.message)}{remedy}", flush=True)
        for key in known.keys() - now.keys():
            print(f"✓ over: {printable(known[key])}", flush=True)
        known = {key: problem.message for key, problem in now.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await asyncio.Event().wait()


def _configuration(channel: dict[str, Any], responder: dict[str, Any]) -> dict[str, Any]:
    return {
        "server": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "state": "state",
        "channels": {"whatsapp": {"plugin": CHANNEL, "webhook": "/webhook/messages", **channel}},
        "responders": {"assistant": responder},
        "conversation": {"debounce": "400ms", "debounce_max": "3s", "tools": ["handoff"]},
    }


def _welcome(page: str, about: str, daemon: Daemon, file: Path) -> None:
    invocation = Invocation.present(file)
    print(
        "SARA is running on this machine, with no account anywhere:\n"
        f"  webhook     {daemon.public_url}/webhook/messages\n"
        f"  admin       {daemon.admin_url}\n"
        f"  {about}\n"
        f"  every command works on it, too, in another terminal:\n"
        f"    {invocation.command('conversations list')}\n"
        f"    {invocation.command('doctor')}\n\n"
        "Open this phone in your browser and write to the shop:\n"
        f"\n    {page}\n\n"
        "Ctrl-C stops it. Nothing is kept afterwards.",
        flush=True,
    )
