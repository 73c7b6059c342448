"""Where a conversation's account leads."""

from __future__ import annotations

from sara import Responder
from sara.engines import JobRequest, OpenWork
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.policy.settings import ConversationSettings
from sara.queue.notifier import JobNotifier
from sara.testing import ManualClock
from tests.fakes import ACCOUNT, NOW, FakeChannel, FakeResponder, MemoryQueue

SUPPORT = ChannelBinding("support", FakeChannel(ACCOUNT), ConversationSettings(responder="assistant"), {})
SALES = ChannelBinding("sales", FakeChannel("test:2"), ConversationSettings(responder="seller"), {})
ROUTES = ChannelBindings([SUPPORT, SALES])
NOTIFIER = JobNotifier(MemoryQueue(ManualClock(NOW)), ROUTES.lanes_of)


def test_an_account_leads_to_its_channel_whatever_the_channel_is_called() -> None:
    assert ROUTES.of("test:1") is SUPPORT
    assert ROUTES.of("test:2") is SALES
    assert ROUTES.of("support") is None
    assert list(ROUTES) == [SUPPORT, SALES]


def test_a_lane_is_the_channel_for_sending_and_the_responder_for_asking() -> None:
    assert (SUPPORT.deliver_lane, SUPPORT.reply_lane) == ("deliver:support", "reply:assistant")


def test_who_answers_is_the_first_in_line_and_its_fallbacks_as_far_as_they_run() -> None:
    running: dict[str, Responder] = {}
    policy = ConversationSettings(responder="assistant", fallback=("second", "third"))
    route = ChannelBinding("support", FakeChannel(ACCOUNT), policy, running)
    assert route.responders == []
    third, assistant = FakeResponder(), FakeResponder()
    running["third"] = third
    running["stranger"] = FakeResponder()
    running["assistant"] = assistant
    assert route.responders == [("assistant", assistant), ("third", third)]


def test_open_work_calls_for_the_jobs_that_are_due_each_in_its_lane() -> None:
    work = [OpenWork("c1", "test:1", NOW, None), OpenWork("c2", "test:2", NOW + 1, NOW + 2), OpenWork("c3", "test:1", None, None)]
    assert NOTIFIER.jobs(work) == [
        JobRequest("reply", "c1", NOW, "reply:assistant"),
        JobRequest("reply", "c2", NOW + 1, "reply:seller"),
        JobRequest("deliver", "c2", NOW + 2, "deliver:sales"),
    ]


def test_work_that_was_due_at_the_dawn_of_time_is_due() -> None:
    assert [wake.due for wake in NOTIFIER.jobs([OpenWork("c1", "test:1", 0, 0)])] == [0, 0]


def test_work_of_an_account_that_is_not_configured_sleeps() -> None:
    work = [OpenWork("c9", "test:9", NOW, NOW), OpenWork("c1", "test:1", NOW, None)]
    assert [wake.key for wake in NOTIFIER.jobs(work)] == ["c1"]
