"""Limits, budgets, opening hours and consent: through real ports, in several languages, across a kill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sara.i18n.catalog import MessageCatalog

from .conftest import Process, Town, exported
from .test_handing_over import act, at_rest, said_to

TEXTS = MessageCatalog()


async def test_above_the_limit_a_customer_is_told_once_and_the_ai_is_not_asked_also_across_a_kill(
    town: Town, process: Process
) -> None:
    people = {
        "ana": (["Bom dia, tudo bem?", "vocês abrem no domingo?", "e na segunda?"], "pt"),
        "mei": (["Buenos días, ¿qué tal?", "¿abren ustedes el domingo?", "¿y el lunes?"], "es"),
    }
    town.config["conversation"]["limits"] = {"person": {"day": 2}}
    await process.start()
    for who, (texts, language) in people.items():
        for text in texts:
            count = len(town.phone.accepted)
            await town.phone.say(who, text)
            await town.answers(count + 1)
        assert said_to(town.phone, who)[2] == TEXTS.render("limit", language)
    await at_rest(town)
    await process.kill()
    await process.start()
    for who, (texts, _) in people.items():
        await town.phone.say(who, texts[0])
    await town.phone.say("kofi", "hi")
    assert (await town.answers(7))[6] == "echo: hi"
    await at_rest(town)
    assert await process.end() == 0
    assert len(town.ai.calls) == 5
    inbound = [each for each in await exported(town) if each.direction == "in"]
    for text in ("Bom dia, tudo bem?", "Buenos días, ¿qué tal?"):
        [contact] = {each.contact for each in inbound if each.text == text}
        assert [each.reason for each in inbound if each.contact == contact] == [None, None, "over_limit", "over_limit"]
    assert [each.reason for each in inbound if each.text == "hi"] == [None]


async def test_a_daily_ceiling_of_calls_holds_across_a_kill_and_is_a_problem(town: Town, process: Process) -> None:
    town.config["budget"] = {"day": {"calls": 2}, "prices": {"sim": {"input": 1, "output": 1}}}
    await process.start()
    await town.phone.say("ana", "one")
    await town.answers(1)
    await at_rest(town)
    await process.kill()
    await process.start()
    await town.phone.say("kofi", "two")
    await town.answers(2)
    await town.phone.say("mei", "three")
    assert (await town.answers(3))[2] == TEXTS.render("busy")
    assert len(town.ai.calls) == 2
    await at_rest(town)
    assert await process.end() == 0
    assert any("ai:budget:limit_reached" in line for line in process.output)


async def test_what_the_ai_costs_is_counted_by_the_price_table(town: Town) -> None:
    town.config["budget"] = {"month": {"money": 1000}, "prices": {"sim": {"input": 2, "output": 10}}}
    town.config["responders"]["assistant"]["model"] = "sim"
    town.ai.model = "sim"
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    assert town.daemon is not None
    spent = await town.daemon.components.operations.usage.current()
    assert spent["day"]["calls"] == 1
    assert 0 < spent["month"]["tokens"] < 500
    assert 2 * spent["month"]["tokens"] < spent["month"]["money"] < 10 * spent["month"]["tokens"]


def closed_until(minutes: int) -> dict[str, Any]:
    """Opening hours that begin so many minutes from now, in a zone where that is not past midnight."""
    now = datetime.now(UTC)
    hours = (6 - now.hour) % 24
    zone = f"Etc/GMT{-hours if hours <= 14 else 24 - hours:+d}" if hours else "UTC"
    local = now + timedelta(hours=hours if hours <= 14 else hours - 24)
    opens = local + timedelta(minutes=minutes)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[opens.weekday()]
    return {"timezone": zone, day: f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"}


async def test_the_assistant_is_told_the_time_in_the_zone_of_the_opening_hours(town: Town) -> None:
    always = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "0:00-24:00")
    rows = ((None, None, "(UTC)"), ("Asia/Tokyo", None, "(Asia/Tokyo)"), ("Asia/Tokyo", "America/Lima", "(America/Lima)"))
    for number, (common, own, told) in enumerate(rows, start=1):
        town.config["conversation"].pop("opening_hours", None)
        town.config["channels"]["whatsapp"].pop("conversation", None)
        if common:
            town.config["conversation"]["opening_hours"] = {"timezone": common, **always}
        if own:
            town.config["channels"]["whatsapp"]["conversation"] = {"opening_hours": {"timezone": own}}
        await town.start()
        await town.phone.say("ana", f"hello {number}")
        await town.answers(number)
        assert told in town.ai.calls[-1].system
        await town.stop()


async def test_outside_opening_hours_a_customer_is_told_once_and_answered_when_it_is_time_also_across_a_kill(
    town: Town, process: Process
) -> None:
    town.config["conversation"]["opening_hours"] = closed_until(90)
    await process.start()
    await town.phone.say("ana", "Bonjour, vous êtes ouverts quand ?")
    [away] = await town.answers(1)
    before, _, after = TEXTS.render("away", "fr", opens="|").partition("|")
    assert away.startswith(before)
    assert away.endswith(after)
    await town.phone.say("ana", "allô ?")
    await at_rest(town)
    await process.kill()
    # Now it is time.
    town.config["conversation"]["opening_hours"] = closed_until(-10)
    await process.start()
    await town.answers(2)
    assert said_to(town.phone, "ana")[1] == "echo: Bonjour, vous êtes ouverts quand ? | allô ?"


async def test_silence_and_its_end_are_confirmed_in_the_customers_language(town: Town, process: Process) -> None:
    rows = {
        town.phone.add_customer(name, phone=f"155502{number:05d}").id: row
        for number, (name, row) in enumerate(
            {"Rui": ("SAIR", "VOLTAR", "pt"), "Eva": ("baja", "alta", "es"), "Léa": ("ARRÊT", "REPRENDRE", "fr")}.items()
        )
    }

    await process.start()
    for who, (words, _, language) in rows.items():
        await town.phone.say(who, words)
        await town.answers(len(town.phone.accepted) + 1)
        assert said_to(town.phone, who) == [TEXTS.render("opted_out", language)]
    await at_rest(town)
    await process.kill()
    await process.start()
    for number, (who, (_, back, language)) in enumerate(rows.items(), start=1):
        before = len(town.phone.accepted)
        await town.phone.say(who, "hello?")
        await town.phone.say("kofi", "hi")
        await town.answers(before + 1)
        await act(town, f"c{number}", "send", text="A word of our own.")
        await town.answers(before + 2)
        await town.phone.say(who, back)
        await town.answers(before + 3)
        assert said_to(town.phone, who)[2] == TEXTS.render("opted_in", language)
        await town.phone.say(who, "and now?")
        await town.answers(before + 4)
        assert said_to(town.phone, who)[3] == "echo: and now?"


async def test_silence_noted_by_an_operator_is_recorded_with_who_and_how(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await act(town, "c1", "opt-out", how="by telephone")
    assert (await town.answers(2))[1] == TEXTS.render("opted_out")
    await town.phone.say("ana", "hello?")
    await town.stored(1, direction="in", reason="opted_out")
    await act(town, "c1", "opt-in")
    await town.answers(3)
    await town.phone.say("ana", "and now?")
    assert (await town.answers(4))[3] == "echo: and now?"


async def test_the_businesss_own_words_and_texts_count(town: Town) -> None:
    town.config["words"] = {"opt_out": ["sai do meu pé"]}
    town.config["texts"] = {
        "pt": {"opted_out": "Tá bom. VOLTAR traz de volta."},
        "en": {"opted_out": "OK. START brings you back."},
    }
    await town.start()
    await town.phone.say("ana", "Bom dia, vocês abrem no domingo?")
    await town.answers(1)
    await town.phone.say("ana", "Sai do meu pé!")
    assert (await town.answers(2))[1] == "Tá bom. VOLTAR traz de volta."
    await town.phone.say("kofi", "stop")
    assert (await town.answers(3))[2] == "OK. START brings you back."


async def test_a_message_that_comes_while_the_ai_thinks_is_thought_about_too(town: Town) -> None:
    town.config["conversation"] |= {"on_new_message": "restart"}
    town.ai.delay_ms = 1_500
    await town.start()
    await town.phone.say("ana", "a cake")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    await town.phone.say("ana", "no, two")
    assert await town.answers(1) == ["echo: a cake | no, two"]
    await at_rest(town)
    assert len(town.phone.accepted) == 1
