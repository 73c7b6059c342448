"""What WhatsApp takes and then does not deliver, and what it refuses for a reason that is no fault of the message."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import pytest
from sara_simulators.whatsapp.fixtures import picture

from tests.patience import patience

from .conftest import Town

TEMPLATE = {"name": "answer_waiting", "language": "en"}
PICTURES = '''
from sara import OutgoingContent, Options, Reply, Responder, hookimpl


class Nothing(Options):
    """No options."""


class Pictures(Responder):
    """Answers with a picture."""

    Options = Nothing

    def __init__(self, options, context):
        pass

    async def answer(self, turn, tools=None):
        return Reply((OutgoingContent("Soup: 5 EUR", "image", {"path": "menu", "mime": "image/png"}),))


@hookimpl
def register_responders():
    return [Pictures]
'''


def problems(town: Town) -> dict[str, Any]:
    assert town.daemon is not None
    return {problem.key: problem for problem in town.daemon.problems}


async def listed(town: Town, key: str) -> Any:
    """Wait for a problem."""

    async def there() -> Any:
        return problems(town).get(key)

    return await town.until(there)


async def solved(town: Town, key: str) -> None:
    """Wait until a problem is gone."""

    async def gone() -> bool:
        return key not in problems(town)

    await town.until(gone)


# ── the channel is no good ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [131042, 190])
async def test_a_status_that_a_person_must_mend_holds_the_channel_and_keeps_what_was_said(town: Town, code: int) -> None:
    town.phone.faults.failed_status.on(code)
    await town.start()
    await town.phone.say("ana", "hello")
    problem = await listed(town, "lane:deliver:whatsapp:blocked")
    assert str(code) in problem.message
    assert problem.remedy
    [kept] = await town.stored(1, direction="out", state="queued")
    sends = len(town.phone.accepted)
    await town.phone.say("kofi", "hi")
    await town.stored(2, direction="in")
    assert len(town.phone.accepted) == sends, "nobody else's message is burnt meanwhile"
    town.phone.faults.failed_status.off()
    read = await town.stored(2, direction="out", state="read")
    assert {each.text for each in read} == {"echo: hello", "echo: hi"}
    await solved(town, "lane:deliver:whatsapp:blocked")
    assert town.daemon is not None
    assert [each.what for each in await town.daemon.store.timeline(kept.id)].count("requeued") >= 1


async def test_each_failed_probe_waits_longer_and_ends_nothing(town: Town) -> None:
    town.phone.faults.failed_status.on(131042, times=3)
    await town.start()
    await town.phone.say("ana", "hello")
    [said] = await town.stored(1, direction="out", state="read")
    assert town.daemon is not None
    attempts = await town.daemon.store.attempts(said.id)
    waits = [later.started_at - earlier.started_at for earlier, later in pairwise(attempts)]
    assert len(attempts) == 4
    assert waits[0] >= 2_000
    assert waits[1] >= 4_000
    await solved(town, "lane:deliver:whatsapp:blocked")


@pytest.mark.parametrize("code", [131026, 130497, 131009])
async def test_a_message_that_was_taken_and_not_delivered_is_shown(town: Town, code: int) -> None:
    town.phone.faults.failed_status.on(code, times=1)
    await town.start()
    await town.phone.say("ana", "hello")
    problem = await listed(town, "channel:whatsapp:message_undelivered")
    assert problem.severity == "warning"
    assert str(code) in problem.message
    assert problem.remedy
    await town.stored(1, direction="out", state="failed")


# ── limits that a person should know of ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["error_code", "failed_status"])
async def test_a_spam_limit_rests_the_channel_and_says_so(town: Town, how: str) -> None:
    getattr(town.phone.faults, how).on(131048, times=1)
    await town.start()
    await town.phone.say("ana", "hello")
    problem = await listed(town, "lane:deliver:whatsapp:throttled")
    assert "131048" in problem.message
    assert "Account Quality" in problem.remedy
    assert town.daemon is not None
    assert town.daemon.queue.held("deliver:whatsapp")
    await town.stored(1, direction="out", state="queued")


# ── the window ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("template", [TEMPLATE, None], ids=["template", "no template"])
async def test_a_window_that_is_closed_after_all_parks_the_answer_until_the_customer_writes(
    town: Town, template: dict[str, Any] | None
) -> None:
    if template:
        town.config["channels"]["whatsapp"]["template"] = template
    town.phone.faults.window_closed.on(times=1)
    await town.start()
    await town.phone.say("ana", "are you open?")
    [parked] = await town.stored(1, state="parked")
    assert parked.reason == "window_closed"
    assert "channel:whatsapp:reply_window_closed" in problems(town)
    if template:
        await town.phone.wait_for(lambda phone: [send.kind for send in phone.accepted] == ["template"], timeout=patience(20))
    assert town.daemon is not None
    assert [each.state for each in await town.daemon.store.attempts(parked.id)] == ["not_sent"]
    asked = len(town.phone.accepted)
    # The customer's times are whole seconds: only a later one opens the window again.

    async def a_second_later() -> bool:
        return town.phone.settings.clock() // 1_000 > parked.at // 1_000

    await town.until(a_second_later)
    await town.phone.say("ana", "hello again")
    await town.phone.wait_for(lambda phone: len(phone.accepted) == asked + 2, timeout=patience(20))
    assert [send.text for send in town.phone.accepted[asked:]] == ["echo: are you open?", "echo: hello again"]


# ── the form is no good ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("how", "kinds"),
    [("upload", ["text"]), ("send", ["document", "text"]), ("send twice", ["text"]), ("status", ["image", "text"])],
)
async def test_the_words_of_a_file_that_is_refused_are_said(town: Town, how: str, kinds: list[str]) -> None:
    (town.folder / "plugins").mkdir()
    (town.folder / "plugins" / "sara_pictures.py").write_text(PICTURES)
    town.config["responders"] = {"assistant": {"plugin": "pictures"}}
    media = town.folder / "state" / "media"
    media.mkdir(parents=True)
    (media / "menu").write_bytes(picture())
    faults = town.phone.faults
    match how:
        case "upload":
            faults.upload_refused.on(131053)
        case "status":
            faults.failed_status.on(131053, times=1)
        case _:
            faults.error_code.on(131053, times=2 if how == "send twice" else 1)
    try:
        await town.start()
        await town.phone.say("ana", "what is there?")
        [said] = await town.stored(1, direction="out", state="read")
    finally:
        sys.modules.pop("sara_pictures", None)
    assert [send.kind for send in town.phone.accepted] == kinds
    assert said.text == "Soup: 5 EUR"
    last = town.phone.accepted[-1]
    assert "Soup: 5 EUR" in str(last.body)


# ── perhaps its own fault ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_that_meta_cannot_handle_again_and_again_ends_and_holds_up_nobody(town: Town) -> None:
    town.config["retry"]["send"] = {"initial_delay": "20ms", "max_delay": "50ms", "max_duration": "1h", "attempts": 3}
    town.phone.faults.error_code.on(1, times=3)
    await town.start()
    await town.phone.say("ana", "hello")
    [failed] = await town.stored(1, direction="out", state="failed")
    assert town.daemon is not None
    assert len(await town.daemon.store.attempts(failed.id)) == 3
    assert "lane:deliver:whatsapp:circuit_open" not in problems(town)
    await town.phone.say("kofi", "hi")
    assert await town.answers(1) == ["echo: hi"]
