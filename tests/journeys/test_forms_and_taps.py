"""What customers tap and fill in instead of typing it, from the webhook to the AI."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sara_simulators.whatsapp import fixtures

from sara.i18n.catalog import MessageCatalog

from .conftest import Town
from .test_files_on_their_way import files_of

TEXTS = MessageCatalog()


def tapped(title: str, **more: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "b1", "title": title, **more}}}


async def test_a_tap_that_says_stop_is_an_order_in_whatever_form_it_comes(town: Town) -> None:
    await town.start()
    row = {"type": "list_reply", "list_reply": {"id": "r1", "title": "Unsubscribe", "description": "No more messages"}}
    rows: list[tuple[Any, Any]] = [
        ("ana", tapped("STOP")),
        ("kofi", {"type": "button", "button": {"text": "Stop promotions", "payload": "promo-77"}}),
        ("nox", {"type": "interactive", "interactive": row}),
        (town.phone.add_customer("Mei", phone="15550003333", user_id="SG.33300000000000000333"), "please stop"),
    ]
    for number, (who, what) in enumerate(rows, 1):
        await town.phone.say(who, what)
        assert (await town.answers(number))[-1] == TEXTS.render("opted_out", "en"), who
    assert {(each.state, each.reason) for each in await town.messages(direction="in")} == {("skipped", "opt_out")}
    assert town.ai.calls == []


async def test_a_word_that_answers_the_quoted_question_is_no_order(town: Town) -> None:
    town.ai.mode = ["¿Planta alta o baja?", "Gracias.", "Anotado.", "Hasta luego."]
    await town.start()
    await town.phone.say("ana", "hola, busco un piso")
    await town.answers(1)
    asked = town.phone.accepted[0].wamid
    await town.phone.say("ana", "con terraza")
    await town.answers(2)
    await town.phone.say("ana", "Baja", asked)
    assert (await town.answers(3))[2] == "Anotado."
    await town.phone.say("ana", "STOP", asked)
    assert (await town.answers(4))[3] == TEXTS.render("opted_out", "es")


async def test_files_that_a_form_names_are_fetched_and_shown_and_what_it_says_is_no_word_of_the_customers(town: Town) -> None:
    town.config["responders"]["assistant"]["images"] = True
    await town.start()
    picture, bill = fixtures.picture(), b"%PDF-1.7 a bill"
    photo, paper = town.phone.picked(picture, "image/png", "damage.png"), town.phone.picked(bill, "application/pdf", "bill.pdf")
    answers = {"flow_token": "t", "note": "ring twice", "url": "https://x.example", "photos": [photo], "deep": {"bill": paper}}
    await town.phone.say_form("ana", answers)
    await town.answers(1)
    [call] = town.ai.calls
    [facts] = call.context
    told = {"note": "ring twice", "url": "https://x.example", "photos": [{"file_name": "damage.png"}]}
    assert facts["content"]["form"] == told | {"deep": {"bill": {"file_name": "bill.pdf"}}}
    assert str(facts).count("ring twice") == 2, "as the form has it, and as people are shown it"
    assert [each["name"] for each in facts["files"]] == ["damage.png", "bill.pdf"]
    assert "data:image/png" in str(call.body)
    assert "[form]" not in "".join(call.asked)

    async def fetched() -> list[bytes] | None:
        files = await files_of(town)
        if [each["state"] for each in files] != ["fetched"] * 2:
            return None
        return [await asyncio.to_thread(Path(each["path"]).read_bytes) for each in files]

    assert await town.until(fetched) == [picture, bill]


async def test_all_that_a_form_holds_reaches_the_ai(town: Town) -> None:
    await town.start()
    answers = {
        "flow_token": "t",
        "dates": {"start-date": "2026-12-01", "end-date": "2026-12-05"},
        "guests": [{"name": "Ana"}, {"name": "Bo"}],
    }
    await town.phone.say_form("ana", answers)
    await town.answers(1)
    [call] = town.ai.calls
    for value in ("start-date: 2026-12-01", "end-date: 2026-12-05", "guests.1.name: Ana", "guests.2.name: Bo"):
        assert value in str(call.messages), value
    assert call.context[0]["content"]["form"] == {key: value for key, value in answers.items() if key != "flow_token"}
