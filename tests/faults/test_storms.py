"""A provider that misbehaves in bulk: everything delivered many times, answers cut off, receipts lost or reversed, an outage.

In full the storms are as big as the figures in the manual (`tests/effort.py`); `SARA_SEED=…`, which a failure prints, makes the same one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sara_simulators.whatsapp import ChatMessage
from sara_simulators.whatsapp.state import new_wamid
from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook

from sara.cli.context import open_store
from sara.domain.states import RECEIPT_RANK
from sara.policy import reply_gates
from sara.queue import circuit_breaker
from tests.effort import FULL, chosen
from tests.faults.invariants import Findings, Said
from tests.faults.test_kills import PROMPT, RATE, Scene, fresh_seed, scene
from tests.patience import patience

CASES, FEWER = chosen(short=(6, 5), full=(300, 100))
"""How many sends are accepted and then cut off; fewer where receipts are tampered with as well."""

CUT = 0.2
"""The share of sends that are cut off: few enough that five in a row, which open the breaker, are rare."""

ALL_THREE_LOST = 0.1 ** (1 / 3)
"""With this chance for each of three receipts, one message in ten reports nothing at all."""

MOSTLY_LOST = chosen(short=1.0, full=0.8)
"""With this one, every second; all where there are so few that by chance none might be."""

HOLD = "1s"


async def test_what_is_delivered_twenty_times_at_once_is_stored_and_answered_once(tmp_path: Path) -> None:
    messages, copies = chosen(short=(20, 10), full=(1_000, 20))
    async with scene(tmp_path, fresh_seed(), people=messages // 5) as here:
        await here.lives.start()
        bodies = [written(here, here.chance.choice(here.people)) for _ in range(messages)]
        posts = [here.town.phone.post(body) for body in bodies for _ in range(copies)]
        here.chance.shuffle(posts)
        await asyncio.gather(*posts)
        await everybody_answered(here, 120)
        findings = await here.examined(in_turn=False)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.stored == findings.figures.answered == messages
        assert findings.figures.doubles_seen == 0


async def test_sends_cut_off_after_acceptance_are_settled_by_their_receipts_and_never_doubled(tmp_path: Path) -> None:
    async with cut_off(tmp_path, doubt_timeout="4s") as here:
        findings = await settled(here, CASES)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.answered == findings.figures.said
        assert findings.figures.doubts >= CASES * 0.5, "hardly anything was in doubt"
        assert findings.figures.doubles_seen == 0, findings.report(here.seed)


async def test_where_receipts_get_lost_only_what_reported_nothing_is_sent_again(tmp_path: Path) -> None:
    async with cut_off(tmp_path, doubt_timeout=HOLD) as here:
        here.town.phone.faults.lose_statuses.on(chance=ALL_THREE_LOST)
        findings = await settled(here)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.answered == findings.figures.said
        assert findings.figures.doubles_seen <= findings.figures.silent, findings.report(here.seed)
        told = {wamid for wamid, _ in here.ledger.receipts}
        again = [group for group in acceptances(here).values() if len(group) > 1]
        assert [wamids for wamids in again if told & set(wamids[:-1])] == [], f"SARA_SEED={here.seed}"


async def test_doubles_that_receipts_reveal_too_late_are_counted(tmp_path: Path) -> None:
    late = {**PROMPT, "sent_delay": 3_000}
    async with cut_off(tmp_path, provider=late, doubt_timeout="500ms") as here:
        findings = await settled(here)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.doubles_counted == findings.figures.doubles_seen > 0, findings.report(here.seed)


async def test_a_channel_that_holds_what_is_in_doubt_doubles_nothing(tmp_path: Path) -> None:
    async with cut_off(tmp_path, doubt_timeout=HOLD, on_doubt="hold") as here:
        here.town.phone.faults.lose_statuses.on(chance=MOSTLY_LOST)
        findings = await settled(here)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.answered == findings.figures.said
        assert findings.figures.doubles_seen == findings.figures.doubles_counted == 0
        assert 0 < findings.figures.held <= findings.figures.silent, findings.report(here.seed)


async def test_receipts_in_reverse_order_move_nothing_back(tmp_path: Path) -> None:
    async with cut_off(tmp_path, doubt_timeout="4s") as here:
        here.town.phone.faults.reverse_statuses.on()
        findings = await settled(here)
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.doubles_seen == 0, findings.report(here.seed)
        async with open_store(here.town.file, read_only=True) as house:
            for part in [each for each in await house.store.messages(None, None, 100_000) if each.direction == "out"]:
                told = [RECEIPT_RANK[event.what] for event in await house.store.timeline(part.id) if event.what in RECEIPT_RANK]
                assert part.state == "read"
                assert told == sorted(told), f"SARA_SEED={here.seed}"


@pytest.mark.parametrize("failure", ["refused by name", "in doubt"])
async def test_an_outage_is_met_with_one_try_at_a_time_and_then_drains_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    if not FULL:
        monkeypatch.setattr(circuit_breaker, "OPEN_INTERVAL", 1_000)
        monkeypatch.setattr(reply_gates, "BLOCKED_LOOK", 1_000)
    tries = 4
    async with scene(tmp_path, fresh_seed(), people=20, doubt_timeout="200ms") as here:
        phone = here.town.phone
        # In this process, where the breaker's rest can be shortened.
        await here.town.start()
        if failure == "in doubt":
            phone.faults.server_error.on("json")
        else:
            phone.faults.error_code.on(131016)
        over = asyncio.Event()
        writing = asyncio.create_task(here.write(10, over.is_set))
        await phone.wait_for(lambda _: len(failures(here)) >= circuit_breaker.FAILURE_THRESHOLD, timeout=patience(20))
        # Those that were on their way when it opened are no tries of an open breaker, however long they take on a busy machine.
        await here.town.until(lambda: at_rest(here))
        calm = phone.settings.clock()
        await phone.wait_for(lambda _: len([at for at in failures(here) if at > calm]) >= tries, timeout=patience(60))
        probes = [at for at in failures(here) if at > calm]
        gaps = [after - before for before, after in itertools.pairwise(probes)]
        assert min(gaps) >= circuit_breaker.OPEN_INTERVAL * 0.9, f"SARA_SEED={here.seed}: tries came {gaps} ms apart"
        phone.faults.off()
        over.set()
        await writing
        await everybody_answered(here, 60)
        assert not any(problem.key.endswith(":circuit_open") for problem in here.town.daemon.problems)  # type: ignore[union-attr]
        findings = await here.examined()
        assert not findings.violations, findings.report(here.seed)
        assert findings.figures.answered == findings.figures.said
        assert findings.figures.held == findings.figures.doubles_seen == 0


# ── how the storms are made ───────────────────────────────────────────────────────────────────────────────────────────────


def written(here: Scene, who: str) -> bytes:
    """A webhook with a message that somebody wrote, not yet posted."""
    phone, text = here.town.phone, here.ledger.text(who)
    customer = phone.customers[who]
    content = {"type": "text", "text": {"body": text}}
    bubble = ChatMessage(
        new_wamid(customer.phone or "0", outbound=False), who, "customer", "text", content, text, phone.settings.clock(), "sent"
    )
    here.ledger.said.append(Said(bubble.id, who, text))
    return encode_body(inbound_webhook(phone.settings, [(customer, bubble)]))


@asynccontextmanager
async def cut_off(folder: Path, **options: Any) -> AsyncIterator[Scene]:
    """A scene with a daemon, whose provider accepts every fifth send and then cuts the connection."""
    async with scene(folder, fresh_seed(), **options) as here:
        await here.lives.start()
        here.town.phone.faults.reset_after_accept.on(chance=CUT)
        yield here


async def settled(here: Scene, cases: int = FEWER) -> Findings:
    """Let people write until enough sends were cut off, then let everything come to rest."""
    cuts = here.town.phone.faults.reset_after_accept
    await here.write(RATE, lambda: cuts.hits >= cases)
    cuts.off()
    return await here.examined()


async def everybody_answered(here: Scene, timeout: float) -> None:
    """Wait until the provider has accepted an answer to everything."""
    await here.town.phone.wait_for(lambda _: not here.ledger.unanswered, timeout=patience(timeout))


async def at_rest(here: Scene) -> bool:
    """Whether the breaker of the channel is open and no try is under way."""
    daemon = here.town.daemon
    assert daemon is not None
    is_open = any(
        problem.key.startswith("lane:deliver:") and problem.key.endswith(":circuit_open") for problem in daemon.problems
    )
    lanes_now = (await daemon.queue.stats())["lanes"]
    return is_open and not any(lane["running"] for name, lane in lanes_now.items() if name.startswith("deliver:"))


def acceptances(here: Scene) -> dict[str, list[str]]:
    """The provider's ids of each answer, in the order of acceptance."""
    found: dict[str, list[str]] = {}
    for send in here.town.phone.accepted:
        found.setdefault(f"{send.customer}: {send.text}", []).append(send.wamid)
    return found


def failures(here: Scene) -> list[int]:
    """When sends failed."""
    return [request.at for request in here.town.phone.requests if request.path.endswith("/messages") and request.status >= 500]
