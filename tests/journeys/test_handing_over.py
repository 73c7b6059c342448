"""A person takes over, and SARA comes back: through real ports, in several languages, across a kill."""

from __future__ import annotations

from typing import Any

import pytest
from sara_simulators.openai import ToolCalls
from sara_simulators.openai.protocol import Call
from sara_simulators.whatsapp import WhatsAppSimulator

from sara.cli.admin_client import connect_admin
from sara.cli.context import read, require_config
from sara.i18n.catalog import MessageCatalog
from tests.patience import patience

from .conftest import Process, Town, exported

TEXTS = MessageCatalog()


async def act(town: Town, conversation: str, action: str, **body: Any) -> Any:
    """What a command does while a daemon runs."""
    api = await connect_admin(require_config(read(town.file)[0]))
    assert api is not None
    return await api.call("POST", f"/api/v1/conversations/{conversation}/{action}", body)


async def at_rest(town: Town) -> None:
    """Nothing is under way at the provider: whatever is killed now has heard of everything."""
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))


def said_to(phone: WhatsAppSimulator, customer: str) -> list[str]:
    return [send.text or "" for send in phone.accepted if send.customer == customer]


@pytest.mark.parametrize(
    ("before", "words", "language"),
    [
        ("Bom dia, vocês abrem no domingo?", "atendente", "pt"),
        ("Guten Morgen, haben Sie am Sonntag offen?", "Mitarbeiter bitte", "de"),
    ],
)
async def test_a_customer_who_asks_for_a_person_gets_one_in_their_language_also_across_a_kill(
    town: Town, process: Process, before: str, words: str, language: str
) -> None:
    await process.start()
    await town.phone.say("ana", before)
    await town.answers(1)
    await town.phone.say("ana", words)
    assert (await town.answers(2))[1] == TEXTS.render("hand_over", language)
    await at_rest(town)
    await process.kill()
    await process.start()
    await town.phone.say("ana", "hello?")
    await town.phone.say("kofi", "hi")
    assert (await town.answers(3))[2] == "echo: hi"
    await act(town, "c1", "resume")
    assert (await town.answers(4))[3] == TEXTS.render("hand_back", language)
    await town.phone.say("ana", "and now?")
    # What was said while a person answered is read, and not answered any more.
    assert (await town.answers(5))[4] == "echo: and now?"
    await at_rest(town)
    assert await process.end() == 0
    stored = await exported(town)
    assert [(each.text, each.reason) for each in stored if each.state == "skipped"] == [
        (words, "handed_over"),
        ("hello?", "human"),
    ]
    assert [text for call in town.ai.calls for text in call.asked if text == "hello?"] == []
    assert "hello?" in str(town.ai.calls[-1].messages)


async def test_a_common_word_is_an_answer_where_the_ai_asked_and_an_order_where_it_did_not(town: Town) -> None:
    """`Una persona` books a table, `agente` answers a question, and both go to the AI; `agente` out of the blue wants a person."""
    questions = {
        "Quisiera reservar una mesa": "¿Para cuántas personas?",
        "Una persona": "¿Mediano o alto, el asiento?",
        "Alto": "¿Es usted particular o agente?",
        "Agente": "¿La planta alta o baja?",
        "Baja": "Queda reservada.",
    }
    town.ai.mode = lambda call: questions.get(call.asked[-1], "Hasta pronto.")
    await town.start()
    for number, (said, answer) in enumerate(questions.items(), 1):
        await town.phone.say("ana", said)
        assert (await town.answers(number))[-1] == answer, said
    await town.phone.say("ana", "Stop, please")
    assert (await town.answers(6))[-1] == TEXTS.render("opted_out", "es"), "in the language that she writes"
    await town.phone.say("kofi", "Guten Morgen, haben Sie am Sonntag offen?")
    assert (await town.answers(7))[-1] == "Hasta pronto."
    await town.phone.say("kofi", "agente por favor")
    assert (await town.answers(8))[-1] == TEXTS.render("hand_over", "de"), "in the language that he writes"
    reasons = [(each.text, each.reason) for each in await town.messages(direction="in") if each.state == "skipped"]
    assert reasons == [("Stop, please", "opt_out"), ("agente por favor", "handed_over")]


async def test_the_ai_hands_over_with_a_reason_says_so_and_an_operator_is_told(town: Town) -> None:
    town.config["conversation"] |= {"tools": ["handoff"], "handoff": {"notify": {"channel": "whatsapp", "to": "+1 555 000 2222"}}}

    def think(call: Call) -> str | ToolCalls:
        if call.asked == ("my order never came!",) and not call.results:
            return ToolCalls([("handoff", {"reason": "An order that never came"})])
        return "A colleague will look into it." if call.results else "echo: " + " | ".join(call.asked)

    town.ai.mode = think
    await town.start()
    await town.phone.say("kofi", "this is the shop's own phone")
    await town.answers(1)
    await town.phone.say("ana", "my order never came!")
    await town.answers(3)
    assert said_to(town.phone, "ana") == ["A colleague will look into it."]
    [_, told] = said_to(town.phone, "kofi")
    assert "Ana Duarte" in told
    assert "c2" in told
    assert "An order that never came" in told
    await town.phone.say("ana", "anybody?")
    await town.stored(1, direction="in", reason="human")
    assert town.daemon is not None
    [listed] = [each for each in await town.daemon.store.conversations(10) if each.id == "c2"]
    assert listed.mode == "human"


async def test_an_operator_to_whom_nothing_may_be_written_is_asked_by_a_template_and_then_told(town: Town) -> None:
    town.config["conversation"]["handoff"] = {"notify": {"channel": "whatsapp", "to": "+1 555 000 2222"}}
    town.config["channels"]["whatsapp"]["template"] = {"name": "answer_waiting", "language": "en"}
    await town.start()
    await town.phone.say("ana", "talk to a human")
    await town.answers(2)
    [asked] = [send for send in town.phone.accepted if send.customer == "kofi"]
    assert asked.kind == "template"
    await town.phone.say("kofi", "yes?")
    await town.phone.wait_for(lambda phone: len(said_to(phone, "kofi")) >= 3, timeout=patience(20))
    assert any("Ana Duarte" in text for text in said_to(town.phone, "kofi"))


async def test_an_operator_is_told_whose_number_the_provider_spells_in_another_way(town: Town) -> None:
    """`+55 11 91234-5678` in the file, `551112345678` at Meta: one person, one conversation, one message."""
    town.config["conversation"]["handoff"] = {"notify": {"channel": "whatsapp", "to": "+55 11 91234-5678"}}
    await town.start()
    town.phone.add_customer("Bea", phone="551112345678", user_id="BR.77700000000000000777")
    [bea] = [name for name, each in town.phone.customers.items() if each.phone == "551112345678"]
    await town.phone.say(bea, "this is the shop's own phone")
    await town.answers(1)
    await town.phone.say("ana", "talk to a human, please")
    await town.answers(3)
    [_, told] = said_to(town.phone, bea)
    assert "Ana Duarte" in told
    assert len({message.conversation for message in await town.messages()}) == 2


async def test_an_answer_from_the_phone_app_silences_the_ai_while_it_thinks(town: Town) -> None:
    town.ai.delay_ms = 1_500
    await town.start()
    await town.phone.say("ana", "are you open?")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    assert await town.phone.post(echo(town, "We are, until six."))
    await town.ai.wait_for(lambda calls: calls[0].status == 200)
    await town.phone.say("ana", "thanks")
    await town.stored(1, direction="in", reason="human")
    await town.phone.say("kofi", "hi")
    await town.answers(1)
    assert said_to(town.phone, "ana") == []


def echo(town: Town, text: str) -> dict[str, Any]:
    """A person of the business answers Ana from the phone app."""
    settings, ana = town.phone.settings, town.phone.customers["ana"]
    said = {
        "from": settings.display_number,
        "to": ana.phone,
        "to_user_id": ana.user_id,
        "id": "wamid.echo1",
        "timestamp": str(settings.clock() // 1_000),
        "type": "text",
        "text": {"body": text},
    }
    metadata = {"display_phone_number": settings.display_number, "phone_number_id": settings.phone_number_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "message_echoes": [said]}
    change = {"field": "smb_message_echoes", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": settings.business_account_id, "changes": [change]}]}


async def test_an_operator_takes_over_writes_and_a_timed_hand_back_follows_by_itself(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await act(town, "c1", "handoff", reason="I know her", **{"for": 1_500})
    await act(town, "c1", "send", text="Hi Ana, *Lena* here.")
    assert (await town.answers(2))[1] == "Hi Ana, *Lena* here."
    await town.phone.say("ana", "Lena!")
    await town.stored(1, direction="in", reason="human")
    await act(town, "c1", "send", text="*I* am **back**.", markdown=True)
    assert (await town.answers(3))[2] == "_I_ am *back*."
    # The operator's words have made it theirs for longer; handed over anew for a moment, it comes back by itself.
    await act(town, "c1", "handoff", **{"for": 1_000})
    assert (await town.answers(4))[3] == TEXTS.render("hand_back")
    await town.phone.say("ana", "are you the bot again?")
    assert (await town.answers(5))[4] == "echo: are you the bot again?"


async def test_a_paused_conversation_waits_and_is_answered_afterwards(town: Town, process: Process) -> None:
    await process.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await act(town, "c1", "handoff", pause=True)
    await town.phone.say("ana", "one more thing")
    await at_rest(town)
    await process.kill()
    await process.start()
    await town.phone.say("kofi", "hi")
    await town.answers(2)
    assert said_to(town.phone, "ana") == ["echo: hello"]
    await act(town, "c1", "resume", quietly=True)
    await town.answers(3)
    assert said_to(town.phone, "ana") == ["echo: hello", "echo: one more thing"]


@pytest.mark.parametrize("words", ["human", "atendente"])
async def test_a_customer_who_waits_long_for_a_person_is_shown_also_after_a_restart(town: Town, words: str) -> None:
    town.config["conversation"]["handoff"] = {"late_after": "1s"}
    await town.start()
    await town.phone.say("ana", words)
    await town.answers(1)
    await at_rest(town)
    await town.stop()
    daemon = await town.start()

    async def ill() -> list[str]:
        return [each.reason for each in await daemon.components.operations.health.look()]

    async def waiting() -> bool:
        return await ill() == ["waiting_for_person"]

    await town.until(waiting)
    daemon.components.operations.health.tell(await daemon.components.operations.health.look())
    assert "conversations:waiting_for_person" in daemon.problems
    await act(town, "c1", "send", text="Here I am.")
    assert await ill() == []
