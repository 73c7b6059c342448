"""`sara simulate PLUGIN`"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from sara.cli.context import plugins_beside, run_command
from sara.cli.output import printable
from sara.domain.errors import SaraError
from sara.plugins.connection_errors import explain_not_listening
from sara.plugins.loader import Plugins
from sara.plugins.simulator import Simulator


def simulate(what: str, webhook: str | None, port: int, config: Path) -> int:
    """Run a plugin's simulator until it is interrupted."""

    async def main() -> int:
        simulator = simulator_of(plugins_beside(config), what)
        url = await started(simulator, port)
        over = interruption()
        try:
            print(f"The simulator of {what} answers at {url}")
            if simulator.page:
                print(f"Its page for the browser: {simulator.page}")
            print("\nPut this into sara.yaml to use it:")
            for key, value in simulator.options().items():
                print(f"  {key}: {printable(value)}")
            delivers = type(simulator).connect is not Simulator.connect
            if webhook is not None and delivers:
                await simulator.connect(webhook)
                print(f"\nConnected to {webhook}")
            elif webhook is not None:
                raise SaraError(f"the simulator of {what} delivers nothing; leave --webhook out")
            elif delivers:
                print("\nSay --webhook URL to have messages delivered to a running daemon.")
            print("Ctrl-C stops it.", flush=True)
            await over.wait()
        finally:
            await simulator.stop()
        return 0

    return run_command(main)


def simulator_of(plugins: Plugins, name: str) -> Simulator:
    """Build the simulator of a plugin's provider. Raises PluginError where there is none."""
    return plugins.simulator_class(name)()


async def started(simulator: Simulator, port: int) -> str:
    """Let a simulator listen on this machine; its base URL."""
    try:
        return await simulator.start(port=port)
    except OSError as error:
        raise SaraError(f"--port {port}: {explain_not_listening('127.0.0.1', port, error)}") from error


def interruption() -> asyncio.Event:
    """Set at Ctrl-C or SIGTERM, from now on."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    return over
