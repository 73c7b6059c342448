"""The people of the business: what they are told of a customer, what becomes of what they write, and what `sara send` says."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.command_server import run_command
from tests.patience import patience

from .conftest import Town
from .test_window import TEMPLATE

BOSS = "+1 555 000 2222"
"""The number of the simulator's Kofi."""

NOTIFY = {"handoff": {"notify": {"channel": "whatsapp", "to": BOSS}}}


def said_to(town: Town, customer: str) -> list[str]:
    return [send.text or "" for send in town.phone.accepted if send.customer == customer]


async def asked_of_the_ai(town: Town) -> list[str]:
    return [text for call in town.ai.calls for text in call.asked]


async def test_an_operator_is_told_all_they_need_and_their_answer_is_no_customers(town: Town) -> None:
    """Quoted or not, whatever they say: it never reaches the AI, and they are told so."""
    town.config["conversation"] |= NOTIFY
    await town.start()
    await town.phone.say("kofi", "hello?")
    await town.answers(1)
    assert "neither customers nor the assistant" in said_to(town, "kofi")[0]
    await town.phone.say("ana", "Where is my order 4711?")
    await town.answers(2)
    await town.phone.say("ana", "human")
    await town.phone.wait_for(lambda phone: len(said_to(town, "kofi")) == 2, timeout=patience(20))
    [_, told] = [send for send in town.phone.accepted if send.customer == "kofi"]
    text = told.text or ""
    ana = town.phone.customers["ana"]
    for part in (ana.name, f"+{ana.phone}", "the customer asked for it", "> Where is my order 4711?\n> human", "sara send c2 "):
        assert part in text, part
    await town.phone.say("kofi", "I will call her", told.wamid)
    for n, words in enumerate(("ok", "human", "are you open?"), start=3):
        await town.phone.say("kofi", words)
        await town.stored(n, direction="in", reason="operator")
    await town.phone.say("ana", "thank you")
    await town.stored(1, direction="in", reason="human")
    assert len(said_to(town, "kofi")) == 2, "once an hour is enough"
    assert await asked_of_the_ai(town) == ["Where is my order 4711?"]


async def test_send_says_what_becomes_of_a_message(town: Town) -> None:
    """Through the real daemon and Meta's simulator; the exit code says the same."""
    town.config["channels"]["whatsapp"] |= {"template": TEMPLATE}
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    [message] = await town.messages(direction="in")
    ana = message.conversation
    await wrote_long_ago(town, "kofi")
    kofi = (await town.stored(2, direction="in"))[-1].conversation
    faults = town.phone.faults

    async def send(conversation: str, *more: str) -> tuple[int, str]:
        command = await run_command(["send", conversation, "We are here.", *more, "--config", str(town.file)], os.environ)
        out, _ = await command.communicate()
        return await command.wait(), out.decode()

    async def told(conversation: str) -> dict[str, Any]:
        _, out = await send(conversation, "--json")
        outcome = json.loads(out)["outcome"]
        assert isinstance(outcome, dict)
        return outcome

    assert await send(ana) == (0, f"{ana}: sent, accepted by the provider\n")
    assert (await told(ana))["state"] == "sent"
    code, said = await send(kofi)
    assert code == 75
    assert "waits until they write again; a template asks them to" in said
    code, said = await send(ana, "--after", "30h")
    assert code == 0
    assert "will be sent at" in said
    assert "unless the customer writes before" in said
    await town.phone.say("ana", "STOP")
    await town.stored(1, direction="in", reason="opt_out")
    code, said = await send(ana)
    assert code == 0, said
    assert "asked for no more messages" in said
    faults.failed_status.off()
    faults.error_code.on(131026, times=1)
    code, said = await send(ana)
    assert code == 1, said
    assert "it was not sent: " in said
    faults.token_expired.on()
    code, said = await send(ana)
    assert code == 75, said
    assert "not sent yet: whatsapp cannot send" in said
    assert "token" in said
    assert (await told(ana))["state"] == "waits"


async def wrote_long_ago(town: Town, customer: str) -> None:
    """A customer wrote more than a day ago, and it is delivered only now; nobody answers it."""
    phone = town.phone
    from sara_simulators.whatsapp import ChatMessage
    from sara_simulators.whatsapp.state import new_wamid
    from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook

    who = phone.customers[customer]
    at = phone.settings.clock() - 2 * 86_400_000
    content = {"type": "text", "text": {"body": "hi"}}
    bubble = ChatMessage(new_wamid(who.phone or "0", outbound=False), customer, "customer", "text", content, "hi", at, "sent")
    assert await phone.post(encode_body(inbound_webhook(phone.settings, [(who, bubble)])))
