"""The phone page does what a phone does, driven in a real browser against a daemon that echoes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator, fixtures
from sara_simulators.whatsapp.fixtures import picture

from tests.browser import DESKTOP, PHONE, Chromium, expect, write

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, WebSocketRoute

# One loop and one browser for all of them: starting it takes longer than most of what is tried in it.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
here = pytest_asyncio.fixture(loop_scope="session")

CONTRASTS = """(selectors) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const channels = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].reduce((sum, part, index) => {
        const share = part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
        return sum + share * [0.2126, 0.7152, 0.0722][index];
    }, 0);
    const contrast = (node) => {
        let behind = node;
        while (channels(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
        const [dark, bright] = [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor]
            .map((colour) => light(channels(colour))).sort((a, b) => a - b);
        return (bright + 0.05) / (dark + 0.05);
    };
    const nodes = selectors.map((words) => document.querySelector(words));
    return {
        ratios: Object.fromEntries(nodes.map((node, index) => [selectors[index], node?.checkVisibility() ? contrast(node) : null])),
        colours: nodes.map((node) => node && getComputedStyle(node).color),
    };
}"""
"""The contrast ratios of elements' texts as WCAG counts them, by selector; of one that cannot be seen, nothing."""

OpenPage = Callable[..., Awaitable["Page"]]


class Echo:
    """A daemon in small: answers every message with its own words, unless told to keep quiet. While `hold` is not set it
    does not even take the webhook."""

    def __init__(self, simulator: WhatsAppSimulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.quiet = False
        self.hold = asyncio.Event()
        self.hold.set()
        self.answering: set[asyncio.Task[Any]] = set()

    async def verify(self, request: web.Request) -> web.Response:
        return web.Response(text=request.query["hub.challenge"])

    async def take(self, request: web.Request) -> web.Response:
        await self.hold.wait()
        value = (await request.json())["entry"][0]["changes"][0]["value"]
        for message in () if self.quiet else value.get("messages", ()):
            task = asyncio.create_task(self.send(message, message["text"]["body"]))
            self.answering.add(task)
            task.add_done_callback(self.answering.discard)
        return web.Response()

    async def send(self, to: dict[str, str], text: str) -> None:
        whom = {"to": f"+{to['from']}"} if "from" in to else {"recipient": to["from_user_id"]}
        await self.post({**whom, "type": "text", "text": {"body": text}})

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.simulator.settings.access_token}"}

    @property
    def number(self) -> str:
        return f"{self.simulator.url}/v26.0/{self.simulator.settings.phone_number_id}"

    async def post(self, body: dict[str, Any], status: int = 200) -> int | None:
        """Ask for something; the code of the refusal, if one is expected."""
        said = {"messaging_product": "whatsapp", **body}
        async with self.session.post(f"{self.number}/messages", json=said, headers=self.headers) as answer:
            told = await answer.json()
            assert answer.status == status, told
            return told["error"]["code"] if "error" in told else None

    async def upload(self, mime: str, data: bytes) -> str:
        form = aiohttp.FormData({"messaging_product": "whatsapp"}, default_to_multipart=True)
        form.add_field("file", data, filename="file", content_type=mime)
        async with self.session.post(f"{self.number}/media", data=form, headers=self.headers) as answer:
            return str((await answer.json())["id"])


@here
async def simulator() -> AsyncIterator[WhatsAppSimulator]:
    async with WhatsAppSimulator(sent_delay=5, delivered_delay=5, read_delay=5) as simulator:
        yield simulator


@here
async def echo(simulator: WhatsAppSimulator) -> AsyncIterator[Echo]:
    async with aiohttp.ClientSession() as session:
        echo = Echo(simulator, session)
        app = web.Application()
        app.add_routes([web.get("/hook", echo.verify), web.post("/hook", echo.take)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await simulator.connect(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
        yield echo
        await runner.cleanup()


@here
async def open_page(chromium: Chromium, simulator: WhatsAppSimulator) -> OpenPage:
    """Opens the page of the simulator."""

    async def open_page(viewport: dict[str, int] = DESKTOP, at: str = "", **how: Any) -> Page:
        page = await chromium.open(f"{simulator.page}{at}", viewport, **how)
        await expect(page.get_by_test_id("customer")).to_have_count(4)
        return page

    return open_page


def tick(bubble: Locator) -> Locator:
    return bubble.get_by_test_id("tick")


async def test_a_message_is_typed_answered_and_its_ticks_turn_blue(open_page: OpenPage, echo: Echo, tmp_path: Path) -> None:
    page = await open_page()
    await write(page, "Are you open on Sunday?")
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("Are you open on Sunday?")
    for bubble in ("bubble-out", "bubble-in"):
        await expect(tick(page.get_by_test_id(bubble))).to_have_attribute("data-state", "read")
    blue = await tick(page.get_by_test_id("bubble-out")).evaluate("node => getComputedStyle(node).color")
    assert blue == "rgb(10, 124, 196)"
    await expect(page.get_by_test_id("composer")).to_have_value("")
    shot = await page.screenshot(path=tmp_path / "phone.png")
    assert shot.startswith(b"\x89PNG")

    # Shift and Enter start a new line.
    composer = page.get_by_test_id("composer")
    await composer.press_sequentially("one")
    await composer.press("Shift+Enter")
    await composer.press_sequentially("two")
    await page.get_by_test_id("send").click()
    await expect(page.get_by_test_id("bubble-out").last.locator("p")).to_have_text("one\ntwo", use_inner_text=True)


async def test_ticks_tell_sent_from_taken_from_read_and_typing_is_shown_until_the_answer_comes(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    echo.quiet = True
    echo.hold.clear()
    await write(page, "hello?")
    own = tick(page.get_by_test_id("bubble-out"))
    await expect(own).to_have_attribute("data-state", "sent")
    echo.hold.set()
    await expect(own).to_have_attribute("data-state", "delivered")
    await expect(page.get_by_test_id("typing")).to_have_count(0)
    await echo.post({"status": "read", "message_id": simulator.chat("ana")[0].id})
    await expect(own).to_have_attribute("data-state", "read")

    # Typing is shown until the answer comes.
    wamid = await simulator.say("ana", "hello?")
    await echo.post({"status": "read", "message_id": wamid, "typing_indicator": {"type": "text"}})
    await expect(page.get_by_test_id("typing")).to_be_visible()
    await expect(page.get_by_test_id("presence")).to_have_text("typing…")
    await echo.send({"from": "15550001111"}, "Here I am.")
    await expect(page.get_by_test_id("typing")).to_have_count(0)
    await expect(page.get_by_test_id("presence")).to_contain_text("You are Ana Duarte")


async def test_a_chat_that_is_not_open_counts_its_unread_messages(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    await echo.send({"from_user_id": "DE.40000000000000000444"}, "one")
    await echo.send({"from_user_id": "DE.40000000000000000444"}, "two")
    nox = page.locator("[data-customer=nox]")
    await expect(nox.get_by_test_id("unread")).to_contain_text("2")
    await simulator.wait_for(lambda s: s.under_way == 0)
    assert [bubble.state for bubble in simulator.chat("nox")] == ["delivered", "delivered"]
    await nox.click()
    await expect(nox.get_by_test_id("unread")).to_have_count(0)
    await simulator.wait_for(lambda s: [bubble.state for bubble in s.chat("nox")] == ["read", "read"])
    await expect(page.get_by_test_id("presence")).to_contain_text("number hidden")


async def test_text_is_formatted_and_never_becomes_markup(open_page: OpenPage, echo: Echo) -> None:
    page = await open_page()
    echo.quiet = True
    await echo.send(
        {"from": "15550001111"},
        "*bold* _it_ ~gone~ `x=1` 2*3*4 snake_case_name\n- one\n- two\n> said\n```let a;```\n"
        "<img src=x onerror=alert(1)> https://example.org/a_b_?c=1.",
    )
    bubble = page.get_by_test_id("bubble-in")
    styles = {"strong": "bold", "em": "it", "s": "gone", "code": "x=1", "blockquote": "said", "pre": "let a;"}
    for tag, text in styles.items():
        await expect(bubble.locator(f".text {tag}")).to_have_text(text)
    await expect(bubble.locator("li")).to_have_text(["one", "two"])
    await expect(bubble).to_contain_text("2*3*4 snake_case_name")
    await expect(bubble).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(bubble.locator("img")).to_have_count(0)
    await expect(bubble.locator("a")).to_have_attribute("href", "https://example.org/a_b_?c=1")
    await expect(bubble.locator("a")).to_have_attribute("rel", "noopener noreferrer")

    # Names of files and buttons neither.
    evil = "<img src=x onerror=1>"
    document = {"id": await echo.upload("application/pdf", fixtures.DOCUMENT), "filename": evil, "caption": evil}
    await echo.post({"to": "+15550001111", "type": "document", "document": document})
    buttons = [{"type": "reply", "reply": {"id": "1", "title": "<b>x</b>"}}]
    asked = {"type": "button", "header": {"type": "text", "text": evil}, "body": {"text": evil}, "action": {"buttons": buttons}}
    await echo.post({"to": "+15550001111", "type": "interactive", "interactive": asked})
    await expect(page.get_by_role("button", name="<b>x</b>")).to_be_visible()
    await expect(page.get_by_test_id("bubble-in").locator("img, .choice b")).to_have_count(0)


async def test_a_button_is_pressed_and_a_row_chosen_from_a_list_by_keyboard(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    echo.quiet = True
    buttons = [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}, {"type": "reply", "reply": {"id": "n", "title": "No"}}]
    interactive = {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": buttons}}
    await echo.post({"to": "+15550001111", "type": "interactive", "interactive": interactive})
    await page.get_by_role("button", name="Yes").click()
    own = page.get_by_test_id("bubble-out")
    await expect(own.locator(".text")).to_contain_text("Yes")
    await expect(own.locator(".quoted")).to_contain_text("Well?")
    pressed = simulator.chat("ana")[-1]
    assert pressed.content["interactive"] == {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}}
    assert pressed.reply_to == simulator.chat("ana")[0].id

    # A row is chosen from a list by keyboard.
    rows = [{"id": "ten", "title": "10:00", "description": "Next free slot"}, {"id": "eleven", "title": "11:00"}]
    action = {"button": "Choose a time", "sections": [{"title": "Wednesday", "rows": rows}]}
    listed = {"type": "list", "body": {"text": "When?"}, "action": action}
    await echo.post({"to": "+15550001111", "type": "interactive", "interactive": listed})
    await page.get_by_role("button", name="Choose a time").press("Enter")
    sheet = page.get_by_test_id("sheet")
    await expect(sheet.get_by_role("group", name="Wednesday")).to_contain_text("Next free slot")
    await sheet.get_by_role("radio", name="10:00").press("ArrowDown")
    await expect(sheet.get_by_role("radio", name="11:00")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(sheet).to_be_hidden()
    await expect(page.get_by_test_id("bubble-out").last.locator(".text")).to_contain_text("11:00")
    chosen = {"id": "eleven", "title": "11:00"}
    assert simulator.chat("ana")[-1].content["interactive"] == {"type": "list_reply", "list_reply": chosen}


async def test_a_picture_is_chosen_captioned_and_sent_and_other_things_from_the_menu(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    echo.quiet = True
    async with page.expect_file_chooser() as choosing:
        await page.get_by_test_id("attach").click()
        await page.get_by_test_id("attach-media").click()
    await (await choosing.value).set_files([{"name": "plant.png", "mimeType": "image/png", "buffer": picture()}])
    await expect(page.get_by_test_id("sheet").locator("img")).to_be_visible()
    await page.get_by_test_id("field-caption").fill("What *plant* is this?")
    await page.get_by_test_id("sheet-send").click()
    own = page.get_by_test_id("bubble-out")
    await expect(own.locator("strong")).to_have_text("plant")
    await expect(own.locator("img")).to_have_js_property("naturalWidth", 96)
    sent = simulator.chat("ana")[0].content["image"]
    assert (sent["mime_type"], sent["caption"]) == ("image/png", "What *plant* is this?")
    assert simulator.media[0].data == picture()
    await expect(page.locator("[data-customer=ana]")).to_contain_text("Photo What plant is this?")

    # Other things are sent from the menu.
    rows = (
        ("attach-voice", "audio", "file-audio"),
        ("attach-location", "location", "place"),
        ("attach-contact", "contacts", "card"),
        ("attach-sticker", "sticker", "file-sticker"),
    )
    for number, (entry, kind, shown) in enumerate(rows, start=1):
        await page.get_by_test_id("attach").press("Enter")
        await page.get_by_test_id(entry).press("Enter")
        if kind == "sticker":
            await page.get_by_role("menuitem", name="Sticker 🎉").click()
        elif kind != "audio":
            await page.get_by_test_id("sheet-send").click()
        await expect(page.get_by_test_id("bubble-out")).to_have_count(number + 1)
        await expect(page.get_by_test_id("bubble-out").nth(number).get_by_test_id(shown)).to_be_visible()
        assert [bubble.kind for bubble in simulator.chat("ana")] == ["image", *(row[1] for row in rows[:number])]
    await page.wait_for_function("() => document.querySelector('audio').duration > 2.5")
    [sticker] = [media for media in simulator.media if media.id == simulator.chat("ana")[-1].content["sticker"]["id"]]
    assert sticker.data[8:12] == b"WEBP"


async def test_every_kind_of_message_has_its_look(simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo) -> None:
    page = await open_page()
    echo.quiet = True

    async def last(**message: Any) -> Locator:
        shown = await page.get_by_test_id("bubble-in").count()
        await echo.post({"to": "+15550001111", **message})
        await expect(page.get_by_test_id("bubble-in")).to_have_count(shown + 1)
        return page.get_by_test_id("bubble-in").last

    def interactive(kind: str, **action: Any) -> dict[str, Any]:
        return {"type": "interactive", "interactive": {"type": kind, "body": {"text": "*Look*"}, "action": action}}

    image = await last(type="image", image={"id": await echo.upload("image/png", picture()), "caption": "a *cat*"})
    await expect(image.locator("img")).to_have_js_property("naturalWidth", 96)
    await expect(image.locator("strong")).to_have_text("cat")
    voice = await last(type="audio", audio={"id": await echo.upload("audio/ogg", fixtures.voice()), "voice": True})
    await expect(voice.get_by_label("Voice message")).to_be_visible()
    video = await last(type="video", video={"id": await echo.upload("video/mp4", fixtures.VIDEO)})
    await expect(video.locator("video")).to_be_visible()
    document = {"id": await echo.upload("application/pdf", fixtures.DOCUMENT), "filename": "Prices.pdf"}
    bill = await last(type="document", document=document)
    await expect(bill.get_by_role("link")).to_have_attribute("download", "Prices.pdf")
    place = await last(type="location", location={"latitude": 52.5, "longitude": 13.4, "name": "Corner Bakery"})
    await expect(place.get_by_test_id("place")).to_contain_text("Corner Bakery")
    card = await last(
        type="contacts", contacts=[{"name": {"formatted_name": "Ida B", "first_name": "Ida"}, "phones": [{"phone": "+1"}]}]
    )
    await expect(card.get_by_test_id("card")).to_contain_text("Ida B")
    link = await last(
        **interactive("cta_url", name="cta_url", parameters={"display_text": "Shop", "url": "https://example.org/"})
    )
    await expect(link.get_by_role("link", name="Shop")).to_have_attribute("href", "https://example.org/")
    await expect(link.get_by_role("link", name="Shop")).to_have_attribute("rel", "noopener noreferrer")
    template = await last(type="template", template={"name": "answer_waiting", "language": {"code": "en"}})
    await expect(template).to_contain_text("We have an answer")
    await template.get_by_role("button", name="Yes, please").click()
    await expect(page.get_by_test_id("bubble-out").last).to_contain_text("Yes, please")
    where = await last(**interactive("location_request_message", name="send_location"))
    await where.get_by_role("button", name="Send location").click()
    await page.get_by_test_id("sheet-send").click()
    await expect(page.get_by_test_id("bubble-out").last.get_by_test_id("place")).to_be_visible()
    number = await last(**interactive("request_contact_info", name="request_contact_info"))
    await number.get_by_role("button", name="Share phone number").click()
    await expect(page.get_by_test_id("bubble-out").last).to_contain_text("+15550001111")
    kinds = [bubble.kind for bubble in simulator.chat("ana") if bubble.side == "customer"]
    assert kinds == ["button", "location", "contacts"]


async def test_a_reaction_is_given_and_taken_back_and_a_message_quoted_and_forwarded(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    echo.quiet = True
    await echo.send({"from": "15550001111"}, "Apple or cheese?")
    bubble = page.get_by_test_id("bubble-in")
    await bubble.get_by_test_id("bubble-menu").press("Enter")
    await page.get_by_role("menuitem", name="React with 👍").press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(bubble.get_by_test_id("reaction")).to_have_text("❤️")
    await bubble.get_by_test_id("bubble-menu").press("Enter")
    await page.get_by_role("menuitem", name="Take ❤️ back").click()
    await expect(bubble.get_by_test_id("reaction")).to_have_count(0)
    assert simulator.chat("ana")[0].own_reaction is None

    # It is quoted, and forwarded.
    await bubble.get_by_test_id("bubble-menu").press("Enter")
    await page.get_by_test_id("bubble-reply").click()
    await expect(page.get_by_test_id("quoting")).to_contain_text("Apple or cheese?")
    await write(page, "Apple")
    await expect(page.get_by_test_id("bubble-out").locator(".quoted")).to_contain_text("Apple or cheese?")
    await expect(page.get_by_test_id("quoting")).to_be_hidden()
    await bubble.get_by_test_id("bubble-menu").press("Enter")
    await page.get_by_test_id("bubble-forward").click()
    await expect(page.get_by_test_id("bubble-out").last).to_contain_text("Forwarded")
    theirs, quoting, forwarded = simulator.chat("ana")
    assert (quoting.reply_to, forwarded.reply_to, forwarded.forwarded) == (theirs.id, None, True)


async def test_24_hours_can_be_let_pass_at_once_and_a_phone_number_hidden_and_changed(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    echo.quiet = True
    await write(page, "hi")
    await page.get_by_test_id("person-menu").click()
    await page.get_by_test_id("close-window").click()
    await expect(page.get_by_test_id("window")).to_contain_text("24 hours have passed")
    body = {"to": "+15550001111", "type": "text", "text": {"body": "too late"}}
    assert await echo.post(body, status=400) == 131047
    await write(page, "hi again")
    await expect(page.get_by_test_id("window")).to_be_hidden()
    await echo.post(body)

    # A phone number is hidden and changed.
    await page.get_by_test_id("person-menu").click()
    await page.get_by_test_id("hide-number").click()
    await expect(page.get_by_test_id("presence")).to_contain_text("number hidden")
    await page.get_by_test_id("person-menu").click()
    await page.get_by_test_id("show-number").click()
    await page.get_by_test_id("person-menu").click()
    await page.get_by_test_id("change-number").click()
    await page.get_by_test_id("field-phone").fill("+1 555 000 1199")
    await page.get_by_test_id("sheet-send").click()
    await expect(page.get_by_test_id("presence")).to_contain_text("+15550001199")
    await expect(page.get_by_test_id("note")).to_contain_text("changed")
    assert simulator.customers["ana"].phone == "15550001199"


async def test_a_sound_plays_on_while_its_ticks_change(simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo) -> None:
    page = await open_page()
    echo.quiet = True
    echo.hold.clear()
    wamid = await simulator.say_voice("ana")
    await page.locator("audio").evaluate("node => { node.dataset.mine = 'yes'; }")
    echo.hold.set()
    await echo.post({"status": "read", "message_id": wamid})
    await expect(tick(page.get_by_test_id("bubble-out"))).to_have_attribute("data-state", "read")
    await expect(page.locator("audio")).to_have_attribute("data-mine", "yes")


async def test_on_a_phone_there_is_one_pane_at_a_time(open_page: OpenPage, echo: Echo) -> None:
    page = await open_page(PHONE)
    composer, kofi = page.get_by_test_id("composer"), page.locator("[data-customer=kofi]")
    await expect(composer).to_be_hidden()
    await kofi.click()
    await expect(kofi).to_be_hidden()
    await write(page, "hi")
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("hi")
    overflow = await page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    await page.get_by_test_id("back").click()
    await expect(kofi).to_contain_text("hi")
    await expect(composer).to_be_hidden()


async def test_faults_can_be_switched_on_and_off_also_those_of_an_ai(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    ai = OpenAISimulator()
    simulator.show_switches(ai.switches())
    switches = {switch.name: switch for switch in ai.switches()}
    page = await open_page()
    await page.get_by_test_id("settings-open").click()
    await page.get_by_test_id("fault-failed_status").check()
    await simulator.wait_for(lambda s: s.faults.failed_status.active)
    await page.get_by_test_id("fault-failed_status-times").fill("1")
    await page.get_by_test_id("fault-failed_status-times").press("Tab")
    await simulator.wait_for(lambda s: s.faults.failed_status.state()["times"] == 1)
    await page.get_by_test_id("settings-close").click()
    await write(page, "will it arrive?")
    await expect(tick(page.get_by_test_id("bubble-in"))).to_have_attribute("data-state", "failed")
    await page.get_by_test_id("settings-open").click()
    await expect(page.get_by_test_id("fault-failed_status")).not_to_be_checked()

    # The faults of an AI are among the switches.
    for name in switches:
        await page.get_by_test_id(f"fault-{name}").check()
        await expect(page.locator("li.on")).to_have_count(1)
        assert switches[name].active, name
        await page.get_by_test_id(f"fault-{name}").uncheck()
        await expect(page.locator("li.on")).to_have_count(0)
        assert not switches[name].active, name
    await page.get_by_test_id("fault-ai_slow-value").evaluate("node => { node.value = '1234'; }")
    await page.get_by_test_id("fault-ai_slow").check()
    await expect(page.locator("li.on")).to_have_count(1)
    assert switches["ai_slow"].state()["value"] == 1234
    await page.get_by_test_id("faults-off").click()
    await expect(page.locator("li.on")).to_have_count(0)
    assert not switches["ai_slow"].active


async def test_a_new_customer_can_write_at_once(simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo) -> None:
    page = await open_page()
    await page.get_by_test_id("add-customer").click()
    await page.get_by_test_id("new-name").fill("Zoe Quill")
    await page.get_by_test_id("new-phone").fill("+1 555 000 1111")
    await page.get_by_test_id("new-save").click()
    await expect(page.get_by_role("alert")).to_have_text("somebody else has that number or user id")
    await page.get_by_test_id("new-phone").fill("+1 555 000 7777")
    await page.get_by_test_id("new-save").click()
    await expect(page.get_by_test_id("presence")).to_contain_text("You are Zoe Quill")
    await write(page, "hello")
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("hello")
    assert simulator.accepted[0].to == "+15550007777"


async def test_a_new_customer_can_write_also_where_the_page_hears_of_them_late(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page(own=True)

    def late(socket: WebSocketRoute) -> None:
        def relay(told: str | bytes) -> None:
            if "Zoe Quill" in str(told):
                asyncio.get_running_loop().call_later(0.5, socket.send, told)
            else:
                socket.send(told)

        socket.connect_to_server().on_message(relay)

    await page.route_web_socket(re.compile("/phone/live"), late)
    await page.reload()
    await expect(page.get_by_test_id("customer")).to_have_count(4)
    await page.get_by_test_id("add-customer").click()
    await page.get_by_test_id("new-name").fill("Zoe Quill")
    await page.get_by_test_id("new-phone").fill("+1 555 000 7777")
    await page.get_by_test_id("new-save").click()
    await expect(page.get_by_test_id("presence")).to_contain_text("You are Zoe Quill")
    await write(page, "hello")
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("hello")


OVERLAPS = """() => {
    const box = (node) => node.getBoundingClientRect();
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const log = box(document.getElementById("log"));
    const found = [];
    for (const more of document.querySelectorAll("[data-testid=bubble-menu]")) {
        const own = box(more);
        if (own.left < log.left || own.right > log.right || own.width < 24 || own.height < 24) found.push("out of sight");
        for (const bubble of document.querySelectorAll(".bubble")) if (meet(own, box(bubble))) found.push(bubble.innerText);
    }
    return found;
}"""
"""What the buttons beside the bubbles cover."""


async def test_the_button_of_a_message_covers_nothing(open_page: OpenPage, echo: Echo) -> None:
    """With a mouse and under a finger, beside long and short messages of both sides."""
    wide = "A sourdough loaf, please, and two cinnamon buns for the children who wait outside by the harbour. " * 2
    page = await open_page(DESKTOP, "#ana")
    for count, words in enumerate(("ok", wide, "https://example.org/" + "x" * 120), start=1):
        await write(page, words)
        await expect(page.get_by_test_id("bubble-in")).to_have_count(count)
    for viewport, how in ((DESKTOP, {}), ({"width": 320, "height": 600}, {}), (PHONE, {"has_touch": True, "is_mobile": True})):
        if how:
            page = await open_page(viewport, "#ana", **how)
        else:
            await page.set_viewport_size(viewport)
        await expect(page.get_by_test_id("bubble-menu")).to_have_count(6)
        assert await page.evaluate(OVERLAPS) == [], viewport


async def test_notices_push_nothing_away(simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo) -> None:
    """At the end of a chat its last message stays in sight, further up what is read stays where it is, and the composer stays."""
    page = await open_page(PHONE, "#ana")
    for n in range(1, 9):
        await simulator.say("ana", f"number {n}: is there anything left of the bread that smelled so good this morning?")
    await expect(page.get_by_test_id("bubble-in")).to_have_count(8)
    log, composer, window, last = (page.get_by_test_id(name) for name in ("log", "composer", "window", "bubble-in"))
    place = await composer.bounding_box()

    async def close_window() -> None:
        await page.get_by_test_id("person-menu").click()
        await page.get_by_test_id("close-window").click()
        await expect(window).to_be_visible()

    async def sees_the_end() -> bool:
        shown, newest = await log.bounding_box(), await last.last.bounding_box()
        assert shown is not None
        assert newest is not None
        return newest["y"] >= shown["y"] and newest["y"] + newest["height"] <= shown["y"] + shown["height"]

    await close_window()
    assert await sees_the_end()
    assert await composer.bounding_box() == place
    await log.evaluate("node => { node.scrollTop = node.scrollHeight / 5; }")
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    read = page.get_by_test_id("bubble-in").nth(4)
    before = await read.bounding_box()
    async with simulator.unreachable():
        await expect(page.get_by_test_id("notice")).to_contain_text("The demo has stopped")
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        after = await read.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) <= 1
        assert await composer.bounding_box() == place


async def test_what_is_written_to_a_demo_that_has_stopped_is_kept_until_it_comes_back(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    page = await open_page()
    await page.get_by_test_id("composer").fill("are you there?")
    notice = page.get_by_test_id("notice")
    async with simulator.unreachable():
        await expect(page.locator("body")).to_have_attribute("data-live", "no")
        await expect(notice).to_contain_text("The demo has stopped")
        await page.get_by_test_id("composer").press("Enter")
        await expect(notice).to_contain_text(re.compile("the demo has stopped", re.IGNORECASE))
        await expect(page.get_by_test_id("composer")).to_have_value("are you there?")
        await expect(page.get_by_text("Failed to fetch")).to_have_count(0)

    # The page comes back when the simulator does.
    await expect(notice).to_be_hidden()
    await write(page, "still there?")
    await expect(page.get_by_test_id("bubble-in")).to_contain_text("still there?")


async def test_a_customer_who_is_not_answered_sees_no_typing(
    simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo
) -> None:
    """After STOP, and while a person has the conversation, nothing comes: then nothing says that something does."""
    page = await open_page()
    await write(page, "STOP")
    await expect(page.get_by_test_id("bubble-in")).to_have_count(1)
    echo.quiet = True
    for n, words in enumerate(("STOP", "hello?"), start=2):
        await write(page, words)
        await expect(tick(page.get_by_test_id("bubble-out").nth(n - 1))).to_have_attribute("data-state", "delivered")
        await expect(page.get_by_test_id("typing")).to_have_count(0)
        await expect(page.get_by_test_id("presence")).to_contain_text("You are Ana Duarte")


async def test_words_stand_out_from_what_is_behind_them(simulator: WhatsAppSimulator, open_page: OpenPage, echo: Echo) -> None:
    """By day and by night, on a desktop and on a phone."""
    page = await open_page(DESKTOP, "#ana")
    await write(page, "hello")
    await expect(tick(page.get_by_test_id("bubble-in"))).to_have_attribute("data-state", "read")
    own, answer = simulator.chat("ana")
    echo.quiet = True
    await simulator.say("ana", "this one", answer.id)
    await simulator.say("ana", "look", forwarded=True)
    await simulator.say_location("ana", 52.5, 13.4, "Here")
    template = {"name": "answer_waiting", "language": {"code": "en"}}
    await echo.post({"to": "+15550001111", "type": "template", "template": template})
    asked = {"type": "text", "text": {"body": "Which?"}, "context": {"message_id": own.id}}
    await echo.post({"to": "+15550001111", **asked})
    await simulator.change_number("ana", "15550001199")
    simulator.close_window("ana")
    await expect(page.locator(".told")).to_be_visible()
    await expect(page.get_by_test_id("window")).to_be_visible()
    plain = (".in .text", ".out .text", ".out .meta time", ".in .meta time", "#presence", "#business")
    rich = (
        ".in .quoted b",
        ".in .quoted span",
        ".out .quoted b",
        ".out .quoted span",
        ".label",
        ".choice",
        ".place small",
        ".told span",
    )
    seen: set[tuple[str, ...]] = set()
    for viewport in (DESKTOP, PHONE):
        await page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            told = await page.evaluate(CONTRASTS, [*plain, *rich, "#window"])
            seen.add(tuple(told["colours"]))
            faint = {words: ratio for words, ratio in told["ratios"].items() if ratio is None or ratio < 4.5}
            assert faint == {}, (viewport, scheme)
    assert len(seen) == 2, "the two schemes"
