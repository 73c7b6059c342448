"""The day in which one may answer, what it costs, and what the customer sees meanwhile: through the real daemon."""

from __future__ import annotations

from typing import Any

import pytest
from sara_simulators.whatsapp import ChatMessage
from sara_simulators.whatsapp.state import new_wamid
from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook

from tests.patience import patience

from .conftest import Town

MINUTE = 60_000
ALMOST_A_DAY = 24 * 60 * MINUTE - 8 * MINUTE
TEMPLATE = {"name": "answer_waiting", "language": "en"}


async def wrote(town: Town, text: str, ago: int) -> None:
    """Ana wrote so many milliseconds ago, and it is delivered only now."""
    phone = town.phone
    ana = phone.customers["ana"]
    content = {"type": "text", "text": {"body": text}}
    at = phone.settings.clock() - ago
    bubble = ChatMessage(new_wamid(ana.phone or "0", outbound=False), "ana", "customer", "text", content, text, at, "sent")
    assert await phone.post(encode_body(inbound_webhook(phone.settings, [(ana, bubble)])))


async def test_an_answer_that_comes_after_the_day_waits_and_a_template_asks_the_customer_to_write(town: Town) -> None:
    town.config["conversation"]["max_age"] = "30d"
    town.config["channels"]["whatsapp"]["template"] = TEMPLATE
    await town.start()
    await wrote(town, "are you open?", ALMOST_A_DAY)
    [asked] = await town.phone.wait_for(lambda phone: phone.accepted, timeout=patience(20))
    assert asked.kind == "template"
    await town.stored(1, state="parked")
    assert town.daemon is not None
    assert "channel:whatsapp:reply_window_closed" in town.daemon.problems
    await town.phone.say("ana", "hello again")
    await town.phone.wait_for(lambda phone: len(phone.accepted) == 3, timeout=patience(20))
    assert [send.text for send in town.phone.accepted[1:]] == ["echo: are you open?", "echo: hello again"]


@pytest.mark.parametrize(("category", "asked"), [("marketing", 0), ("utility", 1)])
async def test_who_wants_no_offers_gets_no_template_that_is_one(town: Town, category: str, asked: int) -> None:
    town.config["conversation"]["max_age"] = "30d"
    town.config["channels"]["whatsapp"]["template"] = {**TEMPLATE, "category": category}
    await town.start()
    assert await town.phone.post(no_offers(town))
    await wrote(town, "are you open?", ALMOST_A_DAY)
    await town.stored(1, state="parked")
    await town.stored(1, direction="out", purpose="template", state="read" if asked else "cancelled")
    assert len(town.phone.accepted) == asked


def no_offers(town: Town) -> dict[str, Any]:
    """Ana tells WhatsApp that she wants no advertisements."""
    settings, ana = town.phone.settings, town.phone.customers["ana"]
    wish = {
        "wa_id": ana.phone,
        "user_id": ana.user_id,
        "category": "marketing_messages",
        "detail": "User requested to stop marketing messages",
        "value": "stop",
        "timestamp": settings.clock() // 1_000,
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": settings.display_number, "phone_number_id": settings.phone_number_id},
        "contacts": [{"profile": {"name": ana.name}, "wa_id": ana.phone, "user_id": ana.user_id}],
        "user_preferences": [wish],
    }
    change = {"field": "user_preferences", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": settings.business_account_id, "changes": [change]}]}


async def test_without_a_template_it_waits_all_the_same(town: Town) -> None:
    town.config["conversation"]["max_age"] = "30d"
    await town.start()
    await wrote(town, "are you open?", ALMOST_A_DAY)
    [parked] = await town.stored(1, state="parked")
    assert parked.reason == "window_closed"
    assert town.phone.accepted == []


async def test_the_month_is_counted_across_a_restart_and_its_budget_warned_of(town: Town) -> None:
    town.config["channels"]["whatsapp"]["monthly_budget"] = 1
    await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="out", state="read")
    await town.stop()
    daemon = await town.start()

    async def warned() -> bool:
        return "channel:whatsapp:message_quota" in daemon.problems

    await town.until(warned)


async def test_the_customer_sees_that_an_answer_is_being_written(town: Town) -> None:
    town.ai.delay_ms = 1_500
    await town.start()
    said = await town.phone.say("ana", "hello")
    [shown] = await town.phone.wait_for(lambda phone: phone.typings, timeout=patience(20))
    assert shown.message_id == said
    assert town.phone.accepted == []
    await town.answers(1)
