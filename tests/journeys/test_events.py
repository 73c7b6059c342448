"""Events about messages and about the account, through real ports: none of them is taken for a message."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import aiohttp

from sara.i18n.catalog import MessageCatalog
from sara.pipeline.inbound import MOST_NEWS
from tests.effort import chosen
from tests.patience import slowness

from .conftest import DEADLINE, Process, Town
from .test_files_on_their_way import files_of

CARD = "4111 1111 1111 1111"
DAY = 86_400


def body(town: Town, field: str, time: int | None = None, **value: Any) -> dict[str, Any]:
    """A webhook with one change."""
    settings = town.phone.settings
    metadata = {"display_phone_number": settings.display_number, "phone_number_id": settings.phone_number_id}
    change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    entry: dict[str, Any] = {"id": settings.business_account_id, "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry | ({} if time is None else {"time": time})]}


def event(town: Town, number: int, ago: int = 0, **content: Any) -> dict[str, Any]:
    """What Ana writes, or is written, so many seconds ago."""
    settings, ana = town.phone.settings, town.phone.customers["ana"]
    stamp = str(settings.clock() // 1_000 - ago)
    return {"from_user_id": ana.user_id, "to_user_id": ana.user_id, "id": f"wamid.event{number}", "timestamp": stamp, **content}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": words}}


def edited(number: int, words: str) -> dict[str, Any]:
    return {"type": "edit", "edit": {"original_message_id": f"wamid.event{number}", "message": text(words)}}


def deleted(number: int) -> dict[str, Any]:
    return {"type": "revoke", "revoke": {"original_message_id": f"wamid.event{number}"}}


async def post(town: Town, *messages: dict[str, Any]) -> None:
    delivery = await town.phone.post(body(town, "messages", messages=list(messages)))
    assert delivery.accepted


async def post_echo(town: Town, echo: dict[str, Any]) -> None:
    delivery = await town.phone.post(body(town, "smb_message_echoes", message_echoes=[echo]))
    assert delivery.accepted


async def test_a_correction_in_the_quiet_window_is_seen_before_the_ai_is_asked(town: Town) -> None:
    await town.start()
    await post(town, event(town, 1, 3, **text("Two pizzas please")), event(town, 2, 2, **edited(1, "Three pizzas please")))
    assert await town.answers(1) == ["echo: Three pizzas please"]
    # The edit may come before what it changes.
    await post(town, event(town, 4, 2, **edited(3, "and five beers")), event(town, 3, 3, **text("and two beers")))
    assert (await town.answers(2))[1] == "echo: and five beers"
    await post(town, event(town, 5, 3, **text(CARD)), event(town, 6, 2, **text("hello?")), event(town, 7, 1, **deleted(5)))
    assert (await town.answers(3))[2] == "echo: hello?"
    await post(town, event(town, 8, 2, **text(CARD)), event(town, 9, 1, **deleted(8)))
    await post(town, event(town, 10, 0, **text("never mind")))
    assert (await town.answers(4))[3] == "echo: never mind"
    asked = str([call.messages for call in town.ai.calls])
    for gone in (CARD, "Two pizzas", "two beers"):
        assert gone not in asked


async def test_what_a_customer_deleted_after_the_answer_is_in_no_later_prompt_and_not_kept(town: Town) -> None:
    town.ai.mode = lambda call: "Thank you."
    await town.start()
    await post(town, event(town, 1, 3, **text(CARD)))
    await town.answers(1)
    assert CARD in str(town.ai.calls[0].messages)
    await post(town, event(town, 2, 2, **deleted(1)))
    await post(town, event(town, 3, 1, **text("what did I send you?")))
    await town.answers(2)
    assert CARD not in str(town.ai.calls[1].messages)
    # That it was deleted is told where no customer can write.
    assert ["deleted" in facts for facts in town.ai.calls[1].context] == [True]
    await post(town, event(town, 4, 0, **text("[deleted message]")))
    await town.answers(3)
    assert (len(town.ai.calls[2].context), town.ai.calls[2].asked) == (1, ("[deleted message]",))
    assert CARD not in str(await town.messages())


async def test_what_is_deleted_or_edited_while_its_file_is_awaited_is_not_asked_about(town: Town) -> None:
    town.config["responders"]["assistant"]["images"] = True
    await town.start()
    silent = town.phone.faults.media_silent

    async def awaited(number: int, caption: str) -> str:
        silent.on()
        await town.phone.say_picture("ana", caption=caption)
        await town.phone.wait_for(lambda phone: phone.faults.media_silent.hits == number, timeout=DEADLINE)
        return str((await town.messages(kind="image"))[-1].external_id)

    gone = await awaited(1, CARD)
    await post(town, event(town, 1, 0, type="revoke", revoke={"original_message_id": gone}))
    silent.off()
    await town.phone.say("ana", "hello?")
    assert await town.answers(1) == ["echo: hello?"]
    changed = await awaited(2, "Two of these")
    image = {"id": "1", "mime_type": "image/png", "caption": "Three of these"}
    edit = {"original_message_id": changed, "message": {"type": "image", "image": image}}
    await post(town, event(town, 2, 0, type="edit", edit=edit))
    silent.off()
    assert (await town.answers(2))[1] == "echo: Three of these"
    asked = str([call.messages for call in town.ai.calls])
    assert len(town.ai.calls) == 2
    for never in (CARD, "Two of these"):
        assert never not in asked
    assert "data:image/png" in str(town.ai.calls[-1].body)

    async def removed() -> bool:
        return [each["error"] for each in await files_of(town)] == ["withdrawn", None]

    await town.until(removed)


async def test_an_answer_to_words_that_were_edited_meanwhile_is_not_sent(town: Town) -> None:
    town.ai.delay_ms = int(2_000 * slowness())
    await town.start()
    await post(town, event(town, 1, 3, **text("Two pizzas please")))
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    await post(town, event(town, 2, 2, **edited(1, "Three pizzas please")))
    town.ai.delay_ms = 0
    assert await town.answers(1) == ["echo: Three pizzas please"]
    assert len(town.ai.calls) == 2


async def test_no_event_in_the_phone_app_keeps_the_ai_from_answering(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    events: list[dict[str, Any]] = [
        deleted(99),
        edited(99, "x"),
        {"type": "reaction", "reaction": {"message_id": "wamid.99", "emoji": "👍"}},
        {"type": "hologram", "hologram": {}},
        {"type": "unsupported", "unsupported": {"type": "reaction"}, "errors": [{"code": 131051}]},
    ]
    for number, each in enumerate(events):
        await post_echo(town, event(town, number, **each))
    # Somebody answered three days ago, and Meta tells it now.
    await post_echo(town, event(town, 90, 3 * DAY, **text("I will call you")))
    await town.phone.say("ana", "still there?")
    assert (await town.answers(2))[1] == "echo: still there?"
    assert town.daemon is not None
    assert [each.mode for each in await town.daemon.store.conversations(10)] == ["bot"]
    # But what is said now is a person's answer.
    await post_echo(town, event(town, 91, 0, **text("Here I am")))
    assert [each.mode for each in await town.daemon.store.conversations(10)] == ["human"]


async def test_who_sends_what_cannot_be_read_is_told_so_once(town: Town) -> None:
    await town.start()
    poll = {"type": "unsupported", "unsupported": {"type": "poll_creation"}, "errors": [{"code": 131051}]}
    once = {"type": "unsupported", "errors": [{"code": 131051}]}
    await post(town, event(town, 1, 2, **text("Bom dia, vocês abrem no domingo?")))
    await town.answers(1)
    await post(town, event(town, 2, 1, **poll), event(town, 3, 1, **once))
    assert (await town.answers(2))[1] == MessageCatalog().render("unreadable", "pt")
    await post(town, event(town, 4, 0, **poll), event(town, 5, 0, **text("oi?")))
    assert (await town.answers(3))[2] == "echo: oi?"
    assert [facts["kind"] for facts in town.ai.calls[-1].context if facts.get("kind") == "unsupported"], "the AI knows of it"
    assert [each.reason for each in await town.messages(direction="in", kind="unsupported")] == ["unreadable"] * 3


async def test_what_is_wrong_with_the_account_stands_until_it_is_over_also_across_a_restart(town: Town) -> None:
    stamp = town.phone.settings.clock() // 1_000
    number = {"display_phone_number": town.phone.settings.display_number}

    async def quality(word: str, ago: int) -> None:
        news = body(town, "phone_number_quality_update", stamp - ago, event=word, **number)
        assert (await town.phone.post(news)).accepted

    async def problems(expected: list[str]) -> None:
        async def shown() -> bool:
            assert town.daemon is not None
            found = [each.key for each in town.daemon.problems if each.key.startswith("account:")]
            return [key.rpartition(":")[0].rpartition(".")[2] for key in found] == expected

        await town.until(shown)

    await town.start()
    await quality("FLAGGED", 600)
    await problems(["FLAGGED"])
    await town.stop()
    await town.start()
    await problems(["FLAGGED"])
    await quality("UNFLAGGED", 300)
    await problems([])
    await quality("FLAGGED", 600)  # delivered again
    await quality("FLAGGED", 400)  # delivered late
    await town.stop()
    await town.start()
    await quality("DOWNGRADE", 200)
    await problems(["DOWNGRADE"])
    await quality("FLAGGED", 100)
    await problems(["DOWNGRADE", "FLAGGED"])


async def problems_of(town: Town) -> str:
    """What the admin API of a running process lists, as it is sent."""
    state = town.folder / "state"
    url = json.loads((state / "listening.json").read_text())["admin"]
    headers = {"Authorization": f"Bearer {(state / 'admin-token').read_text().strip()}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{url}/api/v1/problems") as answer:
        return await answer.text()


WORDS = "Ana wrote 4111 1111 1111 1111 from +15550001111"
"""What Meta may repeat of a message in its news."""


async def test_news_of_the_account_is_told_in_codes_and_metas_words_stay_in_the_store(town: Town, process: Process) -> None:
    """Each row: a field, its value, and what must be told of it."""
    number = town.phone.settings.display_number
    template = {"message_template_id": 7, "message_template_name": "reminder", "message_template_language": "en"}
    alert = {"alert_severity": "CRITICAL", "alert_type": "OBA", "alert_description": WORDS}
    rows: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("account_update", {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": WORDS}}, ("ACCOUNT_VIOLATION",)),
        ("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE", "x": [WORDS]}}, ("DISABLE",)),
        ("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"why": {"a": [[WORDS], WORDS]}}]}, ("RESTRICTION",)),
        ("account_alerts", {"entity_type": "WABA", "entity_id": "1", "alert_info": alert}, ("CRITICAL", "OBA")),
        ("account_review_update", {"decision": "REJECTED", "reason": WORDS}, ("REJECTED",)),
        ("message_template_status_update", {"event": "PAUSED", "reason": WORDS, **template}, ("PAUSED", "7 en")),
        ("message_template_status_update", {"event": "DISABLED", "reason": "SCAM", "other_info": {"d": WORDS}, **template}, ("SCAM",)),
        ("phone_number_quality_update", {"event": "FLAGGED", "display_phone_number": number, "note": WORDS}, ("FLAGGED", number)),
        ("messages", {"errors": [{"code": 131_031, "title": WORDS, "error_data": {"details": WORDS}}]}, ("131031",)),
        ("messages", {"errors": [{"code": 987_654, "message": WORDS}]}, ("987654",)),
    ]  # fmt: skip
    stamp = town.phone.settings.clock() // 1_000 - 600
    await process.start()
    for second, (field, value, _) in enumerate(rows):
        assert (await town.phone.post(body(town, field, stamp + second, **value))).accepted
    told = await process.logged('"problem": "whatsapp: ', len(rows))
    for field, _, codes in rows:
        assert any(all(code in line for code in codes) for line in told), (field, codes, told)
    listed = await problems_of(town)
    assert await process.end() == 0
    for secret in ("4111 1111", "15550001111", "Ana wrote"):
        assert secret not in listed
        assert secret not in "".join(process.output)
    with closing(sqlite3.connect(town.folder / "state" / "sara.db")) as db:
        kept = [row[0] for row in db.execute("SELECT detail FROM events WHERE what = 'account'")]
    assert len([each for each in kept if WORDS in each]) == len(rows)


async def test_a_flood_of_news_does_not_hold_up_the_daemon(town: Town, process: Process) -> None:
    """Each row: the field, its value, and how much of it is understood."""
    stamp, news = town.phone.settings.clock() // 1_000 - 600, chosen(short=4_000, full=15_000)
    whose = {"id": town.phone.settings.business_account_id, "time": stamp}
    alerts = [{"alert_info": {"alert_severity": "CRITICAL", "alert_type": f"T{number}"}} for number in range(news)]
    rows: list[dict[str, Any]] = [
        body(town, "messages", stamp, errors=[{"code": number} for number in range(6 * news)]),
        body(town, "messages", stamp + 1, errors=[{}] * (6 * news)),
        {"entry": [{**whose, "changes": [{"field": "account_alerts", "value": alert} for alert in alerts]}]},
        {"entry": [{**whose, "changes": [{"field": "account_alerts", "value": alert}]} for alert in alerts]},
    ]
    await process.start()
    for row in rows:
        assert (await town.phone.post(row)).accepted
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    found = json.loads(await problems_of(town))["problems"]
    assert 0 < len([each for each in found if each["key"].startswith("account:")]) <= MOST_NEWS
    assert await process.end() == 0
    with closing(sqlite3.connect(town.folder / "state" / "sara.db")) as db:
        assert db.execute("SELECT count(*) FROM unparsed_payloads").fetchone() == (len(rows),)
