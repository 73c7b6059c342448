"""The main job: a message comes in, the AI is asked, the answer goes out, its delivery comes back."""

from __future__ import annotations

from sara.domain.messages import StoredMessage

from .conftest import Town


async def test_complete_flow(town: Town) -> None:
    await town.start()
    wamid = await town.phone.say("ana", "Hi, are you open on Sunday?")
    assert await town.answers(1) == ["echo: Hi, are you open on Sunday?"]
    [asked] = await town.stored(1, direction="in")
    [said] = await town.stored(1, direction="out", state="read")
    assert (asked.external_id, asked.state, asked.kind, asked.text) == (wamid, "answered", "text", "Hi, are you open on Sunday?")
    assert (said.text, said.purpose, said.conversation) == ("echo: Hi, are you open on Sunday?", "reply", asked.conversation)
    assert said.external_id == town.phone.accepted[0].wamid


async def test_the_ai_is_called_once_with_the_history_of_the_conversation(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "one")
    await town.answers(1)
    await town.stored(1, direction="out", state="read")
    await town.phone.say("ana", "two")
    await town.answers(2)
    assert len(town.ai.calls) == 2
    sent = [(message["role"], message["content"]) for message in town.ai.calls[1].messages if message["role"] != "system"]
    assert sent == [("user", "one"), ("assistant", "echo: one"), ("user", "two")]


async def test_a_burst_gets_one_answer_that_has_read_all_of_it(town: Town) -> None:
    town.config["conversation"] = {"debounce": "300ms", "debounce_max": "3s"}
    await town.start()
    for text in ("one", "two", "three"):
        await town.phone.say("ana", text)
    assert await town.answers(1) == ["echo: one | two | three"]
    answered: list[StoredMessage] = await town.stored(3, direction="in", state="answered")
    assert len(answered) == 3
    assert len(town.ai.calls) == 1
