"""Who answers a conversation, and what its person wants: handing over and back, consent, notes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from sara import Instant, Milliseconds, OutgoingContent
from sara.engines import Handoff, LocalizedContent, OneTimeNotice, OpenWork, OperatorNotification
from sara_sqlite import parts, people, saying, states, turns
from sara_sqlite.rows import (
    CONVERSATION,
    MESSAGE,
    Connection,
    event,
    head_of,
    ident,
    look_at_timers,
    number,
    one,
    open_work,
    refresh_delivery,
    the,
)

TO_A_PERSON = "handed_over"
"""The reason of answers that were not sent because a person took over, and of the message that asked for one."""

PERSON = "human"
"""The reason of messages that came while a person answered."""

SKEW: Milliseconds = 300_000
"""How far clocks may differ."""

PAUSED = "paused"
"""The reason of answers that wait for the end of a pause."""

OPERATOR = "operator"
"""The reason of messages that a person of the business wrote where customers write."""

_PLACE = re.compile(r"\{([a-z_]+)\}")
_LAST = 3
_LONGEST = 200
_OPERATOR_NOTICE_EVERY = 3_600_000


def hand_over(db: Connection, conversation: str, change: Handoff, now: Instant) -> Sequence[OpenWork]:
    """Apply a handoff as the contract says; return the open work of every conversation that it touched."""
    key = number(CONVERSATION, conversation)
    the(db, "SELECT id FROM conversations WHERE id = ?", key)
    # A time that an operator sets counts, even if it is sooner.
    return [open_work(db, touched) for touched in apply(db, key, change, now, shortens=change.by == "operator")]


def apply(
    db: Connection,
    conversation: int,
    change: Handoff,
    now: Instant,
    language: str | None = None,
    *,
    shortens: bool = False,
    since: Instant | None = None,
) -> list[int]:
    """Hand a conversation over within the caller's transaction; return the conversations that it touched. `language` is the
    one that the wish itself tells, for somebody whose own is not known, `since` when it was written; unless it `shortens`, one
    that is handed over already stays so for at least as long."""
    row = the(db, "SELECT * FROM conversations WHERE id = ?", conversation)
    known = row["mode"] == change.mode
    until = change.until
    if known and not shortens and until is not None:
        until = None if row["mode_until"] is None else max(until, row["mode_until"])
    db.execute("UPDATE conversations SET mode = ?, mode_until = ? WHERE id = ?", (change.mode, until, conversation))
    look_at_timers(db, conversation, until)
    if change.by == "operator":
        db.execute("UPDATE conversations SET person_since = NULL WHERE id = ?", (conversation,))
    elif change.mode == "human":
        waits = now if since is None else since
        db.execute("UPDATE conversations SET person_since = coalesce(person_since, ?) WHERE id = ?", (waits, conversation))
    touched = [conversation]
    over = row["mode_until"] is not None and row["mode_until"] <= now
    if known and over and change.mode == "human":
        # What came after its time, and before anybody had handed it back, is the person's again.
        _leave_to_a_person(db, conversation, change.by, now)
        refresh_delivery(db, conversation, now)
    if known:
        return touched
    event(db, now, f"mode_{change.mode}", change.reason, conversation=conversation, actor=change.by)
    # An answer that is being made is no longer wanted.
    db.execute("UPDATE conversations SET attempt_open = 0 WHERE id = ?", (conversation,))
    if change.mode == "human":
        _leave_to_a_person(db, conversation, change.by, now)
    else:
        _park_answers(db, conversation, now)
    say_in_their_language(db, row, change.notice, now, language)
    if change.tell is not None and (told := tell(db, change.tell, conversation, now)) != conversation:
        touched.append(told)
    refresh_delivery(db, conversation, now)
    return touched


def _leave_to_a_person(db: Connection, conversation: int, by: str, now: Instant) -> None:
    """Skip the waiting messages, which the person reads, and cancel the unsent replies."""
    turns.skip_waiting(db, conversation, TO_A_PERSON, by, now)
    parts.cancel_unsaid(db, conversation, "('reply')", TO_A_PERSON, now)


def _park_answers(db: Connection, conversation: int, now: Instant) -> None:
    rows = db.execute(
        f"SELECT id FROM messages WHERE conversation = ? AND state IN {states.UNSENT} AND state = 'queued' AND purpose = 'reply'",  # noqa: S608
        (conversation,),
    ).fetchall()
    for row in rows:
        db.execute("UPDATE messages SET state = 'parked', reason = ? WHERE id = ?", (PAUSED, row["id"]))
        event(db, now, "parked", PAUSED, conversation=conversation, message=row["id"])


def hand_back(db: Connection, conversation: str, by: str, now: Instant, notice: LocalizedContent) -> OpenWork:
    """SARA answers again."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    early = row["mode_until"] is None or row["mode_until"] > now
    if row["mode"] == "bot" or (by == "sara" and early):
        # On its own SARA resumes only when the time is over: an operator may have prolonged the handoff just now.
        return open_work(db, key)
    # The notice that SARA answers again counts as a question: no follow-up is sent soon after it.
    db.execute(
        "UPDATE conversations SET mode = 'bot', mode_until = NULL, person_since = NULL, followed_up = max(followed_up, ?) WHERE id = ?",
        (int(bool(notice)), key),
    )
    if by != "sara":
        db.execute("UPDATE conversations SET resumed_at = ? WHERE id = ?", (now, key))
    event(db, now, "mode_bot", f"after {row['mode']}", conversation=key, actor=by)
    if row["mode"] == "paused":
        for part in db.execute(
            "SELECT id FROM messages INDEXED BY messages_parked WHERE conversation = ? AND state = 'parked' AND reason = ?",
            (key, PAUSED),
        ).fetchall():
            db.execute("UPDATE messages SET state = 'queued', reason = NULL, not_before = ? WHERE id = ?", (now, part["id"]))
            event(db, now, "unparked", "SARA answers again", conversation=key, message=part["id"], actor=by)
        if one(db, "SELECT 1 FROM messages WHERE conversation = ? AND state = 'waiting' LIMIT 1", key) is not None:
            db.execute("UPDATE conversations SET reply_due = ?, reply_blocked = 0 WHERE id = ?", (now, key))
    say_in_their_language(db, row, notice, now)
    return refresh_delivery(db, key, now)


def say_in_their_language(
    db: Connection,
    conversation: sqlite3.Row,
    wording: LocalizedContent,
    now: Instant,
    language: str | None = None,
    always: bool = False,
) -> None:
    """Say one of SARA's own texts: in the language that the person writes, while that is not known in `language`. One who wants
    silence is told nothing, unless it is about that (`always`)."""
    if not wording or (not always and head_of(db, conversation["id"])["opted_out"]):
        return
    parts.add(db, conversation, [in_their_language(db, conversation["id"], wording, language)], "notice", None, now)


def in_their_language(
    db: Connection, conversation: int, wording: LocalizedContent, language: str | None = None
) -> OutgoingContent:
    """One of SARA's own texts in the language that the person writes, while that is not known in `language`."""
    spoken = (code for code in (head_of(db, conversation)["language"], language) if code and code in wording)
    return wording[next(spoken, "")]


def tell(db: Connection, what: OperatorNotification, about: int, now: Instant) -> int:
    """Tell a person of the business; the conversation with them. One who wants silence is not told."""
    contact = people.resolve(db, what.account.partition(":")[0], what.person, now)
    with_them = people.conversation_of(db, what.account, contact, now)
    if head_of(db, with_them["id"])["opted_out"]:
        event(db, now, "not_told", "opted_out", conversation=with_them["id"])
        return int(with_them["id"])
    values = {**what.values, **_facts(db, about)}
    text = _PLACE.sub(lambda place: values.get(place[1], place[0]), what.draft.text)
    # As an operator's words: outside the reply window a template may ask them to write, and then they get it.
    [made] = parts.add(db, with_them, [OutgoingContent(text, what.draft.kind, what.draft.content)], "operator", None, now)
    db.execute("UPDATE messages SET about = ? WHERE id = ?", (about, number(MESSAGE, made)))
    refresh_delivery(db, with_them["id"], now)
    return int(with_them["id"])


def _facts(db: Connection, about: int) -> dict[str, str]:
    """Return what an operator has to know of a conversation in order to answer it."""
    person = head_of(db, about)
    number = f"+{person['phone']}" if person["phone"] else f"@{person['username']}" if person["username"] else person["user_id"]
    rows = db.execute(
        "SELECT kind, text FROM messages WHERE conversation = ? AND direction = 'in' ORDER BY id DESC LIMIT ?", (about, _LAST)
    ).fetchall()
    # A customer's text on one line each cannot pass for SARA's own.
    said = [" ".join(row["text"].split()) or f"[{row['kind']}]" for row in reversed(rows)]
    words = "\n".join(f"> {each[: _LONGEST - 1]}…" if len(each) > _LONGEST else f"> {each}" for each in said)
    return {"conversation": ident(CONVERSATION, about), "number": number or "?", "words": words}


def quotes_call(db: Connection, account: str, external_id: str | None) -> bool:
    """Return whether a message quotes what a person of the business was told about a conversation, by any of its sends."""
    if external_id is None:
        return False
    query = "SELECT 1 FROM messages WHERE account = ? AND external_id = ? AND about IS NOT NULL"
    resent = "SELECT 1 FROM attempts a JOIN messages m ON m.id = a.message WHERE a.external_id = ? AND m.account = ? AND m.about IS NOT NULL"
    return one(db, query, account, external_id) is not None or one(db, resent, external_id, account) is not None


def tell_operator(db: Connection, conversation: sqlite3.Row, notice: LocalizedContent, now: Instant) -> None:
    """Tell an operator that their messages here reach no customer."""
    person = head_of(db, conversation["id"])
    if notice and not person["opted_out"]:
        draft = in_their_language(db, conversation["id"], notice)
        saying.once(db, conversation, OneTimeNotice("operator_notice", (draft,), now - _OPERATOR_NOTICE_EVERY), now)
        refresh_delivery(db, conversation["id"], now)


def consent(
    db: Connection, conversation: str, opted_out: bool, by: str, how: str, now: Instant, notice: LocalizedContent
) -> OpenWork:
    """Record an opt-out or opt-in that an operator notes."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    if bool(head_of(db, key)["opted_out"]) == opted_out:
        return open_work(db, key)
    # Words that were written before this and come late do not end the silence; they do end what was noted for the customer.
    if opted_out:
        silence(db, row["contact"], key, by, how, now, now)
    else:
        speak_again(db, row["contact"], key, by, how, now, None)
    say_in_their_language(db, row, notice, now, always=True)
    return refresh_delivery(db, key, now)


def silence(db: Connection, contact: int, conversation: int, by: str, how: str, now: Instant, said_at: Instant | None) -> None:
    """Opt a person out, as they said at `said_at`: waiting messages are skipped and unsent messages cancelled."""
    everyone = _set_consent(db, contact, opted_out=True, now=now, said_at=said_at)
    event(db, now, "opted_out", how, conversation=conversation, actor=by)
    marks = ", ".join("?" * len(everyone))
    for (other,) in db.execute(f"SELECT id FROM conversations WHERE contact IN ({marks})", everyone).fetchall():  # noqa: S608
        turns.skip_waiting(db, other, "opted_out", by, now)
        parts.cancel_unsaid(db, other, parts.BY_CONSENT, "opted_out", now)
        refresh_delivery(db, other, now)


def speak_again(
    db: Connection, contact: int, conversation: int, by: str, how: str, now: Instant, said_at: Instant | None
) -> None:
    """Opt a person in again."""
    _set_consent(db, contact, opted_out=False, now=now, said_at=said_at)
    event(db, now, "opted_in", how, conversation=conversation, actor=by)


def note_consent(db: Connection, contact: int, said_at: Instant) -> None:
    """Keep when a person last said what they want: words from before that change nothing."""
    for each in people.circle(db, contact):
        db.execute("UPDATE contacts SET consent_at = max(coalesce(consent_at, ?), ?) WHERE id = ?", (said_at, said_at, each))


def _set_consent(db: Connection, contact: int, *, opted_out: bool, now: Instant, said_at: Instant | None) -> list[int]:
    """Keep what a person wants, for every contact that is this person; return those."""
    everyone = people.circle(db, contact)
    for each in everyone:
        db.execute(
            "UPDATE contacts SET opted_out = ?, opted_out_at = ?, consent_at = ? WHERE id = ?",
            (int(opted_out), now if opted_out else None, said_at, each),
        )
    return everyone


def note(db: Connection, conversation: str, text: str, by: str, now: Instant, *, append: bool) -> None:
    """Replace what is noted about a person, or write it below that."""
    key = number(CONVERSATION, conversation)
    person = head_of(db, key)
    notes = "\n".join(each for each in (person["notes"], text) if each) if append else text
    db.execute("UPDATE contacts SET notes = ? WHERE id = ?", (notes, person["id"]))
    event(db, now, "noted", f"{len(text)} characters", conversation=key, actor=by)
