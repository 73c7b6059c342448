"""`sara demo` as a shop owner meets it: one command, one link, a conversation."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp.fixtures import picture

from sara.cli.demo import tell
from sara.cli.invocation import Invocation
from sara.operations.problem_registry import ProblemRegistry
from tests.browser import Chromium, expect, write
from tests.command_server import Command, run_command
from tests.patience import patience

DEADLINE = patience(30)
PICTURE = os.environ.get("SARA_PICTURE")
"""Where to leave the screenshot that the README shows; a temporary folder by default."""


class Demo:
    """The running command and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process | Command) -> None:
        self.process = process
        self.printed = ""

    async def page(self) -> str:
        """The link it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while "Ctrl-C" not in self.printed:
                line = await self.process.stdout.readline()
                assert line, self.printed
                self.printed += line.decode()
        found = re.search(r"^\s+(http://127\.0\.0\.1:\d+/)$", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[1]

    async def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEADLINE):
            rest, _ = await self.process.communicate()
        self.printed += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode


async def test_the_demo_prints_one_link_says_that_its_ai_is_a_script_and_stops_on_ctrl_c() -> None:
    demo = await begun("demo")
    try:
        page = await demo.page()
        assert "script" in demo.printed
        async with aiohttp.ClientSession() as session, session.get(page) as answer:
            assert answer.status == 200
    finally:
        assert await demo.interrupt() == 0
    assert "Traceback" not in demo.printed


async def test_the_commands_that_it_prints_work_from_any_folder() -> None:
    """It prints the same commands to whoever calls it in whichever way; each command is run once, and each way to call it."""
    program = Path(sys.executable).with_name("sara")
    callers = {
        str(program): Demo(
            await asyncio.create_subprocess_exec(
                program, "demo", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=bare_environment()
            )
        ),
        f"{sys.executable} -m sara": await begun("demo"),
    }
    try:
        printed: dict[str, list[str]] = {}
        for caller, demo in callers.items():
            await demo.page()
            assert demo.printed.startswith("Starting ")
            printed[caller] = re.findall(r"^    (\S.* --config \S+)$", demo.printed, re.MULTILINE)
            words = [
                re.fullmatch(rf"(?:sara|{re.escape(caller)}) (.+) --config /\S+/sara\.yaml", command)
                for command in printed[caller]
            ]
            assert [found and found[1] for found in words] == ["conversations list", "doctor"], demo.printed
        for command in (printed[str(program)][1], printed[f"{sys.executable} -m sara"][0]):
            run = await asyncio.create_subprocess_shell(
                command, cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=bare_environment()
            )
            async with asyncio.timeout(DEADLINE):
                out, _ = await run.communicate()
            assert run.returncode == 0, (command, out.decode())
    finally:
        codes = [await demo.interrupt() for demo in callers.values()]
        assert codes == [0, 0]


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}


async def begun(*words: str, key: str | None = None) -> Demo:
    environ = bare_environment()
    if key is not None:
        environ["OPENAI_API_KEY"] = key
    return Demo(await run_command(words, environ, joined=True))


async def ended(*words: str) -> tuple[int | None, str]:
    """A command that ends by itself: exit code and all that it printed."""
    command = await begun(*words)
    async with asyncio.timeout(DEADLINE):
        out, _ = await command.process.communicate()
    return command.process.returncode, out.decode()


async def test_a_port_in_use_or_beyond_all_ports_is_said_in_a_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = str(taken.getsockname()[1])
        for words in (("demo",), ("simulate", "whatsapp"), ("simulate", "openai")):
            code, printed = await ended(*words, "--port", busy)
            assert code == 1
            assert printed.startswith(f"sara: --port {busy}: another program listens there")
            assert printed.count("\n") == 1
    for words in (("demo",), ("simulate", "whatsapp")):
        code, printed = await ended(*words, "--port", "80808")
        assert code == 2
        assert "65535" in printed
        assert "Traceback" not in printed


async def test_a_simulator_alone_says_only_what_makes_sense_for_it() -> None:
    responder = await begun("simulate", "openai")
    assert "--webhook" not in await until(responder, "Ctrl-C")
    assert await responder.interrupt() == 0
    channel = await begun("simulate", "whatsapp")
    assert "--webhook" in await until(channel, "Ctrl-C")
    assert await channel.interrupt() == 0
    code, printed = await ended("simulate", "openai", "--webhook", "http://127.0.0.1:9/")
    assert code == 1
    assert "delivers nothing" in printed


async def until(command: Demo, words: str) -> str:
    """What a command prints up to a word."""
    assert command.process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while words not in command.printed:
            command.printed += (await command.process.stdout.readline()).decode()
    return command.printed


async def test_an_ai_that_does_not_answer_is_said_before_anybody_writes_to_it(ai: OpenAISimulator) -> None:
    ai.fault("no_model", times=None)
    demo = await begun("demo", "--base-url", str(ai.base_url), "--model", "no-such-model", key=ai.options()["api_key"])
    try:
        await demo.page()
        assert "The AI is real" not in demo.printed
        assert re.search(r"The AI at http://\S+ does not answer: .*model.*\n +→ ", demo.printed)
    finally:
        assert await demo.interrupt() == 0
    demo = await begun("demo", "--base-url", "http://127.0.0.1:9/v1")
    try:
        await demo.page()
        assert "The AI at http://127.0.0.1:9/v1 does not answer: " in demo.printed
    finally:
        assert await demo.interrupt() == 0


async def test_an_ai_that_answers_is_real(ai: OpenAISimulator) -> None:
    demo = await begun("demo", "--base-url", str(ai.base_url), key=ai.options()["api_key"])
    await demo.page()
    assert "The AI is real" in demo.printed
    assert len(ai.calls) == 1
    assert await demo.interrupt() == 0


async def test_a_real_model_knows_the_bakery_and_is_shown_pictures(ai: OpenAISimulator) -> None:
    """What the script can say about the shop, and what a customer photographs."""
    demo = await begun("demo", "--base-url", str(ai.base_url), key=ai.options()["api_key"])
    try:
        page = await demo.page()
        async with aiohttp.ClientSession() as session:
            sent = await session.post(
                f"{page}phone/file?customer=ana&kind=image&caption=Is%20this%20yours%3F",
                data=picture(),
                headers={"Content-Type": "image/png"},
            )
            assert sent.status == 200, await sent.text()
        calls = await ai.wait_for(lambda calls: any("Is this yours?" in call.asked for call in calls), timeout=DEADLINE)
        [call] = [call for call in calls if "Is this yours?" in call.asked]
        for fact in ("Corner Bakery", "Harbour Lane 12", "7:30", "4.80", "closed on Monday"):
            assert fact in call.system, fact
        assert "data:image/" in json.dumps(call.body)
    finally:
        assert await demo.interrupt() == 0


async def test_what_goes_wrong_in_the_demo_is_printed_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    problems = ProblemRegistry(lambda: 1)
    telling = asyncio.create_task(tell(problems, Invocation(Path("/tmp/demo 1/sara.yaml"), "/opt/x/sara", is_service=False)))
    printed = ""

    async def shown(line: str) -> None:
        nonlocal printed
        async with asyncio.timeout(DEADLINE):
            while line not in printed:
                await asyncio.sleep(0.02)
                printed += capsys.readouterr().out

    problems.report("responder:assistant", "the key is not taken\x1b[2J", "run `sara doctor`")
    await shown(
        "! the key is not taken\N{REPLACEMENT CHARACTER}[2J\n  → run `/opt/x/sara doctor --config '/tmp/demo 1/sara.yaml'`\n"
    )
    problems.report("responder:assistant", "the key is not taken", "correct api_key")
    problems.clear("responder:assistant")
    await shown("✓ over: the key is not taken")
    assert printed.count("!") == 1
    telling.cancel()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_message_typed_on_the_phone_page_is_answered_and_its_ticks_turn_blue(chromium: Chromium, tmp_path: Path) -> None:
    demo = await begun("demo")
    try:
        page = await chromium.open(await demo.page(), {"width": 1180, "height": 740})
        for turn, words in enumerate(("Hi! Are you open on Sunday?", "What does a sourdough loaf cost?", "Thank you!"), start=1):
            await write(page, words)
            await expect(page.get_by_test_id("bubble-in")).to_have_count(turn)
            ticks = page.get_by_test_id("bubble-out").nth(turn - 1).get_by_test_id("tick")
            await expect(ticks).to_have_attribute("data-state", "read")
        answer = page.get_by_test_id("bubble-in").last.get_by_test_id("tick")
        await expect(answer).to_have_attribute("data-state", "read")
        await page.screenshot(path=PICTURE or tmp_path / "phone.png")
        await chromium.leave()
    finally:
        assert await demo.interrupt() == 0
