"""`sara demo` as a shop owner meets it: one command, one link, a conversation."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

DEADLINE = 30.0
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURE = os.environ.get("SARA_PICTURE")
"""Where to leave the screenshot that the README shows; a temporary folder by default."""


class Demo:
    """The running command and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
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


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    environ = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sara", "demo", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environ
    )
    yield Demo(process)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_the_demo_prints_one_link_says_that_its_ai_is_a_script_and_stops_on_ctrl_c(demo: Demo) -> None:
    page = await demo.page()
    assert "script" in demo.printed
    async with aiohttp.ClientSession() as session, session.get(page) as answer:
        assert answer.status == 200
    assert await demo.interrupt() == 0
    assert "Traceback" not in demo.printed


@pytest.mark.browser
async def test_a_message_typed_on_the_phone_page_is_answered_and_its_ticks_turn_blue(
    demo: Demo, need: Callable[[str, str], str], tmp_path: Path
) -> None:
    chromium = need("chromium", "it drives the phone page")
    from playwright import async_api as playwright

    url = await demo.page()
    async with playwright.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1180, "height": 740})
        await page.goto(url)
        page.set_default_timeout(DEADLINE * 1_000)
        for turn, words in enumerate(("Hi! Are you open on Sunday?", "What does a sourdough loaf cost?", "Thank you!"), start=1):
            await page.get_by_test_id("composer").fill(words)
            await page.get_by_test_id("composer").press("Enter")
            await playwright.expect(page.get_by_test_id("bubble-in")).to_have_count(turn)
            ticks = page.get_by_test_id("bubble-out").nth(turn - 1).get_by_test_id("tick")
            await playwright.expect(ticks).to_have_attribute("data-state", "read")
        answer = page.get_by_test_id("bubble-in").last.get_by_test_id("tick")
        await playwright.expect(answer).to_have_attribute("data-state", "read")
        await page.screenshot(path=PICTURE or tmp_path / "phone.png")
        await browser.close()
    assert await demo.interrupt() == 0
