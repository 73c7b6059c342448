"""How much of a conversation a responder is given, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sara.domain.messages import HistoryMessage
from sara.domain.replies import ReplyView, Turn
from sara.domain.time import Milliseconds

_PER_LINE = 4

LATE: Milliseconds = 300_000
"""A person's words from outside SARA stand behind what was said up to so long after them: clocks differ."""


def estimated_tokens(text: str) -> int:
    """Estimate tokens without a tokenizer: one is about four bytes of UTF-8, and every message costs a few more."""
    return -(-len(text.encode("utf-8", "replace")) // 4) + _PER_LINE


def in_order_of_writing(lines: Sequence[HistoryMessage]) -> tuple[HistoryMessage, ...]:
    """Sort lines by the time of writing where that differs from the order in which they are stored.

    What a customer wrote between two answers is ordered by the provider's timestamp, and by arrival where that is the same; no line
    leaves its turn. Words of a person of the business that were told late stand where they were said.
    """
    ordered: list[HistoryMessage] = []
    for line in lines:
        place = len(ordered)
        if line.role == "customer":
            while place > 0 and ordered[place - 1].role == "customer" and ordered[place - 1].at > line.at:
                place -= 1
        elif line.role == "operator":
            while place > 0 and ordered[place - 1].at > line.at + LATE:
                place -= 1
        ordered.insert(place, line)
    return tuple(ordered)


def as_it_is_now(turn: Turn, view: ReplyView | None) -> Turn | None:
    """Return the turn with later edits and deletions in its history; None where a message that is to be answered was changed."""
    waiting = {} if view is None else {line.id: line for line in view.waiting}
    for line in turn.messages:
        found = waiting.get(line.id)
        if found is None or (found.text, found.kind) != (line.text, line.kind):
            return None
    known = {} if view is None else {line.id: line for line in view.history}
    changed = {
        line.id: replace(found, attachments=() if found.withdrawn else line.attachments)
        for line in turn.history
        if (found := known.get(line.id)) is not None and (found.text, found.withdrawn) != (line.text, line.withdrawn)
    }
    return replace(turn, history=tuple(changed.get(line.id, line) for line in turn.history)) if changed else turn


def window(
    history: Sequence[HistoryMessage], messages: Sequence[HistoryMessage], budget: int, most: int | None = None
) -> tuple[HistoryMessage, ...]:
    """Return the newest lines of `history`, at most `most`, that fit into `budget` tokens together with `messages`, which are
    always kept.

    A window holds whole turns: it never starts in the middle of what the customer said before an answer, nor with the answer.
    """
    left = budget - sum(estimated_tokens(line.text) for line in messages)
    oldest = 0 if most is None else max(0, len(history) - most)
    start = len(history)
    while start > oldest:
        left -= estimated_tokens(history[start - 1].text)
        if left < 0:
            break
        start -= 1
    if start > 0:
        while start < len(history) and not _begins_a_turn(history, start):
            start += 1
    return tuple(history[start:])


def _begins_a_turn(history: Sequence[HistoryMessage], at: int) -> bool:
    return history[at].role == "customer" and (at == 0 or history[at - 1].role != "customer")
