"""Where a conversation's account leads."""

from __future__ import annotations

from sara import OpenWork, Responder, Wake
from sara.pipeline.bindings import Route, Routes
from sara.policy.settings import Conversation
from sara.queue.notifier import JobNotifier
from sara.testing import HandClock
from tests.fakes import ACCOUNT, NOW, FakeChannel, FakeResponder, MemoryQueue

SUPPORT = Route("support", FakeChannel(ACCOUNT), Conversation(responder="assistant"), {})
SALES = Route("sales", FakeChannel("test:2"), Conversation(responder="seller"), {})
ROUTES = Routes([SUPPORT, SALES])
NOTIFIER = JobNotifier(MemoryQueue(HandClock(NOW)), ROUTES.lanes_of)


def test_an_account_leads_to_its_channel_whatever_the_channel_is_called() -> None:
    assert ROUTES.of("test:1") is SUPPORT
    assert ROUTES.of("test:2") is SALES
    assert ROUTES.of("support") is None
    assert list(ROUTES) == [SUPPORT, SALES]


def test_a_lane_is_the_channel_for_sending_and_the_responder_for_asking() -> None:
    assert (SUPPORT.deliver_lane, SUPPORT.reply_lane) == ("deliver:support", "reply:assistant")


def test_who_answers_is_the_first_in_line_and_its_fallbacks_as_far_as_they_run() -> None:
    running: dict[str, Responder] = {}
    policy = Conversation(responder="assistant", fallback=("second", "third"))
    route = Route("support", FakeChannel(ACCOUNT), policy, running)
    assert route.responders == []
    third, assistant = FakeResponder(), FakeResponder()
    running["third"] = third
    running["stranger"] = FakeResponder()
    running["assistant"] = assistant
    assert route.responders == [("assistant", assistant), ("third", third)]


def test_open_work_calls_for_the_jobs_that_are_due_each_in_its_lane() -> None:
    work = [OpenWork("c1", "test:1", NOW, None), OpenWork("c2", "test:2", NOW + 1, NOW + 2), OpenWork("c3", "test:1", None, None)]
    assert NOTIFIER.jobs(work) == [
        Wake("reply", "c1", NOW, "reply:assistant"),
        Wake("reply", "c2", NOW + 1, "reply:seller"),
        Wake("deliver", "c2", NOW + 2, "deliver:sales"),
    ]


def test_work_that_was_due_at_the_dawn_of_time_is_due() -> None:
    assert [wake.due for wake in NOTIFIER.jobs([OpenWork("c1", "test:1", 0, 0)])] == [0, 0]


def test_work_of_an_account_that_is_not_configured_sleeps() -> None:
    work = [OpenWork("c9", "test:9", NOW, NOW), OpenWork("c1", "test:1", NOW, None)]
    assert [wake.key for wake in NOTIFIER.jobs(work)] == ["c1"]
