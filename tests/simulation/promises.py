"""What must hold at the end of every story, asked of the disk and of the provider, who both saw everything."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from sara.i18n.catalog import MessageCatalog
from tests.simulation.provider import Taken, key_of, rows_of

if TYPE_CHECKING:
    from tests.simulation.world import World

OPEN = "SELECT id, reply_due, deliver_due FROM conversations WHERE reply_due IS NOT NULL OR deliver_due IS NOT NULL"

ENDED_IN = {"answered", "skipped", "dead", "quarantined"}
ARRIVED = {"accepted", "sent", "delivered", "read"}
ENDED_OUT = ARRIVED | {"failed", "held", "cancelled", "parked"}

FORWARD = {
    "waiting": ENDED_IN,
    "dead": {"waiting", "skipped"},  # a person took over, or the customer wants silence
    "quarantined": {"waiting"},
    "queued": {"sending", "cancelled", "failed", "parked", "sent", "delivered", "read"},
    "sending": {"accepted", "sent", "delivered", "read", "in_doubt", "queued", "failed", "held"},
    "in_doubt": {"accepted", "sent", "delivered", "read", "queued", "held", "failed", "cancelled"},
    "accepted": {"sent", "delivered", "read", "failed"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "held": {"sent", "delivered", "read", "failed"},
    "failed": {"sent", "delivered", "read"},
    "cancelled": {"sent", "delivered", "read"},
    "parked": {"queued"},
}
"""The steps that a message may take; a receipt may prove at any time that it arrived."""

BY_HAND = ("failed", "held", "cancelled")
"""What an operator may set going again."""

FORWARD_ATTEMPT = {"sending": {"in_doubt", "not_sent", "refused", "accepted"}, "in_doubt": {"accepted"}}

SLOW = 8.0
"""Seconds that a slow disk may put between the look and the send."""

ON_ITS_WAY = 1.0
"""Seconds that a request may still travel after its process has died."""

CONFIRMATIONS = {MessageCatalog().render("opted_out")}
"""What a STOP is answered with."""

SAYS = re.compile(r"re (m\d+(?:,m\d+)*) (\d+)/(\d+)")


def check(world: World) -> None:
    """Every promise, once everything is settled."""
    _stored(world)
    _ended(world)
    _answered_once(world)
    _sent_once(world)
    _doubted_long_enough(world)
    _in_order(world)
    _forward(world)
    _silent_after_stop(world)


def _stored(world: World) -> None:
    """I1: what was acknowledged is stored, once."""
    for key, (_, message) in world.provider.said.items():
        if key not in world.provider.acknowledged:
            world.broken("I7", f"{key} was never acknowledged")
        elif (found := rows_of(world.disk, message)) != 1:
            world.broken("I1", f"{key} is stored {found} times")
    for row in world.disk.ask("SELECT reason FROM unparsed_payloads"):
        world.broken("I1", f"something was set aside: {row['reason']}")
    stored = world.disk.ask("SELECT count(*) AS n FROM messages WHERE direction = 'in'")[0]["n"]
    if stored != len(world.provider.said):
        world.broken("I1", f"{stored} messages are stored, {len(world.provider.said)} were said")


def _ended(world: World) -> None:
    """I5: everything has ended, with a reason where it was not what was hoped for."""
    for row in world.disk.ask("SELECT id, direction, state, reason, error FROM messages"):
        ended = ENDED_IN if row["direction"] == "in" else ENDED_OUT
        if row["state"] not in ended:
            world.broken("I5", f"m{row['id']} is still {row['state']}")
        good = row["state"] == "answered" or row["state"] in ARRIVED
        if not good and not (row["reason"] or row["error"]):
            world.broken("I5", f"m{row['id']} is {row['state']} without a reason")
    for row in world.disk.ask("SELECT id, state FROM attempts WHERE state = 'sending'"):
        world.broken("I5", f"the attempt {row['id']} is still under way")


def _answered_once(world: World) -> None:
    """I2: a reply answers exactly what it saw, all of it is there, and no message has two."""
    answers: dict[int, set[str]] = defaultdict(set)
    for row in world.disk.ask("SELECT id, state, reply FROM messages WHERE direction = 'in'"):
        if (row["state"] == "answered") != (row["reply"] is not None):
            world.broken("I2", f"m{row['id']} is {row['state']}, its reply {row['reply']}")
        if row["reply"] is not None:
            answers[row["reply"]].add(f"m{row['id']}")
    parts: dict[int, list[str]] = defaultdict(list)
    for row in world.disk.ask("SELECT id, purpose, reply, text FROM messages WHERE direction = 'out' ORDER BY id"):
        if row["purpose"] == "reply" and row["reply"] is None:
            world.broken("I2", f"m{row['id']} answers nothing")
        if row["reply"] is not None:
            parts[row["reply"]].append(row["text"])
    for row in world.disk.ask("SELECT id FROM replies"):
        said = [SAYS.fullmatch(each) for each in parts[row["id"]]]
        whole = said and all(each and each[2] == str(n) and each[3] == str(len(said)) for n, each in enumerate(said, 1))
        named = {name for each in said if each for name in each[1].split(",")}
        if not whole or named != answers[row["id"]]:
            world.broken("I2", f"reply {row['id']} says {parts[row['id']]} and answers {sorted(answers[row['id']])}")


def _sent_once(world: World) -> None:
    """I3: accepted once, to the right person, but for what was in doubt; what was accepted twice is counted."""
    disk, provider = world.disk, world.provider
    people = _people(world)
    rows = {f"m{row['id']}": row for row in disk.ask("SELECT * FROM messages WHERE direction = 'out'")}
    attempts = {row["id"]: row for row in disk.ask("SELECT * FROM attempts")}
    doubted = {row["detail"].partition(":")[0] for row in disk.ask("SELECT detail FROM events WHERE what = 'attempt_in_doubt'")}
    copies = Counter(taken.part for taken in provider.taken)
    for taken in provider.taken:
        row = rows.get(taken.part)
        attempt = attempts.get(taken.attempt)
        if row is None or attempt is None or row["text"] != taken.text or f"m{attempt['message']}" != taken.part:
            world.broken("I3", f"the provider accepted {taken.text} as {taken.part}, which the store does not know so")
            continue
        if taken.to not in people[row["conversation"]]:
            world.broken("I2", f"{taken.text} went to {taken.to} instead of {people[row['conversation']]}")
        if attempt["state"] not in ("accepted", "in_doubt"):
            world.broken("I3", f"{taken.attempt} was accepted and is {attempt['state']}")
    for part, n in copies.items():
        of_part = {taken.attempt for taken in provider.taken if taken.part == part}
        if n - 1 > len(of_part & doubted):
            world.broken("I3", f"{part} was accepted {n} times, in doubt {len(of_part & doubted)} times")
        if rows[part]["unverified"] > world.weather.attempts:
            world.broken("I3", f"{part} was sent again {rows[part]['unverified']} times without any sign of life")
        if not of_part & doubted and not of_part & provider.failing and rows[part]["state"] not in ARRIVED:
            world.broken("I3", f"{part} was accepted and is {rows[part]['state']}")
    for part, row in rows.items():
        if row["state"] in ARRIVED and row["purpose"] != "operator" and not copies[part]:
            world.broken("I3", f"{part} is {row['state']}, and the provider never accepted it")
    known = Counter(row["message"] for row in attempts.values() if row["state"] == "accepted")
    doubles = sum(n - 1 for n in known.values() if n > 1)
    counted = disk.ask("SELECT coalesce(sum(value), 0) AS n FROM counters WHERE name = 'duplicate_sends'")[0]["n"]
    if doubles != counted:
        world.broken("I3", f"{doubles} duplicates are known, {counted} are counted")
    world.tally["accepted"] += len(provider.taken)
    world.tally["in doubt"] += len(doubted)
    world.tally["duplicates"] += sum(n - 1 for n in copies.values())
    world.tally["duplicates known"] += doubles
    world.tally["held"] += sum(row["state"] == "held" for row in rows.values())
    world.tally["parts"] += len(rows)
    world.tally["never accepted"] += sum(not copies[part] for part in rows)


def _doubted_long_enough(world: World) -> None:
    """A second copy leaves only after `doubt_timeout`, and never once a receipt for the first was acknowledged. What was answered
    clearly is in doubt only if the process did not live to write it down."""
    provider = world.provider
    for row in world.disk.ask("SELECT detail FROM events WHERE what = 'attempt_in_doubt'"):
        attempt, _, why = row["detail"].partition(": ")
        if attempt in provider.clear and why != "the process ended":
            world.broken("doubt", f"{attempt} was answered clearly and is in doubt: {why}")
    first: dict[str, Taken] = {}
    for taken in provider.taken:
        former = first.setdefault(taken.part, taken)
        if former is taken:
            continue
        if not world.weather.jump_every and taken.at - former.at < world.weather.doubt_timeout / 1_000 - ON_ITS_WAY:
            world.broken("doubt", f"{taken.part} was accepted again after {taken.at - former.at:.1f} s")
        if (reported := provider.reported.get(former.attempt)) is not None and reported < provider.left[taken.attempt] - SLOW:
            world.broken("doubt", f"{taken.part} was sent again, though a receipt had proved {former.attempt}")


def _people(world: World) -> dict[int, set[str]]:
    """Whose conversation it is, by what they wrote."""
    people: dict[int, set[str]] = defaultdict(set)
    known = {key_of(message): customer for customer, message in world.provider.said.values()}
    for row in world.disk.ask("SELECT conversation, external_id, text FROM messages WHERE direction = 'in'"):
        people[row["conversation"]].add(known[row["external_id"] or row["text"]].phone)
    for conversation, phones in people.items():
        if len(phones) > 1:
            world.broken("I2", f"conversation {conversation} mixes {phones}")
    return people


def _in_order(world: World) -> None:
    """I4: within a conversation the provider accepted in the store's order, which is that of the messages answered."""
    latest: dict[tuple[str, str], int] = {}
    answered: dict[tuple[str, str], int] = {}
    for taken in world.provider.taken:
        lane, part = (taken.account, taken.to), int(taken.part[1:])
        if part < latest.get(lane, 0):
            world.broken("I4", f"{taken.part} was accepted after m{latest[lane]}")
        latest[lane] = part
        if says := SAYS.fullmatch(taken.text):
            newest = max(int(name[1:]) for name in says[1].split(","))
            if newest < answered.get(lane, 0):
                world.broken("I4", f"m{newest} was answered after m{answered[lane]}")
            answered[lane] = newest


def _forward(world: World) -> None:
    """Nothing ever goes back, but by hand."""
    for row in world.disk.ask("SELECT * FROM watched WHERE what IN ('in', 'out', 'attempt') ORDER BY n"):
        steps = FORWARD_ATTEMPT if row["what"] == "attempt" else FORWARD
        by_hand = row["before"] in BY_HAND and row["after"] == "queued" and world.tally["revived"]
        if row["after"] not in steps.get(row["before"], ()) and not by_hand:
            world.broken("forward", f"{row['what']} {row['id']} went from {row['before']} to {row['after']}")


def _silent_after_stop(world: World) -> None:
    """Once a STOP is stored nothing begins to leave for that person but its confirmation, until a START is stored; what was written
    before the other of the two and came after it counts for nothing."""
    customers = {key_of(message): customer.name for customer, message in world.provider.said.values()}
    conversations: dict[int, str] = {}
    for row in world.disk.ask("SELECT conversation, external_id, text FROM messages WHERE direction = 'in'"):
        conversations[row["conversation"]] = customers[row["external_id"] or row["text"]]
    words = {
        f"m{row['id']}": row for row in world.disk.ask("SELECT id, at, reason FROM messages WHERE text IN ('STOP', 'START')")
    }
    stopped: set[str] = set()
    written: dict[str, int] = {}
    for row in world.disk.ask("SELECT * FROM watched WHERE what IN ('arrival', 'mark') ORDER BY n"):
        person = conversations[row["conversation"]]
        if row["what"] == "mark":
            if person in stopped and row["after"] not in CONFIRMATIONS:
                world.broken("STOP", f"{row['id']} ({row['before']}: {row['after']}) left for {person}, who wants nothing")
        elif row["after"] in ("STOP", "START"):
            word = words[f"m{row['id']}"]
            if word["reason"] == "outdated":
                if word["at"] >= written.get(person, 0):
                    world.broken("STOP", f"{row['id']} ({row['after']}) of {person} counts for nothing, and is the newest")
                continue
            written[person] = max(word["at"], written.get(person, 0))
            (stopped.add if row["after"] == "STOP" else stopped.discard)(person)
