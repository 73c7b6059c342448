"""The scenarios of the system that SARA replaces, by name, through real ports."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64decode
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp

from sara.runtime.clock import wall_clock
from tests.patience import patience

from .conftest import Town

BODIES = Path(__file__).parent.parent / "data" / "webhooks"


async def post(town: Town, body: bytes, signature: str | None = "right", path: str = "/webhook/messages", **headers: str) -> int:
    """Post a body to the public listener; the status it answers."""
    assert town.daemon is not None
    if signature == "right":
        secret = town.phone.settings.app_secret.encode()
        signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    async with (
        aiohttp.ClientSession() as session,
        session.post(town.daemon.public_url + path, data=body, headers={"Content-Type": "application/json", **headers}) as answer,
    ):
        return answer.status


def problems(town: Town) -> list[str]:
    assert town.daemon is not None
    return [problem.key for problem in town.daemon.problems]


async def test_opted_out_person_gets_a_confirmation_and_then_nothing(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "STOP")
    [confirmation] = await town.answers(1)
    assert "START" in confirmation
    await town.phone.say("ana", "hello?")
    await town.stored(2, direction="in")
    await town.phone.say("kofi", "hi")
    assert (await town.answers(2))[1] == "echo: hi"
    assert [call.asked for call in town.ai.calls] == [("hi",)]
    assert [message.reason for message in await town.messages(direction="in", state="skipped")] == ["opt_out", "opted_out"]


async def test_start_brings_the_answers_back(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "stop!")
    await town.answers(1)
    await town.phone.say("ana", "Start")
    await town.answers(2)
    await town.phone.say("ana", "are you there?")
    assert (await town.answers(3))[2] == "echo: are you there?"


async def test_stop_while_the_ai_is_thinking_gets_the_confirmation_and_nothing_else(town: Town) -> None:
    town.ai.delay_ms = 1_500
    await town.start()
    await town.phone.say("ana", "a long question")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    await town.phone.say("ana", "STOP")
    await town.answers(1)
    await town.ai.wait_for(lambda calls: calls[0].status == 200)
    await town.phone.say("kofi", "hi")
    await town.answers(2)
    assert [send.customer for send in town.phone.accepted] == ["ana", "kofi"]


async def test_unknown_conversation_is_begun_by_its_first_message(town: Town) -> None:
    await town.start()
    stranger = town.phone.add_customer("Zoe Stranger", phone="15557770000")
    await town.phone.say(stranger, "hello")
    await town.answers(1)
    assert town.daemon is not None
    [listed] = await town.daemon.store.conversations(10)
    assert (listed.name, listed.messages) == ("Zoe Stranger", 2)


async def test_missing_abandonment_data_does_no_harm(town: Town) -> None:
    """A message from somebody of whom nothing else is known: no profile, no name, no order, no earlier contact."""
    await town.start()
    body = json.loads((BODIES / "01_text_basic.json").read_text(encoding="utf-8"))
    value = body["entry"][0]["changes"][0]["value"]
    del value["contacts"]
    value["messages"][0]["timestamp"] = str(int(time.time()))
    assert await post(town, json.dumps(body).encode()) == 200
    assert (await town.answers(1))[0].startswith("echo: ")


async def test_ai_time_out_is_tried_again_and_the_late_answer_is_dropped(town: Town) -> None:
    # Long enough that on a busy machine only the slow call runs out of time.
    town.config["responders"]["assistant"]["timeout"] = "2s"
    town.ai.fault("slow", delay_ms=4_000)
    await town.start()
    await town.phone.say("ana", "are you slow?")
    assert await town.answers(1) == ["echo: are you slow?"]
    assert len(town.ai.calls) == 2
    [asked] = await town.messages(direction="in")
    assert town.daemon is not None
    events = [event.what for event in await town.daemon.store.timeline(asked.id)]
    assert events == ["received", "asked", "asking_failed", "asked", "answered"]


async def test_an_ai_that_is_away_is_outlasted(town: Town) -> None:
    town.config["retry"]["reply"] = {"attempts": 2, "initial_delay": "20ms", "max_delay": "50ms", "max_duration": "1m"}
    town.ai.fault("status", status=503, times=6)
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    assert len(town.ai.calls) == 7


async def test_everybody_is_answered_by_themselves_when_the_ai_takes_its_key_again_or_is_back(town: Town) -> None:
    """Each row: what the AI's server says, how often, and which problem is shown meanwhile. Nothing may be outlasted here."""
    town.config["retry"]["reply"] = {"attempts": 1, "initial_delay": "50ms", "max_delay": "100ms", "max_duration": "1h"}
    await town.start()
    names = ("ana", "kofi", "mei")
    rows: list[tuple[dict[str, Any], str]] = [
        ({"kind": "unauthorized"}, "lane:reply:assistant:blocked"),
        ({"kind": "quota"}, "lane:reply:assistant:blocked"),
        ({"kind": "status", "status": 503}, "lane:reply:assistant:circuit_open"),
    ]
    answered = 0
    for fault, problem in rows:

        async def shown(problem: str = problem) -> bool:
            return problem in problems(town)

        async def over(problem: str = problem) -> bool:
            return problem not in problems(town)

        town.ai.fault(**fault, times=None)
        for name in names:
            await town.phone.say(name, f"{fault} {name}")
        await town.until(shown)
        tried = len(town.ai.calls)
        town.ai.clear_faults()
        answered += len(names)
        said = await town.answers(answered)
        assert sorted(said[-3:]) == sorted(f"echo: {fault} {name}" for name in names)
        assert len(town.ai.calls) <= tried + 2 * len(names), "few calls find out that it is back"
        await town.until(over)


async def test_a_message_that_cannot_be_answered_is_dead_visible_and_answered_when_retried(town: Town) -> None:
    town.ai.refuse("deepseek", "filters", banned="hello")
    await town.start()
    await town.phone.say("ana", "hello")
    [dead] = await town.stored(1, direction="in", state="dead")
    await town.answers(1)
    town.ai.clear_refusals()
    assert "replies:failed" in problems(town)
    assert town.daemon is not None
    # In an hour: due at once, whatever comes next would have it answered by itself, and a receipt of the apology may come any time.
    later = wall_clock() + 3_600_000
    work = await town.daemon.store.retry_failed(dead.conversation, "reply", later)
    assert work.reply_due == later
    await town.phone.say("ana", "anybody there?")
    assert (await town.answers(2))[1] == "echo: hello | anybody there?"


async def test_what_the_ais_provider_does_not_let_pass_is_told_once_and_poisons_nothing(town: Town) -> None:
    town.ai.refuse("azure", "filters", banned="forbidden")
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.phone.say("ana", "something forbidden")
    assert (await town.answers(2))[1].startswith("Sorry, I did not understand that")
    [dead] = await town.messages(direction="in", state="dead")
    assert town.daemon is not None
    [told] = [event.detail for event in await town.daemon.store.timeline(dead.id) if event.what == "dead"]
    assert "content management policy" in told
    assert "forbidden" not in told
    await town.phone.say("ana", "are you open?")
    assert (await town.answers(3))[2] == "echo: are you open?"
    assert not any("forbidden" in str(call.body) for call in town.ai.calls[-1:])


async def test_send_failure_is_tried_again(town: Town) -> None:
    town.phone.faults.error_code.on(131016, times=2)
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    [said] = await town.stored(1, direction="out", state="read")
    assert town.daemon is not None
    attempts = await town.daemon.store.attempts(said.id)
    assert [attempt.state for attempt in attempts] == ["not_sent", "not_sent", "accepted"]
    waits = [later.started_at - earlier.started_at for earlier, later in pairwise(attempts)]
    assert waits[0] >= 50
    assert waits[1] >= 100


async def test_a_refused_message_fails_visibly_and_the_conversation_goes_on(town: Town) -> None:
    town.phone.faults.error_code.on(131026, times=1)
    await town.start()
    await town.phone.say("ana", "one")
    [failed] = await town.stored(1, direction="out", state="failed")
    assert failed.error is not None
    assert "131026" in failed.error
    await town.phone.say("ana", "two")
    # The AI is shown that its first answer never arrived: both messages stand unanswered before it.
    assert await town.answers(1) == ["echo: one | two"]


async def test_a_refused_token_holds_the_channel_and_it_resumes_by_itself(town: Town) -> None:
    town.phone.faults.token_expired.on()
    await town.start()
    await town.phone.say("ana", "hello")

    async def held() -> bool:
        return "lane:deliver:whatsapp:blocked" in problems(town)

    await town.until(held)
    town.phone.faults.token_expired.off()
    assert await town.answers(1) == ["echo: hello"]

    async def healed() -> bool:
        return "lane:deliver:whatsapp:blocked" not in problems(town)

    await town.until(healed)
    [said] = await town.stored(1, direction="out", state="read")
    assert town.daemon is not None
    assert [attempt.state for attempt in await town.daemon.store.attempts(said.id)] == ["not_sent", "accepted"]


async def test_a_reset_after_the_provider_accepted_is_settled_by_the_receipt(town: Town) -> None:
    town.phone.faults.reset_after_accept.on(times=1)
    await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="out", state="read")
    assert len(town.phone.accepted) == 1


async def test_retry_queue_bookkeeping(town: Town) -> None:
    town.phone.faults.error_code.on(131016, times=1)
    await town.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.stored(1, direction="out", state="read")
    assert town.daemon is not None

    async def idle() -> bool:
        stats = await town.daemon.queue.stats()  # type: ignore[union-attr]  # it runs
        return stats["pending"] == 0 and stats["running"] == 0

    await town.until(idle)
    stats = await town.daemon.queue.stats()
    assert stats["started"] == stats["done"] + stats["again"] + stats["failed"]
    assert stats["again"] >= 1
    assert stats["failed"] == 0
    counts = await town.daemon.store.counts()
    assert (counts["in.answered"], counts["out.read"]) == (1, 1)


async def test_status_updates_never_go_back(town: Town) -> None:
    town.phone.faults.reverse_statuses.on()
    await town.start()
    await town.phone.say("ana", "hello")
    [said] = await town.stored(1, direction="out", state="read")
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(10))
    assert [message.state for message in await town.messages(direction="out")] == ["read"]
    assert town.daemon is not None
    told = [event.what for event in await town.daemon.store.timeline(said.id) if event.actor == "provider"]
    assert told == ["read"]


async def test_redelivered_webhook_is_answered_once(town: Town) -> None:
    town.phone.faults.redeliver.on(3)
    await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="out", state="read")
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(10))
    assert len(await town.messages(direction="in")) == 1
    assert len(town.phone.accepted) == 1


async def test_bad_signature_is_refused_and_nothing_is_stored(town: Town) -> None:
    await town.start()
    body = (BODIES / "01_text_basic.json").read_bytes()
    wrong = "sha256=" + hmac.new(b"another secret", body, hashlib.sha256).hexdigest()
    assert await post(town, body, wrong) == 401
    assert await post(town, body, None) == 401
    assert await post(town, b"{not json", wrong) == 401
    assert await town.messages() == []
    assert town.daemon is not None
    assert (await town.daemon.store.counts())["unparsed_payloads"] == 0


async def test_batch_with_several_people_answers_each_of_them(town: Town) -> None:
    await town.start()
    wrote = [("ana", "one"), ("nox", "from nobody"), ("kofi", "two"), ("ana", "three"), ("mei", "four")]
    await town.phone.post_messages(wrote)
    answers = await town.answers(4)
    assert sorted(answers) == ["echo: four", "echo: from nobody", "echo: one | three", "echo: two"]
    assert {send.customer for send in town.phone.accepted} == {"ana", "nox", "kofi", "mei"}
    [to_nox] = [send for send in town.phone.accepted if send.customer == "nox"]
    assert (to_nox.to, to_nox.recipient) == (None, "DE.40000000000000000444")


async def test_a_paths_and_bodies_that_are_not_ours(town: Town) -> None:
    await town.start()
    assert await post(town, b"{}", path="/") == 404
    assert await post(town, b"{}", path="/webhook/messages/more") == 404
    assert await post(town, b"{}", path="/healthz") == 404
    assert await post(town, b" " * (4 * 1024 * 1024 + 1)) == 413
    assert await post(town, b"{}", **{"Content-Encoding": "gzip"}) == 415


async def test_garbage_with_a_right_signature_is_kept_aside_and_shown(town: Town) -> None:
    await town.start()
    assert await post(town, b"\xff{not json") == 200
    assert await post(town, b"\xff{not json") == 200
    assert town.daemon is not None
    assert (await town.daemon.store.counts())["unparsed_payloads"] == 1
    assert "channel:whatsapp:webhook_unparsed" in problems(town)
    await town.stop()
    daemon = await town.start()  # what happened is still there to be seen

    async def told() -> bool:
        return "channel:whatsapp:webhook_unparsed" in problems(town)

    await town.until(told)
    [problem] = [each for each in daemon.problems if each.key == "channel:whatsapp:webhook_unparsed"]
    assert "not UTF-8" in problem.message
    assert "sara export --unparsed" in problem.remedy
    token = (town.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{daemon.admin_url}/api/v1/unparsed") as answer:
        [kept] = (await answer.json())["unparsed"]
    assert (kept["encoding"], b64decode(kept["body"])) == ("base64", b"\xff{not json")


async def test_every_sample_body_is_stored_once_also_when_all_come_again(town: Town) -> None:
    town.config["conversation"] = {"debounce": "50ms", "debounce_max": "500ms", "max_age": "4000d"}
    town.config["channels"]["whatsapp"]["phone_number_id"] = "109000000000555"
    await town.start()
    bodies = sorted(BODIES.glob("*.json"))
    assert len(bodies) == 64
    for body in [*bodies, *reversed(bodies)]:
        assert await post(town, body.read_bytes()) == 200
    stored: list[Any] = await town.messages(direction="in")
    ids = Counter(message.external_id for message in stored if message.external_id)
    assert max(ids.values()) == 1
    assert ids.keys() == expected_ids(bodies)


def expected_ids(bodies: list[Path]) -> set[str]:
    """The ids of all messages to our number in the sample bodies."""
    found = set()
    for body in bodies:
        for entry in json.loads(body.read_text(encoding="utf-8"))["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                ours = value.get("metadata", {}).get("phone_number_id") == "109000000000555"
                if change["field"] == "messages" and ours:
                    found |= {message["id"] for message in value.get("messages", [])}
    return found
