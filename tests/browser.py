"""One headless Chromium for all tests of a worker that drive the phone page, and one page in it that is led from test to test.

A context of its own for each test would cost more processor time than what is tried in it: each starts processes anew. Going to
another simulator's page gives a test a document, a storage and a connection of its own as well.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patience

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

DEADLINE = patience(20)
"""For each thing that is to become true of a page."""

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
BLANK = "about:blank"

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
PROVOKED = ("Failed to load resource", "WebSocket connection to")
"""What the browser says of answers that a test provokes."""


class Chromium:
    """The browser, and what it complains about."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.complaints: list[str] = []
        self._extra: list[BrowserContext] = []
        self._page: Page | None = None

    async def open(
        self, url: str, viewport: dict[str, int] = DESKTOP, *, scheme: str = "light", own: bool = False, **how: Any
    ) -> Page:
        """Show a phone page. One of its `own` is for tests that change what cannot be set back; `how` are options of its context."""
        if own or how:
            page = await self._new_page(**how)
            self._extra.append(page.context)
        else:
            page = self._page = self._page or await self._new_page()
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]  # a mapping with both numbers
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # light or dark
        await page.goto(url)
        await expect(page.locator("body")).to_have_attribute("data-live", "yes")
        return page

    async def leave(self) -> None:
        """End all that a test has opened. A page that cannot even be left is given up, so that only its own test fails."""
        for context in self._extra:
            await context.close()
        self._extra.clear()
        if self._page is not None:
            page, self._page = self._page, None
            try:
                await page.goto(BLANK)
            except Exception:
                await page.context.close()
                raise
            self._page = page

    async def _new_page(self, **how: Any) -> Page:
        context = await self.browser.new_context(**how)
        context.set_default_timeout(DEADLINE * 1_000)
        page = await context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self._heard("error", str(error)))
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(PROVOKED):
            self.complaints.append(text)


@asynccontextmanager
async def chromium_started() -> AsyncIterator[Chromium]:
    """Start the browser, or skip; where everything is to be installed (CI), fail instead."""
    program = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin")
    give_up = pytest.fail if os.environ.get("CI") else pytest.skip
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        give_up("playwright is not installed, and the phone page can only be tried in a browser")
    if program is None:
        give_up("chromium is not installed, and the phone page can only be tried in a browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS, timeout=patience(30) * 1_000)
        yield Chromium(browser)
        await browser.close()


def expect(what: Any) -> Any:
    """What becomes true of a part of the page before the deadline."""
    from playwright import async_api as playwright

    playwright.expect.set_options(timeout=DEADLINE * 1_000)
    return playwright.expect(what)


async def write(page: Page, words: str) -> None:
    """Type a message and send it."""
    await page.get_by_test_id("composer").fill(words)
    await page.get_by_test_id("composer").press("Enter")
