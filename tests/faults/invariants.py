"""What must hold after every run, whatever went wrong in it: the provider's own record set against the store's.

    async with Ledger(phone) as ledger:
        …                                   # a daemon, a load, and something that goes wrong
    findings = examine(await gather(file, ledger, output=…))
    assert not findings.violations, findings.report()

I1  each webhook that was answered 200 is stored, and each receipt in one has taken effect; nothing was set aside unread
I2  each message has at most one reply, each reply a message, and both the same customer
I3  the provider accepted each part once, except where it was in doubt; those doubles are counted
I4  per conversation, parts were accepted in the order of the messages they answer
I5  each message ended answered, skipped or dead with a reason; each part is final, or held where people see it
I6  the database is sound
I7  nobody has anything left to do
I8  no secret and no customer's words in anything the daemon printed
ASK the AI was asked again only for what a crash cut off, and never shown two customers at once
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sara_simulators.openai import Call
from sara_simulators.whatsapp import AcceptedSend, WebhookDelivery, WhatsAppSimulator

from sara.cli.context import OfflineContext, open_store
from sara.domain.delivery import Attempt
from sara.domain.messages import StoredMessage, TimelineEvent
from sara.domain.states import RECEIPT_RANK

T = TypeVar("T")

CANARY = "quokka"
"""Part of everything that customers write, and of nothing else."""

ENDED = ("skipped", "dead", "quarantined")
"""How a message may end without an answer."""

VISIBLE = ("held", "failed", "cancelled", "parked")
"""How a part may end unsent: people see it and its reason."""

OUT_OF_DOUBT = ("in_doubt_resolved", "reconciled")
"""The events after which nothing is in doubt any more."""

PAGE = 1_000
EXAMPLES = 3


# ── the provider's record ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Said:
    """A message that a customer wrote. No two have the same text."""

    id: str
    customer: str
    text: str


class Ledger:
    """Writes down what the provider saw: which webhooks were answered 200, and which messages have an accepted answer.

    The simulator keeps only its latest webhooks; this keeps them all.
    """

    def __init__(self, phone: WhatsAppSimulator) -> None:
        self.phone = phone
        self.said: list[Said] = []
        self.acknowledged: set[str] = set()
        """The ids of messages in webhooks that were answered 200."""
        self.receipts: set[tuple[str, str]] = set()
        """The receipts in such webhooks, by the provider's id and status."""
        self.answered: set[str] = set()
        """The texts that an accepted answer speaks of."""
        self.last: WebhookDelivery | None = None
        """The newest webhook."""
        self._open: list[WebhookDelivery] = []
        self._unacknowledged: list[Said] = []
        self._seen = 0
        self._numbers: Counter[str] = Counter()
        self._watch: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Ledger:
        self._watch = asyncio.create_task(self.phone.wait_for(self._look, timeout=7 * 86_400))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._watch is not None
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch

    def text(self, customer: str) -> str:
        """Words that nobody has said yet."""
        self._numbers[customer] += 1
        return f"{customer} says {self._numbers[customer]} {CANARY}"

    async def write(self, customers: Sequence[str]) -> list[Said]:
        """Let these customers write, in one webhook; who is named twice writes twice."""
        pairs = [(who, self.text(who)) for who in customers]
        ids = await self.phone.post_messages(pairs)
        written = [Said(id, who, text) for id, (who, text) in zip(ids, pairs, strict=True)]
        self.said += written
        self._unacknowledged += written
        return written

    @property
    def unanswered(self) -> int:
        """How many messages no accepted answer speaks of."""
        return len(self.said) - len(self.answered)

    @property
    def waiting(self) -> set[str]:
        """The customers who still wait for the 200 of something they wrote."""
        self._unacknowledged = [each for each in self._unacknowledged if each.id not in self.acknowledged]
        return {each.customer for each in self._unacknowledged}

    def _look(self, phone: WhatsAppSimulator) -> bool:
        fresh = list(itertools.takewhile(lambda each: each is not self.last, reversed(phone.deliveries)))
        assert self.last is None or len(fresh) < len(phone.deliveries), "webhooks went by unseen"
        self._open += reversed(fresh)
        self.last = fresh[0] if fresh else self.last
        for each in [each for each in self._open if each.accepted]:
            self._open.remove(each)
            self._take(each)
        for send in phone.accepted[self._seen :]:
            self.answered.update(answered(send.text))
        self._seen = len(phone.accepted)
        return False

    def _take(self, delivery: WebhookDelivery) -> None:
        for value in _values(delivery.body):
            self.acknowledged.update(each["id"] for each in value.get("messages", ()))
            self.receipts.update((each["id"], each["status"]) for each in value.get("statuses", ()))


def _values(body: bytes) -> Iterator[Mapping[str, Any]]:
    for entry in json.loads(body)["entry"]:
        for change in entry["changes"]:
            yield change["value"]


def answered(text: str) -> list[str]:
    """The messages that an echo answers; none for the later parts of a long one."""
    first = text.partition("\n")[0]
    return first.removeprefix("echo: ").split(" | ") if first.startswith("echo: ") else []


# ── the evidence ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both records, side by side. `doubt_timeout` are the milliseconds for which a doubt must be left to its receipts. `in_turn` says
    that customers wrote on only after a 200, so that their order is certain. `restarts` are the numbers of calls to the AI that had
    been made at each restart."""

    said: Sequence[Said]
    acknowledged: Collection[str]
    receipts: Collection[tuple[str, str]]
    accepted: Sequence[AcceptedSend]
    messages: Sequence[StoredMessage]
    attempts: Mapping[str, Sequence[Attempt]]
    timelines: Mapping[str, Sequence[TimelineEvent]]
    counts: Mapping[str, int]
    pending: int
    open_work: int
    unsound: Sequence[str]
    doubt_timeout: int = 0
    output: Sequence[str] = ()
    secrets: Collection[str] = ()
    calls: Sequence[Call] = ()
    restarts: Sequence[int] = ()
    in_turn: bool = True


async def gather(
    file: Path,
    ledger: Ledger,
    *,
    output: Iterable[str] = (),
    secrets: Iterable[str | None] = (),
    calls: Sequence[Call] = (),
    restarts: Sequence[int] = (),
    in_turn: bool = True,
) -> Evidence:
    """Read the store of the daemon configured in `file`, which has ended, as `sara export` does."""
    settings = ledger.phone.settings
    async with open_store(file, read_only=True) as house:
        messages = [message async for message in _all(house)]
        parts = [message.id for message in messages if message.direction == "out"]
        attempts = await _each(parts, house.store.attempts)
        timelines = await _each(parts, house.store.timeline)
        counts = await house.store.counts()
        pending = int((await house.queue.stats())["pending"])
        open_work = len(await house.store.open_work(None, PAGE))
        holds = [section.options.model_dump().get("doubt_timeout", 0) for section in house.config.channels.values()]
        state = house.config.state
    token = (state / "admin-token").read_text(encoding="ascii").strip()
    hidden = [settings.app_secret, settings.access_token, settings.verify_token, token, *secrets]
    return Evidence(
        ledger.said,
        ledger.acknowledged,
        ledger.receipts,
        ledger.phone.accepted,
        messages,
        attempts,
        timelines,
        counts,
        pending,
        open_work,
        _unsound(state / "sara.db"),
        min(holds),
        tuple(output),
        [secret for secret in hidden if secret],
        calls,
        restarts,
        in_turn,
    )


async def _all(house: OfflineContext) -> Any:
    after: str | None = None
    while page := await house.store.messages(None, after, PAGE):
        for message in page:
            yield message
        after = page[-1].id


async def _each(ids: Sequence[str], look: Any) -> dict[str, Any]:
    """Looked up many at a time: the store answers those that wait together at once."""
    found: dict[str, Any] = {}
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        found.update(zip(page, await asyncio.gather(*map(look, page)), strict=True))
    return found


def _unsound(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
        said = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        loose = [f"{row[0]} {row[1]} refers to nothing" for row in db.execute("PRAGMA foreign_key_check")]
    return [each for each in said if each != "ok"] + loose


# ── the verdict ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be. `id` is the invariant's."""

    id: str
    what: str

    def __str__(self) -> str:
        return f"{self.id}: {self.what}"


@dataclass(frozen=True, slots=True)
class Figures:
    """How the run went. The first six count customers' messages; those `given_up` ended without an answer where people see it, as
    what seems to kill the daemon does. `silent` are accepted sends of which no receipt came in, `doubts` attempts of which nobody
    knew for a while."""

    said: int
    acknowledged: int
    stored: int
    answered: int
    given_up: int
    lost: int
    out_of_order: int
    accepted: int
    doubles_seen: int
    doubles_counted: int
    silent: int
    doubts: int
    held: int


@dataclass(slots=True)
class Findings:
    """What `examine` found."""

    figures: Figures
    violations: list[Violation] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """The invariants that do not hold."""
        return {violation.id for violation in self.violations}

    def report(self, seed: object = None) -> str:
        """For a failed assertion: the first few of each kind, and what is needed to run it again."""
        lines = [] if seed is None else [f"SARA_SEED={seed}"]
        for name, group in itertools.groupby(sorted(self.violations, key=lambda each: each.id), key=lambda each: each.id):
            found = list(group)
            lines += [str(each) for each in found[:EXAMPLES]]
            lines += [f"{name}: and {len(found) - EXAMPLES} more"] if len(found) > EXAMPLES else []
        return "\n".join([*lines, str(self.figures)])


class _Case:
    """The evidence, indexed."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.said = {each.id: each for each in evidence.said}
        self.inbound = [each for each in evidence.messages if each.direction == "in"]
        self.parts = [each for each in evidence.messages if each.direction == "out"]
        self.place = {each.id: index for index, each in enumerate(evidence.messages)}
        self.by_id = {each.id: each for each in evidence.messages}
        self.customer = {
            each.conversation: self.said[each.external_id].customer for each in self.inbound if each.external_id in self.said
        }
        self.attempts = {attempt.id: attempt for each in evidence.attempts.values() for attempt in each}
        self.sends: defaultdict[str, list[AcceptedSend]] = defaultdict(list)
        for send in evidence.accepted:
            if attempt := self.attempts.get(send.callback_data or ""):
                self.sends[attempt.part].append(send)
        self.told = {wamid for wamid, _ in evidence.receipts}

    def doubted(self, part: str) -> set[str]:
        """The attempts of a part that were once in doubt."""
        events = [event for event in self.evidence.timelines[part] if event.what == "attempt_in_doubt"]
        return {event.detail.partition(":")[0] for event in events}


def examine(evidence: Evidence) -> Findings:
    """Hold the two records against each other."""
    case = _Case(evidence)
    lost = set(_lost(case))
    disorder = list(_out_of_order(case))
    violations = [
        *_stored(case),
        *_receipts_applied(case),
        *_one_reply_each(case),
        *_accepted_once(case),
        *_doubts_held(case),
        *_doubles_counted(case),
        *disorder,
        *(Violation("I5", f"{case.said[id].text!r} was acknowledged and has no answer and no reason") for id in sorted(lost)),
        *_ended(case),
        *(Violation("I6", each) for each in evidence.unsound),
        *_nothing_left(case),
        *_nothing_said(case),
        *_asked_once(case),
    ]
    return Findings(_figures(case, len(lost), len(disorder)), violations)


def _figures(case: _Case, lost: int, disorder: int) -> Figures:
    evidence = case.evidence
    return Figures(
        said=len(evidence.said),
        acknowledged=len(case.said.keys() & set(evidence.acknowledged)),
        stored=len(case.inbound),
        answered=len({text for send in evidence.accepted for text in answered(send.text)}),
        given_up=sum(each.state in ENDED for each in case.inbound),
        lost=lost,
        out_of_order=disorder,
        accepted=len(evidence.accepted),
        doubles_seen=sum(len(sends) - 1 for sends in case.sends.values()),
        doubles_counted=evidence.counts.get("duplicate_sends", 0),
        silent=sum(send.wamid not in case.told for send in evidence.accepted),
        doubts=sum(len(case.doubted(part.id)) for part in case.parts),
        held=sum(part.state == "held" for part in case.parts),
    )


def _stored(case: _Case) -> Iterator[Violation]:
    stored = Counter(each.external_id for each in case.inbound)
    for id in case.evidence.acknowledged:
        if id not in stored:
            yield Violation("I1", f"{case.said[id].text if id in case.said else id!r} was answered 200 and is not stored")
    for each in case.inbound:
        if stored[each.external_id] > 1:
            yield Violation("I1", f"{each.text!r} is stored {stored[each.external_id]} times")
        if each.external_id in case.said and case.said[each.external_id].text != each.text:
            yield Violation("I1", f"{case.said[each.external_id].text!r} is stored as {each.text!r}")
    if aside := case.evidence.counts.get("unparsed_payloads", 0):
        yield Violation("I1", f"{aside} bodies were set aside, and all of them could be read")


def _receipts_applied(case: _Case) -> Iterator[Violation]:
    attempt_of = {send.wamid: case.attempts.get(send.callback_data or "") for send in case.evidence.accepted}
    for wamid, status in case.evidence.receipts:
        attempt = attempt_of.get(wamid)
        if attempt is None or status not in RECEIPT_RANK:
            continue
        part = case.by_id[attempt.part]
        if attempt.state != "accepted":
            yield Violation("I1", f"a receipt for attempt {attempt.id} was answered 200, and the attempt is {attempt.state}")
        elif RECEIPT_RANK.get(part.state, 0) < RECEIPT_RANK[status]:
            yield Violation("I1", f"{status!r} of {part.id} was answered 200, and the part is {part.state}")


def _one_reply_each(case: _Case) -> Iterator[Violation]:
    inbound = {each.text: each for each in case.inbound}
    replies: Counter[str] = Counter()
    began: set[str] = set()
    for part in case.parts:
        texts = answered(part.text)
        replies.update(texts)
        if texts:
            began.add(part.conversation)
        elif part.conversation not in began:
            yield Violation("I2", f"{part.id} answers nothing: {part.text[:60]!r}")
        for text in texts:
            if text not in inbound:
                yield Violation("I2", f"{part.id} answers what nobody said: {text!r}")
            elif inbound[text].conversation != part.conversation:
                yield Violation("I2", f"{part.id} answers {text!r} in the conversation of {case.customer[part.conversation]}")
    for text, count in replies.items():
        if count > 1:
            yield Violation("I2", f"{text!r} has {count} replies")


def _accepted_once(case: _Case) -> Iterator[Violation]:
    for id, count in Counter(send.callback_data for send in case.evidence.accepted).items():
        if count > 1:
            yield Violation("I3", f"attempt {id} was accepted {count} times")
    for send in case.evidence.accepted:
        attempt = case.attempts.get(send.callback_data or "")
        if attempt is None:
            yield Violation("I3", f"{send.text[:60]!r} was sent without a mark in the store")
            continue
        part = case.by_id[attempt.part]
        if part.text != send.text:
            yield Violation("I2", f"{part.id} was sent with other words: {send.text[:60]!r}")
        if case.customer.get(part.conversation) != send.customer:
            yield Violation("I2", f"{part.id} of {case.customer.get(part.conversation)} was sent to {send.customer}")
    for id, sends in case.sends.items():
        certain = [send for send in sends[:-1] if send.callback_data not in case.doubted(id)]
        if certain:
            yield Violation("I3", f"{id} was accepted {len(sends)} times, and {len(certain)} of these were never in doubt")


def _doubts_held(case: _Case) -> Iterator[Violation]:
    """What is in doubt is left to its receipts for as long as was configured."""
    for part in case.parts:
        since: int | None = None
        for event in case.evidence.timelines[part.id]:
            if event.what == "sending" and since is not None:
                yield Violation("I3", f"{part.id} was sent again while it was in doubt")
            if event.what == "in_doubt_resolved" and since is not None and event.at - since < case.evidence.doubt_timeout:
                yield Violation("I3", f"{part.id} was in doubt for {event.at - since} ms, not {case.evidence.doubt_timeout}")
            since = event.at if event.what == "attempt_in_doubt" else None if event.what in OUT_OF_DOUBT else since


def _doubles_counted(case: _Case) -> Iterator[Violation]:
    known = sum(
        max(0, sum(attempt.state == "accepted" for attempt in attempts) - 1) for attempts in case.evidence.attempts.values()
    )
    counted = case.evidence.counts.get("duplicate_sends", 0)
    if counted != known:
        yield Violation("I3", f"{known} doubles are known to the store, and {counted} are counted")


def _out_of_order(case: _Case) -> Iterator[Violation]:
    firsts: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for send in case.evidence.accepted:
        attempt = case.attempts.get(send.callback_data or "")
        if attempt is not None and attempt.part not in seen:
            seen.add(attempt.part)
            firsts[case.by_id[attempt.part].conversation].append(attempt.part)
    stored: defaultdict[str, list[str]] = defaultdict(list)
    for message in case.inbound:
        stored[message.conversation].append(message.text)
    said: defaultdict[str, list[str]] = defaultdict(list)
    for each in case.evidence.said:
        said[each.customer].append(each.text)
    for conversation, parts in firsts.items():
        who = case.customer.get(conversation, conversation)
        if parts != sorted(parts, key=case.place.__getitem__):
            yield Violation("I4", f"{who} was sent {', '.join(parts)} in this order")
        heard = [text for part in parts for text in answered(case.by_id[part].text)]
        wanted = [text for text in stored[conversation] if text in set(heard)]
        if heard != wanted:
            yield Violation("I4", f"{who} was answered {heard}, having said {wanted}")
    for conversation, texts in stored.items():
        who = case.customer.get(conversation, conversation)
        kept = set(texts)
        if case.evidence.in_turn and texts != [text for text in said[who] if text in kept]:
            yield Violation("I4", f"{who} said {said[who]}, stored as {texts}")


def _lost(case: _Case) -> Iterator[str]:
    """Messages that were acknowledged and neither answered nor ended where somebody can see it."""
    heard = {text for send in case.evidence.accepted for text in answered(send.text)}
    unsent = {text for part in case.parts if part.state in VISIBLE for text in answered(part.text)}
    ended = {each.external_id for each in case.inbound if each.state in ENDED}
    for id in case.evidence.acknowledged:
        if id in case.said and id not in ended and case.said[id].text not in heard | unsent:
            yield id


def _ended(case: _Case) -> Iterator[Violation]:
    for message in case.inbound:
        if message.state != "answered" and not (message.state in ENDED and message.reason):
            yield Violation("I5", f"{message.text!r} ended {message.state}, reason {message.reason}")
    for part in case.parts:
        good = part.state in RECEIPT_RANK or (part.state in VISIBLE and part.reason)
        if not good:
            yield Violation("I5", f"{part.id} ended {part.state}, reason {part.reason}")


def _nothing_left(case: _Case) -> Iterator[Violation]:
    if case.evidence.pending:
        yield Violation("I7", f"{case.evidence.pending} jobs are left")
    if case.evidence.open_work:
        yield Violation("I7", f"{case.evidence.open_work} conversations have open work")


def _nothing_said(case: _Case) -> Iterator[Violation]:
    hidden = {**dict.fromkeys(case.evidence.secrets, "a secret"), CANARY: "a customer's words"}
    for line in case.evidence.output:
        for text, what in hidden.items():
            if text in line:
                yield Violation("I8", f"{what} in the log: {line.strip().replace(text, '…')[:200]}")


def _asked_once(case: _Case) -> Iterator[Violation]:
    asked: defaultdict[str, list[int]] = defaultdict(list)
    customer = {each.text: each.customer for each in case.evidence.said}
    for call in case.evidence.calls:
        for text in call.asked:
            asked[text].append(call.number)
        people = {customer.get(text) for text in map(_content, call.messages) if text in customer}
        if len(people) > 1:
            yield Violation("ASK", f"call {call.number} was shown the words of {', '.join(sorted(map(str, people)))}")
    for text, numbers in asked.items():
        for before, after in itertools.pairwise(numbers):
            if not any(before <= restart < after for restart in case.evidence.restarts):
                yield Violation("ASK", f"{text!r} was asked in call {before} and again in {after}, with no crash between")


def _content(message: Mapping[str, Any]) -> str:
    return str(message.get("content") or "")
