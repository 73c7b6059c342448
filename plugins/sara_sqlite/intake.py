"""Taking in what one request brought: messages, receipts, changes and what was not understood."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest

from sara import AccountEvent, IdentityChange, InboundMessage, Instant, OperatorEcho, PreferenceChange, UnparsedPayload
from sara.engines import AcceptResult, ClassifiedMessage, Handoff, InboundBatch, InboundDecision, OneTimeNotice
from sara_sqlite import (
    attachments,
    corrections,
    echoes,
    forgetting,
    modes,
    people,
    receipts,
    saying,
    spending,
    timing,
    turns,
    window,
)
from sara_sqlite.remembering import recognised
from sara_sqlite.rows import STORED, Connection, event, one, open_work, refresh_delivery, stored, the, to_json

UNREADABLE = "unreadable"
"""The reason of messages whose content the provider does not hand on, and the key of what the customer is told then."""


def accept(db: Connection, intake: InboundBatch, now: Instant) -> AcceptResult:
    """Store all contents of a request, within the caller's transaction."""
    db.execute(
        "INSERT INTO accounts (account, webhook_at) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET webhook_at = excluded.webhook_at",
        (intake.account, now),
    )
    touched: dict[int, None] = {}
    fresh: list[int] = []
    known = calling = 0
    # Within one request the provider's own times decide; between requests the order of arrival does.
    for arrival in sorted(intake.arrivals, key=lambda each: each.message.at):
        if recognised(db, intake.account, arrival.message.external_id or digest_of(arrival)):
            known += 1  # it was erased, or has expired: a redelivery restores nothing
            continue
        taken = _take_safely(db, arrival, intake, now)
        if taken is None:
            continue
        message, conversations, new, calls = taken
        touched |= dict.fromkeys(conversations)
        if new:
            fresh.append(message)
            calling += calls
        else:
            known += 1
    spending.tally(db, intake.account, calling, now)
    applied = []
    unknown = 0
    for receipt in intake.receipts:
        part = receipts.apply(db, receipt, now)
        if part is None:
            unknown += 1
        else:
            touched[int(part["conversation"])] = None
            applied.append((stored(the(db, STORED + " WHERE m.id = ?", part["id"])), receipt))
    # After the messages: the one that announces a new identity still came under the old one.
    for change, stamp in zip_longest(intake.changes, intake.stamps):
        digest = _digest_of_change(change if stamp is None else replace(change, at=stamp))
        if _is_news(db, digest, now):
            _change(db, change, intake.echoed, touched, now)
            forgetting.sign(db, change, digest)
    for item in intake.unparsed:
        _set_aside(db, item, now)
    work = tuple(open_work(db, conversation) for conversation in touched)
    rows = tuple(stored(the(db, STORED + " WHERE m.id = ?", message)) for message in fresh)
    return AcceptResult(
        tuple(each for each in work if (each.reply_due, each.deliver_due, each.timer_due) != (None, None, None)),
        rows,
        known,
        tuple(applied),
        unknown,
    )


def digest_of(arrival: ClassifiedMessage) -> str:
    """Return the digest by which a message without an id is recognised."""
    m, stamp = arrival.message, arrival.message.at if arrival.stamp is None else arrival.stamp
    text = "\x1f".join((m.account, m.person.user_id or "", m.person.phone or "", m.kind, str(stamp), m.text, m.raw))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _take_safely(
    db: Connection, arrival: ClassifiedMessage, intake: InboundBatch, now: Instant
) -> tuple[int, list[int], bool, bool] | None:
    """Store one message; one that cannot be stored is set aside, and the rest of its request is none the worse for it."""
    db.execute("SAVEPOINT arrival")
    try:
        return _take(db, arrival, intake, now)
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, UnicodeError, OverflowError, TypeError) as error:
        db.execute("ROLLBACK TO arrival")
        body = repr(arrival.message).encode("utf-8", "backslashreplace")
        _set_aside(db, UnparsedPayload(arrival.message.account, f"could not be stored: {type(error).__name__}", body), now)
        return None
    finally:
        db.execute("RELEASE arrival")


def _digest_of_change(change: object) -> str:
    if isinstance(change, AccountEvent) and change.raw:
        # Where the provider gives no time, that of arrival stands there.
        change = replace(change, at=0, summary="", details="", serious=False, ends=())
    return hashlib.sha256(repr(change).encode("utf-8", "backslashreplace")).hexdigest()


def _is_news(db: Connection, digest: str, now: Instant) -> bool:
    """Return whether a change was not told before. Providers deliver again, and an old change must not undo a newer one."""
    told = "SELECT 1 FROM applied_changes WHERE digest = ? UNION ALL SELECT 1 FROM tombstones WHERE digest = keyed('change', ?)"
    if one(db, told, digest, digest) is not None:
        return False
    db.execute("INSERT INTO applied_changes (digest, at) VALUES (?, ?)", (digest, now))
    return True


def _take(db: Connection, arrival: ClassifiedMessage, intake: InboundBatch, now: Instant) -> tuple[int, list[int], bool, bool]:
    """Store a message unless it is known; return its number, the conversations that it touched, whether it was new, and
    whether it calls for an answer."""
    message, verdict = arrival.message, arrival.verdict
    digest = None if message.external_id else digest_of(arrival)
    known = _known(db, message.account, message.external_id, digest)
    if known is not None:
        return known["id"], [known["conversation"]], False, False
    contact = people.resolve(db, message.account.partition(":")[0], message.person, now)
    conversation = people.conversation_of(db, message.account, contact, now)
    key = int(conversation["id"])
    opted_out = bool(the(db, "SELECT opted_out FROM contacts WHERE id = ?", contact)["opted_out"])
    verdict = _in_time(db, contact, arrival, opted_out=opted_out, now=now)
    is_operator = _is_of_operator(db, message, contact, intake)
    if is_operator:
        # An operator: their consent counts, everything else they write calls for no reply.
        verdict = replace(
            verdict, skip=verdict.skip if verdict.consent or verdict.skip == "recorded" else modes.OPERATOR, hand_over=None
        )
    _apply_consent(db, contact, key, arrival, verdict, now)
    skip = _why_unanswered(db, conversation, arrival, verdict, opted_out=opted_out, now=now)
    row = _insert(db, key, message, digest, skip, now)
    silent = verdict.consent == "opt_out" or (opted_out and verdict.consent is None)
    others = window.note(db, conversation, message, silent=silent, now=now)
    if _begins_a_chapter(conversation, arrival):
        timing.begin_chapter(db, key, row, now)
    db.execute("UPDATE conversations SET followed_up = 0 WHERE id = ? AND followed_up = 1", (key,))
    touched = [key]
    if skip:
        event(db, now, "skipped", skip, conversation=key, message=row)
    else:
        _call_for_answer(db, key, arrival, now)
    if verdict.hand_over is not None:
        # Behind the message, so that what is said about it stands after it.
        touched = modes.apply(db, key, verdict.hand_over, now, verdict.language, since=min(message.at, now))
    _queue_notices(db, conversation, verdict, skip, now)
    if is_operator and skip == modes.OPERATOR:
        modes.tell_operator(db, conversation, intake.operator_notice, now)
    others = [*others, *_correct(db, row, arrival, now)]
    return row, [*touched, *others], True, not skip


def _apply_consent(
    db: Connection, contact: int, conversation: int, arrival: ClassifiedMessage, verdict: InboundDecision, now: Instant
) -> None:
    """Record the consent that a message gives or withdraws, and the language that it is written in."""
    if verdict.consent == "opt_out":
        modes.silence(db, contact, conversation, "customer", "in a message", now, arrival.message.at)
    elif verdict.consent == "opt_in":
        modes.speak_again(db, contact, conversation, "customer", "in a message", now, arrival.message.at)
    if arrival.language is not None:
        # An order is often a word of another language: it does not override a known language.
        order = verdict.consent is not None or verdict.hand_over is not None
        learnt = "coalesce(language, ?)" if order else "?"
        db.execute(f"UPDATE contacts SET language = {learnt} WHERE id = ?", (arrival.language, contact))  # noqa: S608  # our own words


def _insert(
    db: Connection, conversation: int, message: InboundMessage, digest: str | None, skip: str | None, now: Instant
) -> int:
    """Insert a message with its attachments; return its number."""
    row = (
        db.execute(
            "INSERT INTO messages (conversation, account, direction, external_id, digest, kind, text, content, raw, state, reason,"
            " reply_to, at, created_at) VALUES (?, ?, 'in', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                conversation,
                message.account,
                message.external_id,
                digest,
                message.kind,
                message.text,
                to_json(message.content),
                message.raw,
                "skipped" if skip else "waiting",
                skip,
                message.reply_to,
                message.at,
                now,
            ),
        ).lastrowid
        or 0
    )
    if message.attachments:
        attachments.add(db, row, message, now)
    event(db, now, "received", message.kind, conversation=conversation, message=row)
    return row


def _queue_notices(db: Connection, conversation: sqlite3.Row, verdict: InboundDecision, skip: str | None, now: Instant) -> None:
    """Queue what the customer is told about the message at once."""
    key = int(conversation["id"])
    if verdict.notice:
        modes.say_in_their_language(db, conversation, verdict.notice, now, verdict.language, always=True)
        refresh_delivery(db, key, now)
    if skip == UNREADABLE and verdict.unreadable:
        draft = modes.in_their_language(db, key, verdict.unreadable)
        saying.once(db, conversation, OneTimeNotice(UNREADABLE, (draft,), verdict.unreadable_since), now)
        refresh_delivery(db, key, now)


def _is_of_operator(db: Connection, message: InboundMessage, contact: int, intake: InboundBatch) -> bool:
    """Return whether a message is one of a person of the business: by who they are, or because it quotes what such a person
    was told."""
    if modes.quotes_call(db, message.account, message.reply_to):
        return True
    if not intake.operators:
        return False
    provider = message.account.partition(":")[0]
    circle = people.circle(db, contact)
    return any(people.find(db, provider, each) in circle for each in intake.operators)


def _correct(db: Connection, row: int, arrival: ClassifiedMessage, now: Instant) -> list[int]:
    """Apply what a message corrects, or what its author has corrected before it arrived; the conversations that it touched."""
    debounce = (arrival.debounce, arrival.debounce_max)
    if arrival.message.corrects is not None:
        return corrections.note(db, row, arrival.message.corrects, debounce, now)
    return corrections.catch_up(db, row, arrival.message.account, arrival.message.external_id, debounce, now)


def _in_time(db: Connection, contact: int, arrival: ClassifiedMessage, *, opted_out: bool, now: Instant) -> InboundDecision:
    """Return the decision, unless it is about consent and changes nothing: it is so already, or the customer has said
    otherwise later."""
    message, verdict = arrival.message, arrival.verdict
    if verdict.consent is None:
        return verdict
    if (verdict.consent == "opt_out") == opted_out:
        # Asking again for what is so already: a further STOP stays silent, START is a word like any other.
        modes.note_consent(db, contact, message.at)
        return InboundDecision(skip="opt_out" if opted_out else "recorded" if message.corrects is not None else None)
    latest = the(db, "SELECT consent_at FROM contacts WHERE id = ?", contact)["consent_at"]
    # A time that is still to come was noted while this machine's clock was wrong.
    is_outdated = latest is not None and message.at < latest <= now + modes.SKEW
    return InboundDecision(skip="outdated") if is_outdated else verdict


def _why_unanswered(
    db: Connection,
    conversation: sqlite3.Row,
    arrival: ClassifiedMessage,
    verdict: InboundDecision,
    *,
    opted_out: bool,
    now: Instant,
) -> str | None:
    """Why SARA does not answer a message; None where it does."""
    if verdict.skip is not None and verdict.skip != UNREADABLE:
        return verdict.skip
    silent = "opted_out" if opted_out and verdict.consent is None else None
    return silent or _left_to_a_person(db, conversation, min(arrival.message.at, now), now) or verdict.skip


def _left_to_a_person(db: Connection, conversation: sqlite3.Row, since: Instant, now: Instant) -> str | None:
    """Why SARA does not answer a message that was written at `since` and comes now, if a person does."""
    # A handoff whose time is over has ended, even if the timer job has not run yet.
    until = conversation["mode_until"]
    if conversation["mode"] != "human" or (until is not None and until <= now):
        return None
    db.execute(
        "UPDATE conversations SET person_since = min(coalesce(person_since, ?), ?) WHERE id = ?",
        (since, since, conversation["id"]),
    )
    return modes.PERSON


def _begins_a_chapter(conversation: sqlite3.Row, arrival: ClassifiedMessage) -> bool:
    if conversation["closed_at"] is not None:
        return True
    after, last = arrival.chapter_after, conversation["last_at"]
    return after is not None and last is not None and arrival.message.at - last > after


def _known(db: Connection, account: str, external_id: str | None, digest: str | None) -> sqlite3.Row | None:
    if external_id is not None:
        return one(db, "SELECT id, conversation FROM messages WHERE account = ? AND external_id = ?", account, external_id)
    return one(db, "SELECT id, conversation FROM messages WHERE account = ? AND digest = ?", account, digest)


def _call_for_answer(db: Connection, conversation: int, arrival: ClassifiedMessage, now: Instant) -> None:
    """Set when the reply is due after the quiet window; a burst is one turn, and a running back-off is not shortened."""
    _take_along(db, conversation, now)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", conversation)
    if row["reply_due"] is None and (row["attempt_open"] or row["attempts"]):
        # A call that was begun just as its turn ended is none of this one's.
        turns.close_turn(db, conversation)
        row = the(db, "SELECT * FROM conversations WHERE id = ?", conversation)
    since = row["waiting_since"] if row["waiting_since"] is not None else now
    due = min(now + arrival.debounce, since + arrival.debounce_max)
    if row["reply_due"] is not None and row["attempts"] > 0 and not row["attempt_open"]:
        due = max(due, row["reply_due"])
    db.execute("UPDATE conversations SET waiting_since = ?, reply_due = ? WHERE id = ?", (since, due, conversation))


def _take_along(db: Connection, conversation: int, now: Instant) -> None:
    """Add earlier dead messages to this turn, except those that every responder rejected."""
    dead = f"SELECT id FROM messages WHERE conversation = ? AND {turns.TAKEN_ALONG}"  # noqa: S608  # the condition is ours
    for row in db.execute(dead, (conversation,)).fetchall():
        db.execute("UPDATE messages SET state = 'waiting', reason = NULL WHERE id = ?", (row["id"],))
        event(db, now, "retried", "with a later message", conversation=conversation, message=row["id"])


def _change(db: Connection, change: object, echoed: Mapping[str, Handoff], touched: dict[int, None], now: Instant) -> None:
    match change:
        case IdentityChange():
            people.follow(db, change, now)
        case PreferenceChange():
            contact = people.resolve(db, change.account.partition(":")[0], change.person, now)
            if change.category.startswith("marketing"):
                db.execute(
                    "UPDATE contacts SET marketing = ?, marketing_at = ? WHERE id = ? AND coalesce(marketing_at, 0) <= ?",
                    (int(change.allowed), change.at, contact, change.at),
                )
            event(db, now, "preference", f"{change.category}: {'resume' if change.allowed else 'stop'}", actor="customer")
        case OperatorEcho():
            echoes.take(db, change, echoed.get(change.external_id), touched, now)
        case AccountEvent():
            db.execute(
                "INSERT INTO account_events (account, kind, subject, summary, at, serious, ends) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    change.account,
                    change.kind,
                    change.subject,
                    change.summary,
                    change.at,
                    int(change.serious),
                    json.dumps(change.ends),
                ),
            )
            said = f" ({change.details})" if change.details else ""
            event(db, now, "account", f"{change.account}: {change.summary}{said}", actor="provider")


def _set_aside(db: Connection, item: UnparsedPayload, now: Instant) -> None:
    digest = hashlib.sha256(item.body).hexdigest()
    db.execute(
        "INSERT INTO unparsed_payloads (account, reason, body, digest, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (item.account, item.reason, item.body, digest, now),
    )
