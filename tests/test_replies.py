"""A reply job: is anything unanswered?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest

from sara import (
    Again,
    Attachment,
    Done,
    Draft,
    GiveUp,
    HistoryLimits,
    Job,
    JobEnd,
    JobKind,
    OpenWork,
    Reply,
    ReplyView,
    Stale,
    StoreUnavailable,
    TryLater,
    Turn,
    Usage,
    Wake,
)
from sara.config import Conversation, History, RetryPolicy
from sara.gates import BLOCKED_LOOK, LANE_LOOK
from sara.replies import GRACE, Replies, turn_of
from sara.routes import Routes
from tests.fakes import ACCOUNT, CONVERSATION, NOW, FakeChannel, FakeResponder, House, job, line, reply_view, without_waiting

JOB: Job = job("reply", lane="reply:assistant")
LINES = (line("in-1", "hello"), line("in-2", "anybody there?"))
MINUTE, HOUR = 60_000, 3_600_000
LONGEST = 5 * MINUTE


def house_of(*responders: FakeResponder, view: ReplyView | None = None, **policy: Any) -> House:
    """A house in which these responders are asked in turn and two messages wait."""
    names = ("assistant", "second", "third")
    house = House(dict(zip(names, responders, strict=False)), Conversation(responder="assistant", fallback=names[1:], **policy))
    house.store.replying = reply_view(*LINES) if view is None else view
    return house


def replies_of(house: House, policy: RetryPolicy | None = None, chance: Callable[[], float] = lambda: 0.0) -> Replies:
    return Replies(
        house.store,
        house.queue,
        house.routes,
        house.lanes,
        house.hooks,
        house.problems,
        policy or RetryPolicy(),
        house.clock,
        chance,
        house.strays,
        house.files,
        house.manners,
    )


async def run(house: House, policy: RetryPolicy | None = None) -> JobEnd:
    """Run the job once."""
    return await replies_of(house, policy)(JOB)


# ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_that_waits_is_answered_at_once_and_its_delivery_woken() -> None:
    responder = FakeResponder(Reply((Draft("Yes!"), Draft("How can I help?")), Usage(10, 5, "m")))
    house = house_of(responder)
    assert await run(house) == Done()
    [turn] = responder.turns
    assert turn.messages == LINES
    answers = ("in-1", "in-2")
    assert house.store.called("begin_reply") == [(CONVERSATION, answers, NOW)]
    parts = (Draft("Yes!"), Draft("How can I help?"))
    assert house.store.called("save_reply") == [(CONVERSATION, 1, answers, parts, Usage(10, 5, "m"), NOW)]
    assert house.queue.woken == [Wake("deliver", CONVERSATION, NOW, "deliver:support")]


async def test_a_call_is_counted_before_it_is_made() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    counted: list[int] = []

    async def think() -> None:
        counted.append(len(house.store.called("begin_reply")))

    responder.thinking = think
    await run(house)
    assert counted == [1]


async def test_an_answer_is_cut_into_the_parts_that_the_channel_carries() -> None:
    house = house_of(FakeResponder("one two three"))
    house.channel.text_limit = 8
    await run(house)
    [(_, _, _, parts, _, _)] = house.store.called("save_reply")
    assert parts == (Draft("one two"), Draft("three"))


async def test_messages_that_came_meanwhile_are_looked_at_next() -> None:
    house = house_of(FakeResponder())
    house.store.reply_due = NOW + 700
    assert await run(house) == Again(NOW + 700)


async def test_plugins_are_told_of_the_answer() -> None:
    house = house_of(FakeResponder())
    listener = house.listens()
    await run(house)
    await house.hooks.settle()
    assert listener.told == [("reply_ready", (CONVERSATION, ["in-1", "in-2"]))]


async def test_an_answer_to_what_was_settled_meanwhile_is_dropped() -> None:
    house = house_of(FakeResponder())
    house.store.fails["save_reply"] = [Stale()]
    assert await run(house) == Again(NOW)
    assert house.queue.woken == []
    assert house.store.wrote() == ["begin_reply", "save_reply"]
    assert house.listed() == {}


# ── nothing to answer, or not now ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_conversation_is_done() -> None:
    house = house_of(FakeResponder())
    house.store.replying = None
    assert await run(house) == Done()
    assert house.store.wrote() == []


async def test_a_conversation_whose_channel_is_gone_is_left_as_it_is() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, account="test:9"))
    assert await run(house) == Done()
    assert house.store.wrote() == []
    assert responder.turns == []


async def test_where_nothing_waits_nobody_is_asked() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view())
    assert await run(house) == Done()
    assert house.store.wrote() == []
    assert responder.turns == []


async def test_a_due_without_messages_is_settled() -> None:
    house = house_of(FakeResponder(), view=reply_view(due=NOW))
    assert await run(house) == Done()
    assert house.store.wrote() == ["end_reply"]


@pytest.mark.parametrize(
    ("changes", "end", "wrote"),
    [
        ({"due": NOW + 400}, Again(NOW + 400), []),
        ({"delivery": "in_doubt"}, Again(NOW + BLOCKED_LOOK), ["look_again"]),
        ({"delivery": "backing_off"}, Again(NOW + BLOCKED_LOOK), ["look_again"]),
    ],
    ids=["quiet", "in doubt", "backing off"],
)
async def test_what_has_to_wait_counts_no_attempt(changes: dict[str, Any], end: JobEnd, wrote: list[str]) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, **changes))
    assert await run(house) == end
    assert house.store.wrote() == wrote
    assert responder.turns == []


async def test_what_cleared_while_it_was_written_down_is_noticed_at_once() -> None:
    house = house_of(FakeResponder(), view=reply_view(*LINES, delivery="in_doubt"))
    look_again = house.store.look_again

    async def looking(conversation: str, kind: str, due: int, now: int) -> OpenWork:
        house.store.replying = reply_view(*LINES)
        return await look_again(conversation, kind, due, now)

    house.store.look_again = looking  # type: ignore[method-assign]  # the same, and the delivery ends meanwhile
    assert await run(house) == Again(NOW)


@pytest.mark.parametrize(
    ("later", "looks"),
    [("clear", [NOW + BLOCKED_LOOK, NOW]), ("in_doubt", [NOW + BLOCKED_LOOK]), ("backing_off", [NOW + BLOCKED_LOOK])],
)
async def test_what_cleared_while_it_was_put_off_is_not_left_put_off_in_the_store(later: str, looks: list[int]) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, delivery="in_doubt"))
    look_again = house.store.look_again

    async def looking(conversation: str, kind: JobKind, due: int, now: int) -> OpenWork:
        house.store.replying = reply_view(*LINES, delivery=later)
        return await look_again(conversation, kind, due, now)

    house.store.look_again = looking  # type: ignore[method-assign]  # the same, and the delivery changes meanwhile
    assert await run(house) == Again(looks[-1])
    # A process that ends now looks again when the store says so.
    assert house.store.called("look_again") == [(CONVERSATION, "reply", due, NOW) for due in looks]
    assert responder.turns == []


async def test_the_ai_is_not_asked_for_answers_that_a_held_channel_cannot_take() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    house.lanes.unavailable("deliver:support", "the token has expired", "")
    assert await run(house) == Again(NOW + LANE_LOOK)
    assert house.store.called("look_again") == [(CONVERSATION, "reply", NOW + LANE_LOOK, NOW)]
    assert responder.turns == []


async def test_without_a_running_responder_messages_wait() -> None:
    house = house_of()
    assert await run(house) == Again(NOW + BLOCKED_LOOK)
    assert house.store.wrote() == ["look_again"]


@pytest.mark.parametrize(
    ("view", "skipped", "reason"),
    [
        (reply_view(*LINES, opted_out=True), ("in-1", "in-2"), "opted_out"),
        (reply_view(line("in-0", at=NOW - 13 * HOUR), LINES[0]), ("in-0",), "too_old"),
    ],
)
async def test_what_is_not_answered_is_kept_with_its_reason(view: ReplyView, skipped: tuple[str, ...], reason: str) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=view)
    house.store.reply_due = NOW
    assert await run(house) == Again(NOW)
    assert house.store.called("end_reply") == [(CONVERSATION, skipped, "skipped", reason, NOW)]
    assert responder.turns == []
    # A clock that is wrong makes everything look old: that must not go unnoticed.
    assert house.listed() == ({"replies:too_old": 1} if reason == "too_old" else {})


# ── failing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [TryLater("busy"), GiveUp("no such model"), RuntimeError("a bug")])
async def test_responders_are_asked_in_turn_until_one_answers(error: Exception) -> None:
    first, second, third = FakeResponder(error), FakeResponder("I can."), FakeResponder("So can I.")
    house = house_of(first, second, third)
    assert await run(house) == Done()
    assert [len(each.turns) for each in (first, second, third)] == [1, 1, 0]
    [(_, attempt, _, parts, _, _)] = house.store.called("save_reply")
    assert (attempt, parts) == (1, (Draft("I can."),))


async def test_one_pass_through_all_responders_is_one_attempt() -> None:
    house = house_of(FakeResponder(TryLater("busy")), FakeResponder(GiveUp("never")), FakeResponder(TryLater("away")))
    assert await run(house) == Again(NOW + 1_000)
    assert house.store.wrote() == ["begin_reply", "postpone_reply"]


@pytest.mark.parametrize("other", [TryLater("busy"), RuntimeError("a bug")])
async def test_as_long_as_one_may_answer_later_all_are_asked_again(other: Exception) -> None:
    house = house_of(FakeResponder(GiveUp("never")), FakeResponder(other))
    assert isinstance(await run(house), Again)
    assert house.store.called("end_reply") == []


async def test_what_all_give_up_is_dead_at_once() -> None:
    house = house_of(FakeResponder(GiveUp("too long")), FakeResponder(GiveUp("too long for me too")))
    assert await run(house) == Done()
    [(_, answers, state, reason, _)] = house.store.called("end_reply")
    assert (answers, state) == (("in-1", "in-2"), "dead")
    assert "too long" in reason
    assert house.listed()["replies:dead"] == 1


async def test_a_responder_that_is_away_is_asked_after_one_two_and_four_seconds_then_at_the_longest_until_it_outlasts() -> None:
    house = house_of(FakeResponder(TryLater("connection refused")))
    replies = replies_of(house)
    waits = []
    while isinstance(end := await replies(JOB), Again):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
    assert waits == [1_000, 2_000, 4_000, *[LONGEST] * 6]
    assert house.clock() - NOW >= 30 * MINUTE
    [(_, _, state, reason, _)] = house.store.called("end_reply")
    assert state == "dead"
    assert reason.startswith("outlasted")
    assert "connection refused" in reason
    assert house.listed()["replies:dead"] == 1


async def test_a_responder_that_is_broken_is_asked_as_often_as_the_attempts_say() -> None:
    responder = FakeResponder(RuntimeError("a bug"))
    house = house_of(responder)
    replies = replies_of(house)
    waits = []
    while isinstance(end := await replies(JOB), Again):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
    assert waits == [1_000, 2_000, 4_000]
    assert len(responder.turns) == 4
    [(_, _, state, reason, _)] = house.store.called("end_reply")
    assert state == "dead"
    assert reason.startswith("attempts_used_up")
    assert house.listed() == {"responder:assistant:error": 4, "replies:dead": 1}


async def test_one_that_is_only_away_gives_those_that_are_broken_more_time() -> None:
    view = reply_view(*LINES, attempts=3, first_at=NOW)
    house = house_of(FakeResponder(RuntimeError("a bug")), FakeResponder(TryLater("connection refused")), view=view)
    assert await run(house) == Again(NOW + LONGEST)
    assert house.store.called("end_reply") == []


async def test_a_wait_that_the_responder_asked_for_is_kept() -> None:
    house = house_of(FakeResponder(TryLater("rate limit", after=42_000)))
    assert await run(house) == Again(NOW + 42_000)
    [(_, attempt, due, error, _)] = house.store.called("postpone_reply")
    assert (attempt, due) == (1, NOW + 42_000)
    assert "rate limit" in error


async def test_chance_spreads_the_long_waits() -> None:
    house = house_of(FakeResponder(TryLater("busy")), view=reply_view(*LINES, attempts=5, first_at=NOW))
    assert await replies_of(house, chance=lambda: 0.5)(JOB) == Again(NOW + LONGEST * 95 // 100)


async def test_a_failure_that_was_overtaken_is_dropped() -> None:
    house = house_of(FakeResponder(TryLater("busy")))
    house.store.fails["postpone_reply"] = [Stale()]
    assert await run(house) == Again(NOW)


async def test_an_empty_answer_is_no_answer() -> None:
    house = house_of(FakeResponder("   "))
    assert await run(house) == Again(NOW + 1_000)
    assert house.store.called("save_reply") == []


async def test_where_the_first_says_nothing_the_next_is_asked() -> None:
    house = house_of(FakeResponder("   "), FakeResponder("I can."))
    assert await run(house) == Done()


def test_a_responder_that_hangs_is_given_up_and_the_next_is_asked() -> None:
    hanging, ready = FakeResponder(), FakeResponder("I can.")
    hanging.timeout = 60_000

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    hanging.thinking = hang

    async def main() -> float:
        house = house_of(hanging, ready)
        began = asyncio.get_running_loop().time()
        assert await run(house) == Done()
        return asyncio.get_running_loop().time() - began

    assert (60_000 + GRACE) / 1_000 <= without_waiting(main()) < 60_000 / 1_000 + 60
    assert len(ready.turns) == 1


async def test_a_responder_that_hands_back_rubbish_is_broken() -> None:
    house = house_of(FakeResponder(None))  # type: ignore[arg-type]  # nobody checks the types of a stranger's plugin
    replies = replies_of(house)
    ends = [await replies(JOB)]
    while isinstance(ends[-1], Again):
        house.clock.now = ends[-1].at
        ends.append(await replies(JOB))
    assert len(ends) == 4
    assert "responder:assistant:error" in house.problems


async def test_a_responder_that_works_again_is_no_problem_any_more() -> None:
    house = house_of(FakeResponder(RuntimeError("a bug"), "Hi!"))
    replies = replies_of(house)
    await replies(JOB)
    assert "responder:assistant:error" in house.problems
    house.clock.forward(1_000)
    assert await replies(JOB) == Done()
    assert "responder:assistant:error" not in house.problems


@pytest.mark.parametrize("method", ["begin_reply", "save_reply", "reply_view"])
async def test_a_store_that_is_away_is_the_queues_business(method: str) -> None:
    house = house_of(FakeResponder())
    house.store.fails[method] = [StoreUnavailable()]
    with pytest.raises(StoreUnavailable):
        await run(house)


# ── what a responder is asked ─────────────────────────────────────────────────────────────────────────────────────────────

Q1, A1, Q2, A2 = line("q1"), line("a1", role="assistant"), line("q2"), line("a2", role="assistant")


def turn(view: ReplyView, messages: int = 40, tokens: int = 8_000) -> Turn:
    house = house_of(view=view, history=History(messages=messages, tokens=tokens))
    return turn_of(view, house.route, NOW)


def test_a_responder_sees_each_message_on_its_own_after_the_history() -> None:
    view = reply_view(*LINES, history=(Q1, A1))
    asked = turn(view)
    assert (asked.conversation, asked.account, asked.contact, asked.now) == (CONVERSATION, ACCOUNT, view.contact, NOW)
    assert (asked.history, asked.messages) == ((Q1, A1), LINES)


@pytest.mark.parametrize(("messages", "expected"), [(4, (Q1, A1, Q2, A2)), (2, (Q2, A2)), (0, ())])
def test_history_is_cut_to_so_many_messages(messages: int, expected: tuple[object, ...]) -> None:
    assert turn(reply_view(*LINES, history=(Q1, A1, Q2, A2)), messages).history == expected


def test_history_is_cut_to_so_many_tokens() -> None:
    assert turn(reply_view(LINES[0], history=(Q1, A1, Q2, A2)), tokens=20).history == (Q2, A2)


def test_a_history_cut_by_count_does_not_start_with_an_answer_either() -> None:
    assert turn(reply_view(*LINES, history=(Q1, A1, Q2, A2)), messages=3).history == (Q2, A2)


async def test_a_history_that_the_store_cut_by_count_does_not_start_with_an_answer_either() -> None:
    responder = FakeResponder()
    house = house_of(responder, history=History(messages=3))
    whole = (Q1, A1, Q2, A2)

    async def view(conversation: str, limits: HistoryLimits) -> ReplyView:
        return reply_view(*LINES, history=whole[-limits.messages :])

    house.store.reply_view = view  # type: ignore[method-assign]  # keeps to the limit, as every store does
    await run(house)
    [asked] = responder.turns
    assert asked.history == (Q2, A2)


async def test_no_more_history_is_read_than_any_channel_wants() -> None:
    house = house_of(FakeResponder(), history=History(messages=7))
    house.store.replying = replace(reply_view(*LINES), history=())
    await run(house)
    [(_, limits)] = house.store.called("reply_view")
    assert 7 <= limits.messages <= 8


async def test_a_reply_job_wakes_no_reply_job() -> None:
    house = house_of(FakeResponder())
    house.store.reply_due = NOW
    await run(house)
    assert {wake.kind for wake in house.queue.woken} == {"deliver"}


# ── files, readings, presence ─────────────────────────────────────────────────────────────────────────────────────────────


def content(path: PurePath) -> bytes:
    return Path(path).read_bytes()


async def test_files_are_fetched_before_the_responder_is_asked_and_once_the_call_is_counted(tmp_path: Path) -> None:
    fetched: list[list[str]] = []

    class Camera(FakeChannel):
        async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
            fetched.append(house.store.wrote())
            yield b"a cat"

    responder = FakeResponder("A cat!")
    house = House({"assistant": responder}, folder=tmp_path)
    house.route = replace(house.route, channel=Camera())
    house.routes = Routes([house.route])
    picture = Attachment("image", "image/jpeg", "media-1", id="at1")
    old = replace(picture, id="at0", path=PurePath("old"))
    (tmp_path / "old").write_bytes(b"a dog")
    house.store.replying = reply_view(
        replace(line("in-2", "[image]"), attachments=(picture,)), history=(replace(line("in-1"), attachments=(old,)),)
    )
    await run(house)
    assert fetched == [["begin_reply"]]
    [turn] = responder.turns
    [seen] = turn.messages[0].attachments
    assert seen.path is not None
    assert content(seen.path) == b"a cat"
    assert turn.history[0].attachments[0].path == tmp_path / "old"
    assert [name for name, *_ in house.store.called("keep_attachment")] == ["at1"]


async def test_what_a_responder_read_in_a_message_is_kept_with_the_answer() -> None:
    house = house_of(FakeResponder(Reply((Draft("On Monday."),), readings={"in-1": "When do you\x00 open?"})))
    await run(house)
    [(*_, readings)] = house.store.called("save_reply")
    assert readings == {"in-1": "When do you open?"}
