"""kill -9 under load: what was acknowledged is answered, once and in order."""

from __future__ import annotations

from collections import Counter

from sara_simulators.whatsapp import WhatsAppSimulator

from tests.effort import chosen
from tests.patience import patience

from .conftest import Process, Town, exported

PEOPLE = chosen(short=18, full=60)
ROUNDS = 4


def crowd(phone: WhatsAppSimulator, size: int) -> list[str]:
    """Add people; every fifth hides their number."""
    return [
        phone.add_customer(
            f"Person {n}", phone=None if n % 5 == 0 else f"1555100{n:04d}", user_id=f"US.9{n:018d}", username=f"person{n}"
        ).id
        for n in range(size)
    ]


async def test_restart_with_work_pending(town: Town, process: Process) -> None:
    town.ai.delay_ms = 1_500
    await process.start()
    await town.phone.say("ana", "before the crash")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    await process.kill()
    town.ai.delay_ms = 0
    await process.start()
    assert await town.answers(1) == ["echo: before the crash"]
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    assert len(town.phone.accepted) == 1


async def test_a_burst_that_a_kill_falls_into_is_still_one_turn(town: Town, process: Process) -> None:
    town.config["conversation"] = {"debounce": "3s", "debounce_max": "30s"}
    await process.start()
    for text in ("Bom dia", "queria um bolo", "para sábado"):
        await town.phone.say("ana", text)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    await process.kill()
    await process.start()
    assert await town.answers(1) == ["echo: Bom dia | queria um bolo | para sábado"]
    assert len(town.ai.calls) == 1


async def test_a_send_cut_off_by_a_crash_is_settled_by_its_receipt_and_not_sent_again(town: Town, process: Process) -> None:
    await process.start()
    town.phone.faults.slow.on(1_500, times=1)
    await town.phone.say("ana", "hello")
    # The provider has accepted and reports back, but its answer does not arrive any more.
    await town.phone.wait_for(lambda phone: len(phone.accepted) == 1, timeout=patience(20))
    await process.kill()
    await process.start()
    await town.phone.say("kofi", "hello too")
    await town.answers(2)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    assert await process.end() == 0
    ana = [message for message in await exported(town) if message.text == "echo: hello"]
    assert [message.state for message in ana] == ["read"]
    assert Counter(send.customer for send in town.phone.accepted) == {"ana": 1, "kofi": 1}


async def test_every_acknowledged_message_is_answered_once_and_in_order_across_kills(town: Town, process: Process) -> None:
    town.phone.faults.redeliver.on(3)
    town.ai.delay_ms = 20
    people = crowd(town.phone, PEOPLE)
    await process.start()
    for turn in range(ROUNDS):
        for start in range(0, PEOPLE, 6):
            await town.phone.post_messages([(who, f"{who} says {turn}") for who in people[start : start + 6]])
        if turn in (1, 2):
            await town.phone.wait_for(lambda phone, turn=turn: len(phone.accepted) >= PEOPLE * turn // 2, timeout=patience(30))
            await process.kill()
            await process.start()
            # Webhooks of one customer that are delivered again may overtake each other: their order is the provider's affair.
            await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(30))
    await town.phone.wait_for(lambda phone: all_answered(phone, people), timeout=patience(60))
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(30))
    assert await process.end() == 0

    stored = await exported(town)
    inbound = [message for message in stored if message.direction == "in"]
    assert Counter(message.external_id for message in inbound) == Counter(
        bubble.id for who in people for bubble in town.phone.chat(who) if bubble.side == "customer"
    )
    assert {message.state for message in inbound} == {"answered"}
    doubled = sum(count - 1 for count in Counter((send.customer, send.text) for send in town.phone.accepted).values())
    assert doubled <= 5, "more answers were doubled than crashes explain"
    for who in people:
        seen = list(dict.fromkeys(said for send in town.phone.accepted if send.customer == who for said in answered(send.text)))
        assert seen == [f"{who} says {turn}" for turn in range(ROUNDS)]


def answered(text: str) -> list[str]:
    """The messages that an echo answers."""
    return text.removeprefix("echo: ").split(" | ")


def all_answered(phone: WhatsAppSimulator, people: list[str], rounds: int = ROUNDS) -> bool:
    """Whether each person's every message was answered."""
    said = Counter(send.customer for send in phone.accepted for _ in answered(send.text))
    return all(said[who] >= rounds for who in people)
