"""Whole conversations by hand: the phone page in a browser, the real daemon, and a responder that answers in more than text."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sara_simulators.whatsapp.fixtures import picture

from tests.browser import Chromium, expect, write

from .conftest import Town, configuration, echoing_ai, quick_phone

if TYPE_CHECKING:
    from playwright.async_api import Page

# In the loop of the browser, which all tests of a worker share.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
here = pytest_asyncio.fixture(loop_scope="session")

WAITER = Path(__file__).parents[1] / "data" / "plugins" / "sara_waiter.py"
BLUE = "rgb(10, 124, 196)"


@pytest.fixture(autouse=True)
def imported_anew() -> Iterator[None]:
    """Each test has a waiter of its own."""
    yield
    sys.modules.pop("sara_waiter", None)


@here
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with quick_phone() as phone, echoing_ai() as ai:
        town = Town(tmp_path, phone, ai, configuration(phone, ai))
        yield town
        await town.stop()


@here
async def waiter(town: Town) -> Any:
    """The responder's module, served by a daemon that knows it from the folder beside its sara.yaml."""
    (town.folder / "plugins").mkdir()
    shutil.copy(WAITER, town.folder / "plugins")
    town.config["responders"] = {"assistant": {"plugin": "waiter"}}
    await town.start()
    return sys.modules["sara_waiter"]


@here
async def page(town: Town, waiter: Any, chromium: Chromium) -> Page:
    """The phone page with Ana's chat open."""
    return await chromium.open(f"{town.phone.page}#ana")


async def test_buttons_and_a_list_are_answered_by_pressing(town: Town, waiter: Any, page: Page) -> None:
    await write(page, "I am hungry.")
    asked = page.get_by_test_id("bubble-in").nth(0)
    await expect(asked.locator("em")).to_have_text("like")
    await asked.get_by_role("button", name="A cake").click()

    listed = page.get_by_test_id("bubble-in").nth(1)
    await expect(listed.locator("strong")).to_have_text("cake")
    await listed.get_by_role("button", name="See the cakes").click()
    await page.get_by_role("radio", name="Apple cake").check()
    await page.get_by_test_id("sheet-send").click()

    await expect(page.get_by_test_id("typing")).to_be_visible()
    await expect(page.get_by_test_id("presence")).to_have_text("typing…")
    waiter.ready.set()
    answer = page.get_by_test_id("bubble-in").nth(2)
    await expect(answer).to_contain_text("Coming: Apple cake")
    await expect(answer).to_contain_text("(cake:apple), as you answered to “Which cake?”")
    await expect(page.get_by_test_id("typing")).to_have_count(0)

    for bubble in (page.get_by_test_id("bubble-out").last, answer):
        await expect(bubble.get_by_test_id("tick")).to_have_attribute("data-state", "read")
        assert await bubble.get_by_test_id("tick").evaluate("node => getComputedStyle(node).color") == BLUE
    stored = await town.stored(3, direction="in")
    assert [message.kind for message in sorted(stored, key=lambda message: message.at)] == ["text", "interactive", "interactive"]
    await town.stored(3, direction="out", state="read")


async def test_a_picture_reaches_the_responder_with_its_caption(town: Town, waiter: Any, page: Page) -> None:
    async with page.expect_file_chooser() as choosing:
        await page.get_by_test_id("attach").click()
        await page.get_by_test_id("attach-media").click()
    await (await choosing.value).set_files([{"name": "cake.png", "mimeType": "image/png", "buffer": picture()}])
    await page.get_by_test_id("field-caption").fill("Do you have this one?")
    await page.get_by_test_id("sheet-send").click()
    await expect(page.get_by_test_id("bubble-out").locator("img")).to_have_js_property("naturalWidth", 96)
    answer = page.get_by_test_id("bubble-in")
    await expect(answer).to_contain_text(f"A image of {len(picture())} bytes (image/png)")
    await expect(answer).to_contain_text("Do you have this one?")
    [kept] = [file for file in (town.folder / "state" / "media").rglob("*") if file.is_file()]
    assert kept.read_bytes() == picture()


async def test_a_voice_note_and_a_place_are_answered(town: Town, waiter: Any, page: Page) -> None:
    await page.get_by_test_id("attach").click()
    await page.get_by_test_id("attach-voice").click()
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("A audio of")
    await page.get_by_test_id("attach").click()
    await page.get_by_test_id("attach-location").click()
    await page.get_by_test_id("sheet-send").click()
    await expect(page.get_by_test_id("bubble-in")).to_have_count(2)
    [place] = [message for message in await town.messages(direction="in") if message.kind == "location"]
    assert "Sample Square" in place.text
