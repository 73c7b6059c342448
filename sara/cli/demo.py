"""`sara demo`: the real daemon between two simulators, in one process, on free ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

from sara.bounds import bounded
from sara.cli.opening import EX_CONFIG, plugins_beside
from sara.cli.output import fail, printable
from sara.cli.simulate import interruption, simulator_of, started
from sara.config import Config, load
from sara.contracts import Context, Responder
from sara.daemon import Daemon, wall_clock
from sara.errors import SaraError
from sara.logs import LEVELS, set_up
from sara.model import Contact, Line, Turn
from sara.plugins import Plugins
from sara.problems import Problems

LOOK_EVERY = 0.3
"""Seconds between two looks at what is wrong."""

CHANNEL = "whatsapp"
RESPONDER = "openai"
INSTRUCTIONS = (
    "You answer the customers of a small corner shop. Be brief and friendly. Offer to pass them on to a person if they wish."
)


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
            telling = asyncio.create_task(tell(daemon.problems, file))
            await over.wait()
            telling.cancel()
            print("\nStopping …", flush=True)
    return 0


def _real_responder(base_url: str | None, model: str | None) -> tuple[dict[str, Any] | None, str]:
    """A responder's section for a real AI, where there is one to use; else a sentence about who answers."""
    key = os.environ.get("OPENAI_API_KEY")
    if not base_url and not key:
        return None, "The AI is a script that knows a small shop; set OPENAI_API_KEY or say --base-url URL for a real one."
    section: dict[str, Any] = {"plugin": RESPONDER, "instructions": INSTRUCTIONS}
    if base_url:
        section["base_url"] = base_url
    if model:
        section["model"] = model
    if key:
        section["api_key"] = key
    return section, ""


async def _tried(plugins: Plugins, config: Config, where: str, file: Path) -> str:
    """Ask the AI once; a sentence about what came of it."""
    section, problems, now = config.responders["assistant"], Problems(wall_clock), wall_clock()
    context = Context(section.name, config.state, wall_clock, problems)
    made: Any = None
    try:
        made = cast("Callable[..., Responder]", plugins.bring("responder", section.plugin))(section.options, context)
        await made.open()
        turn = Turn("c0", "demo:0", Contact("p0"), (Line("m0", "customer", "Hello!", now),), now=now)
        await bounded(made.answer(turn), made.timeout * 2)
    except (SaraError, TimeoutError) as error:
        told = [f"{problem.message}\n  → {runnable(problem.remedy, file)}" for problem in problems]
        return f"The AI at {where} does not answer: {printable(chr(10).join(told) or str(error) or 'it took too long')}"
    finally:
        if made is not None:
            await made.close()
    return f"The AI is real: {where}. It has just answered."


async def tell(problems: Problems, file: Path) -> None:
    """Print what goes wrong as it comes, and what is over again; commands as they can be run from here."""
    known: dict[str, str] = {}
    while True:
        now = {problem.key: problem for problem in problems}
        for key, problem in now.items():
            if key not in known:
                remedy = f"\n  → {printable(runnable(problem.remedy, file))}" if problem.remedy else ""
                print(f"! {printable(problem.message)}{remedy}", flush=True)
        for key in known.keys() - now.keys():
            print(f"✓ over: {printable(known[key])}", flush=True)
        known = {key: problem.message for key, problem in now.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await asyncio.Event().wait()


def called() -> str:
    """The words that call this program from the user's shell, whatever folder that is in: `sara` where that finds this program."""
    program = Path(sys.argv[0])
    if program.name == "sara" and (found := shutil.which("sara")) and program.exists() and Path(found).samefile(program):
        return "sara"
    if program.name == "sara" and program.is_file():
        return shlex.quote(os.path.abspath(program))
    return f"{shlex.quote(sys.executable)} -m sara"


def runnable(text: str, file: Path) -> str:
    """A text with its commands, which stand between backticks, as they can be run on the configuration `file`."""

    def completed(match: re.Match[str]) -> str:
        words = match[1]
        return f"`{called()} {words}`" if "--config" in words else f"`{called()} {words} --config {shlex.quote(str(file))}`"

    return re.sub(r"`sara ([^`]+)`", completed, text)


def _configuration(channel: dict[str, Any], responder: dict[str, Any]) -> dict[str, Any]:
    return {
        "server": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "state": "state",
        "channels": {"whatsapp": {"plugin": CHANNEL, "webhook": "/webhook/messages", **channel}},
        "responders": {"assistant": responder},
        "conversation": {"quiet": "400ms", "quiet_longest": "3s", "tools": ["hand_over"]},
    }


def _welcome(page: str, about: str, daemon: Daemon, file: Path) -> None:
    print(
        "SARA is running on this machine, with no account anywhere:\n"
        f"  webhook     {daemon.public_url}/webhook/messages\n"
        f"  admin       {daemon.admin_url}\n"
        f"  {about}\n"
        f"  every command works on it, too, in another terminal:\n"
        f"    {called()} conversations list --config {shlex.quote(str(file))}\n"
        f"    {called()} doctor --config {shlex.quote(str(file))}\n\n"
        "Open this phone in your browser and write to the shop:\n"
        f"\n    {page}\n\n"
        "Ctrl-C stops it. Nothing is kept afterwards.",
        flush=True,
    )
