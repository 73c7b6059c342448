"""Commands forked for the tests behave as started ones do."""

from __future__ import annotations

import asyncio
import os
import resource
import signal

import pytest

from tests import command_server
from tests.command_server import run_command
from tests.patience import patience


async def test_a_command_ends_with_its_own_code_output_and_errors() -> None:
    command = await run_command(("version-that-nobody-knows",), dict(os.environ))
    async with asyncio.timeout(patience(20)):
        out, err = await command.communicate()
    assert (command.returncode, out) == (2, b"")
    assert b"No such command" in err


async def test_a_signal_ends_it_also_where_many_descriptors_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_server, "_server", None)  # one of its own, whose descriptors have high numbers
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(min(1_100, most - 200))]
    try:
        command = await run_command(("simulate", "openai", "--port", "0"), dict(os.environ), joined=True)
        async with asyncio.timeout(patience(20)):
            await command.stdout.readline()
            command.send_signal(signal.SIGKILL)
            assert await command.wait() == -signal.SIGKILL
    finally:
        for each in held:
            os.close(each)
