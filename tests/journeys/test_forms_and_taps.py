"""What customers tap and fill in instead of typing it, from the webhook to the AI."""

from __future__ import annotations

import json
from typing import Any

from sara.texts import Texts

from .conftest import Town

TEXTS = Texts()


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
        assert (await town.answers(number))[-1] == TEXTS.say("opted_out", "en"), who
    assert {(each.state, each.reason) for each in await town.messages(direction="in")} == {("skipped", "opt_out")}
    assert town.ai.calls == []


async def test_all_that_a_form_holds_reaches_the_ai(town: Town) -> None:
    await town.start()
    answers = {
        "flow_token": "t",
        "dates": {"start-date": "2026-12-01", "end-date": "2026-12-05"},
        "guests": [{"name": "Ana"}, {"name": "Bo"}],
    }
    form = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}
    await town.phone.say("ana", {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": form}})
    await town.answers(1)
    [call] = town.ai.calls
    for value in ("start-date: 2026-12-01", "end-date: 2026-12-05", "guests.1.name: Ana", "guests.2.name: Bo"):
        assert value in str(call.messages), value
