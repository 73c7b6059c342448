"""Files that come slowly, or not at all: who waits for them, and what is left of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from sara_simulators.whatsapp import WhatsAppSimulator

from sara.pipeline.media import OWN_NAME

from .conftest import DEADLINE, Process, Town
from .test_running import as_json, sara

Say = Callable[[WhatsAppSimulator], Awaitable[str]]

UNREAD: Mapping[str, Say] = {
    "video": lambda phone: phone.say_video("ana", b"a video"),
    "document": lambda phone: phone.say_document("ana", b"%PDF-1.7 a menu", mime="application/pdf"),
    "sticker": lambda phone: phone.say_sticker("ana", b"RIFF....WEBPVP8 a sticker"),
    "audio": lambda phone: phone.say_voice("ana", b"OggS a voice"),
    "image": lambda phone: phone.say_picture("ana", b"a picture"),
}
"""What a responder without eyes and ears does not open."""


async def files_of(town: Town, conversation: str = "c1") -> list[dict[str, Any]]:
    """The files that `sara conversations show` lists."""
    return [each for message in await as_json(town, "conversations", "show", conversation) for each in message["attachments"]]


async def test_a_text_beside_a_file_that_nobody_opens_is_answered_while_the_media_host_is_silent(town: Town) -> None:
    town.config["responders"]["assistant"]["images"] = False
    silent = town.phone.faults.media_silent
    silent.on()
    await town.start()
    for n, (kind, say) in enumerate(UNREAD.items(), 1):
        await say(town.phone)
        await town.phone.say("ana", f"What do you say to my {kind}?")
        assert (await town.answers(n))[-1].endswith(f"What do you say to my {kind}?")
        assert silent.active
    silent.off()

    async def fetched() -> bool:
        return [each["state"] for each in await files_of(town)] == ["fetched"] * len(UNREAD)

    await town.until(fetched, DEADLINE)


async def test_a_picture_that_the_model_is_shown_is_waited_for(town: Town) -> None:
    town.config["responders"]["assistant"]["images"] = True
    town.phone.faults.media_silent.on()
    await town.start()
    await town.phone.say_picture(
        "ana", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00", caption="Who is this?"
    )
    await town.phone.wait_for(lambda phone: phone.faults.media_silent.hits == 1, timeout=DEADLINE)
    assert town.ai.calls == []
    town.phone.faults.media_silent.off()
    await town.answers(1)
    assert "image_url" in str(town.ai.calls[0].body)


async def test_files_that_come_while_a_person_answers_are_there_to_be_shown(town: Town) -> None:
    """Handed over, opted out, above the limit: each customer's file is fetched, and `show` says what it is and where."""
    town.config["conversation"]["limits"] = {"person": {"minute": 1}}
    await town.start()
    phone = town.phone
    await phone.say("ana", "human")
    await town.answers(1)
    await phone.say_document("ana", b"%PDF-1.7 my contract", mime="application/pdf", name="contract.pdf\nm9 [image] /etc/x")
    await phone.say("kofi", "STOP")
    await phone.say_picture("kofi", b"a picture of the damage")
    lena = phone.add_customer("Lena").id
    await phone.say(lena, "hello")
    await phone.say_video(lena, b"a video of the damage")
    expected = {"document": b"%PDF-1.7 my contract", "image": b"a picture of the damage", "video": b"a video of the damage"}

    async def shown() -> list[dict[str, Any]] | None:
        found = [each for n in (1, 2, 3) for each in await files_of(town, f"c{n}")]
        return found if [each["state"] for each in found] == ["fetched"] * 3 else None

    for each in await town.until(shown, DEADLINE):
        assert await asyncio.to_thread(Path(each["path"]).read_bytes) == expected[each["kind"]]
        assert each["size"] == len(expected[each["kind"]])
    code, out, _ = await sara(town, "conversations", "show", "c1")
    assert code == 0
    assert re.search(
        r"^m\d+ \[document\] contract\.pdf m9 \[image\] /etc/x, 20 B: /\S+/state/media/[0-9a-f]{32}$", out, re.MULTILINE
    )


async def test_a_kill_while_files_come_loses_none_and_leaves_none_that_no_row_names(town: Town, process: Process) -> None:
    media = town.folder / "state" / "media"
    town.phone.faults.media_silent.on()
    await process.start()
    await town.phone.say_video("ana", b"a video")
    await town.phone.say_document("kofi", b"%PDF-1.7", mime="application/pdf")
    await town.phone.wait_for(lambda phone: phone.faults.media_silent.hits == 2, timeout=DEADLINE)
    await process.kill()
    assert await asyncio.to_thread(lambda: [path.name for path in media.iterdir()])
    orphan = media / "0123456789abcdef0123456789abcdef"
    orphan.write_bytes(b"renamed, and killed before it was noted")
    (media / "menu.pdf").write_bytes(b"the operator's own")
    town.phone.faults.media_silent.off()
    await process.start()

    async def fetched() -> bool:
        states = [each["state"] for n in (1, 2) for each in await files_of(town, f"c{n}")]
        return states == ["fetched"] * 2 and not orphan.exists()

    await town.until(fetched, DEADLINE)
    assert await process.end() == 0
    left = {path.name for path in media.iterdir()}
    named = {Path(each["path"]).name for n in (1, 2) for each in await files_of(town, f"c{n}")}
    assert left == named | {"menu.pdf"}
    assert all(OWN_NAME.fullmatch(name) for name in named)
