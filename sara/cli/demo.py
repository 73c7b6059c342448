"""`sara demo`: the real daemon between two simulators, in one process, on free ports of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sara.cli.opening import EX_CONFIG, plugins_beside
from sara.cli.output import fail
from sara.cli.simulate import interrupted, simulator_of
from sara.config import load
from sara.daemon import Daemon
from sara.errors import SaraError
from sara.logs import LEVELS, set_up

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
            await phone.start(port=port)
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
            daemon = Daemon(loaded, plugins)
            await daemon.start()
            stack.push_async_callback(daemon.stop, 5_000)
            await phone.connect(daemon.public_url + "/webhook/messages")
            # Which port it got is known only now; the commands read the file again.
            configuration["server"]["public_url"] = daemon.public_url
            file.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
            _welcome(phone.page or "", about, daemon, file)
            await interrupted()
            print("\nStopping …", flush=True)
    return 0


def _real_responder(base_url: str | None, model: str | None) -> tuple[dict[str, Any] | None, str]:
    """A responder's section for a real AI, where there is one to use, and a sentence about who answers."""
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
    return section, f"The AI is real: {base_url or 'OpenAI'}."


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
        f"  every command works on it, too: sara doctor --config {file}\n\n"
        "Open this phone in your browser and write to the shop:\n"
        f"\n    {page}\n\n"
        "Ctrl-C stops it. Nothing is kept afterwards.",
        flush=True,
    )
