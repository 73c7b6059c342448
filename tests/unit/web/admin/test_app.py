"""For the operator: always authenticated, never for a page in somebody's browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from structlog.testing import capture_logs

from sara import OutgoingContent
from sara.engines import Conflict, Handoff, JobRequest, NotFound, StoreUnavailable, UnhealthyConversation
from sara.operations.ai_usage import AIUsage
from sara.operations.conversation_health import ConversationHealth
from sara.operations.erasure import ErasureService
from sara.operations.operator_actions import OperatorActions
from sara.operations.send_outcomes import SendOutcomes
from sara.web.admin import app
from sara.web.admin.app import AdminApp
from sara.web.admin.conversations import ActionRoutes, ConversationRoutes
from sara.web.admin.health import HealthRoutes, MetricsRoutes, UnparsedPayloadRoutes
from sara.web.admin.privacy import PrivacyRoutes
from sara.web.admin.queue import QueueRoutes
from sara.web.counted_log import INTERVAL_S
from tests.fakes import CONVERSATION, DEADLINE, NOW, DoorServer, House, delivery_view
from tests.rows import each_row

TOKEN = "a-token-that-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CLOSED = [
    ("GET", "/metrics"),
    ("GET", "/api/v1/problems"),
    ("GET", "/api/v1/unparsed"),
    ("GET", "/api/v1/queue"),
    ("GET", "/api/v1/queue/jobs"),
    ("POST", "/api/v1/queue/retry"),
    ("POST", "/api/v1/queue/drop"),
    ("GET", "/api/v1/search"),
    ("GET", "/api/v1/conversations/c1/events"),
    ("POST", "/api/v1/forget"),
    ("GET", "/api/v1/conversations"),
    ("POST", "/api/v1/conversations/c1/send"),
    ("GET", "/"),
    ("GET", "/nowhere"),
]


class Desk:
    """A house with its admin listener on loopback."""

    def __init__(self, *, loopback: bool = True) -> None:
        self.house = house = House()
        self.health = ConversationHealth(house.store, house.routes, house.problems, house.clock)
        self.state = HealthRoutes(house.problems)
        self.state.serving = True
        self.usage = AIUsage(house.store, house.manners.budget, house.clock)
        self.usage.current = self._spent  # type: ignore[method-assign]  # fixed figures
        acting = OperatorActions(house.store, house.routes, house.texts, house.clock)
        outcomes = SendOutcomes(house.store, house.routes, house.clock, house.queue.held, house.problems)
        erasure = ErasureService(house.store, house.queue, house.files, house.clock)
        self.privacy = PrivacyRoutes(house.store, erasure.forget)
        self.app = AdminApp(
            TOKEN,
            [
                self.state,
                MetricsRoutes(house.store, house.queue, house.problems, house.call_guard.count_stuck, self.health, self.usage),
                UnparsedPayloadRoutes(house.store),
                QueueRoutes(house.store, house.queue, house.notifier, house.problems, self._clear_solved, house.clock),
                self.privacy,
                ConversationRoutes(house.store, self.health),
                ActionRoutes(acting, house.notifier, house.clock, outcomes),
            ],
            is_loopback=loopback,
        )
        self.client: TestClient[web.Request, web.Application] = TestClient(DoorServer(self.app.application()))

    async def _clear_solved(self) -> None:
        """Nothing was wrong."""

    async def _spent(self) -> dict[str, Mapping[str, int]]:
        return {"day": {"calls": 1, "money": 450}}

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, headers=BEARER if headers is None else headers, **more) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with desk.client:
        yield desk


# ── who may come in ───────────────────────────────────────────────────────────────────────────────────────────────────────


WRONG = [
    None,
    "",
    TOKEN,
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    f"Bearer {TOKEN}x",
    f"Basic {TOKEN}",
    f"Bearer {TOKEN[:-1]}",
    "Bearer é",
]


@pytest.fixture(autouse=True)
def failures_cost_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "FAILED_LOGIN_DELAY_S", 0.0)


async def test_without_the_token_there_is_nothing(desk: Desk) -> None:
    for method, path in CLOSED:
        for authorization in WRONG:
            headers = {} if authorization is None else {"Authorization": authorization}
            async with desk.client.request(method, path, headers=headers) as response:
                assert response.status == 401, (method, path, authorization)
                assert response.headers["WWW-Authenticate"] == "Bearer"
    assert desk.house.store.calls == []


class TestFailedLogins:
    async def test_a_wrong_token_is_answered_late_and_others_do_not_wait(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release, waits = asyncio.Event(), []

        async def pause(seconds: float) -> None:
            waits.append(seconds)
            await release.wait()

        monkeypatch.setattr(app, "sleep", pause)
        monkeypatch.setattr(app, "FAILED_LOGIN_DELAY_S", 1.0)
        tries = [asyncio.create_task(desk.ask("GET", "/api/v1/queue", {"Authorization": f"Bearer {n}"})) for n in range(5)]
        async with asyncio.timeout(DEADLINE):
            while len(waits) < len(tries):
                assert (await desk.ask("GET", "/api/v1/problems"))[0] == 200
                assert (await desk.ask("GET", "/api/v1/problems", {}))[0] == 401, "without a token nothing was tried"
        assert not any(each.done() for each in tries)
        assert waits == [1.0] * 5
        release.set()
        assert [status for status, _ in await asyncio.gather(*tries)] == [401] * 5

    async def test_they_are_counted_in_one_line_a_minute(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        minutes: list[Callable[[], None]] = []
        loop = asyncio.get_running_loop()
        real = loop.call_later

        def call_later(delay: float, callback: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:
            if delay == INTERVAL_S:
                minutes.append(callback)
            return real(delay, callback, *args, **more)

        monkeypatch.setattr(loop, "call_later", call_later)
        with capture_logs() as logged:
            for count in (7, 3, 0):
                for n in range(count):
                    await desk.ask("GET", "/api/v1/queue", {"Authorization": f"Bearer wrong-{n}"})
                if minutes:
                    minutes.pop()()
        lines = [line for line in logged if line["event"] == "admin_login_failed"]
        assert [line["count"] for line in lines] == [1, 6, 3]
        assert all(line["peer"] == "127.0.0.1" for line in lines)
        assert "wrong-" not in repr(logged)


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
async def test_with_the_token_one_comes_in(desk: Desk, authorization: str) -> None:
    assert (await desk.ask("GET", "/api/v1/problems", {"Authorization": authorization}))[0] == 200


@each_row("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example:8081", "localhost.evil.example"])
@each_row("path", ["/healthz", "/api/v1/queue"])
async def test_a_page_that_calls_us_by_its_own_name_gets_nothing(desk: Desk, host: str, path: str) -> None:
    assert (await desk.ask("GET", path, {**BEARER, "Host": host}))[0] == 421
    assert desk.house.store.calls == []


@each_row("host", ["localhost", "localhost:8081", "127.0.0.1", "127.0.0.1:8081", "[::1]", "[::1]:8081"])
async def test_the_names_of_this_machine_are_known(desk: Desk, host: str) -> None:
    assert (await desk.ask("GET", "/healthz", {"Host": host}))[0] == 200


async def test_a_listener_that_others_may_reach_answers_to_any_name() -> None:
    desk = Desk(loopback=False)
    async with desk.client:
        assert (await desk.ask("GET", "/healthz", {"Host": "sara.internal:8081"}))[0] == 200
        assert (await desk.ask("GET", "/api/v1/queue", {"Host": "sara.internal:8081"}))[0] == 401


@each_row(
    ("path", "headers", "status"),
    [
        ("/healthz", {}, 200),
        ("/api/v1/problems", BEARER, 200),
        ("/nowhere", BEARER, 404),
        ("/", {}, 401),
        ("/", {"Host": "evil.example"}, 421),
    ],
)
async def test_every_answer_tells_browsers_to_be_careful(desk: Desk, path: str, headers: dict[str, str], status: int) -> None:
    async with desk.client.get(path, headers=headers) as response:
        assert response.status == status
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Cache-Control"] == "no-store"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]


# ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_health_needs_no_token_and_tells_no_details(desk: Desk) -> None:
    desk.house.problems.report("token", "the token of ana has expired")
    assert await desk.ask("GET", "/healthz", {}) == (200, {"status": "serving"})
    assert await desk.ask("GET", "/readyz", {}) == (200, {"status": "ready"})


async def test_while_starting_or_draining_it_is_not_healthy(desk: Desk) -> None:
    desk.state.serving = False
    assert (await desk.ask("GET", "/healthz", {}))[0] == 503
    assert (await desk.ask("GET", "/readyz", {}))[0] == 503


async def test_who_cannot_store_is_alive_but_not_ready(desk: Desk) -> None:
    desk.house.problems.report("store:messages:write_failed", "the disk is full")
    assert (await desk.ask("GET", "/healthz", {}))[0] == 200
    assert (await desk.ask("GET", "/readyz", {}))[0] == 503


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_problems_are_listed_with_their_remedies(desk: Desk) -> None:
    desk.house.problems.report("token", "the token has expired", "make a new one")
    problem = {
        "key": "token",
        "message": "the token has expired",
        "remedy": "make a new one",
        "since": NOW,
        "severity": "error",
        "count": 1,
    }
    assert await desk.ask("GET", "/api/v1/problems") == (200, {"problems": [problem]})


async def test_figures_of_queue_and_messages_come_together(desk: Desk) -> None:
    desk.house.store.figures = {"in.waiting": 2}
    await desk.house.queue.wake([JobRequest("reply", "c1", NOW, "r")])
    status, figures = await desk.ask("GET", "/api/v1/queue")
    assert status == 200
    assert figures["messages"] == {"in.waiting": 2}
    assert (figures["queue"]["woken"], figures["queue"]["pending"]) == (1, 1)
    assert figures["problems"] == []


async def test_jobs_are_listed_up_to_a_limit(desk: Desk) -> None:
    await desk.house.queue.wake([JobRequest("reply", f"c{n}", NOW + n, "r") for n in range(3)])
    _, listed = await desk.ask("GET", "/api/v1/queue/jobs")
    assert [job["key"] for job in listed["jobs"]] == ["c0", "c1", "c2"]
    _, listed = await desk.ask("GET", "/api/v1/queue/jobs?limit=2")
    assert [job["key"] for job in listed["jobs"]] == ["c0", "c1"]


@each_row("limit", ["many", "", "1.5", "-1", "9" * 5_000])
async def test_a_limit_that_is_no_number_is_a_bad_request(desk: Desk, limit: str) -> None:
    status, answer = await desk.ask("GET", f"/api/v1/queue/jobs?limit={limit}")
    assert status == 400
    assert "limit" in answer["error"]


async def test_metrics_are_prometheus_text(desk: Desk) -> None:
    async with desk.client.get("/metrics", headers=BEARER) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "sara_jobs_pending 0.0" in await response.text()


# ── mending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_revives_the_work_and_wakes_its_job(desk: Desk) -> None:
    status, work = await desk.ask("POST", "/api/v1/queue/retry", json={"kind": "reply", "key": CONVERSATION})
    assert (status, work["conversation"], work["reply_due"]) == (200, CONVERSATION, NOW)
    assert desk.house.store.called("retry_failed") == [(CONVERSATION, "reply", NOW)]
    assert desk.house.queue.woken == [JobRequest("reply", CONVERSATION, NOW, "reply:assistant")]


async def test_a_drop_gives_up_the_work_and_its_job(desk: Desk) -> None:
    await desk.house.queue.wake([JobRequest("deliver", CONVERSATION, NOW, "deliver:support")])
    status, _ = await desk.ask("POST", "/api/v1/queue/drop", json={"kind": "deliver", "key": CONVERSATION})
    assert status == 200
    assert desk.house.store.called("drop") == [(CONVERSATION, "deliver", NOW)]
    assert desk.house.queue.kept == {}


@each_row("path", ["/api/v1/queue/retry", "/api/v1/queue/drop"])
@each_row(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"reply"',
        b"null",
        b"{}",
        b'{"kind": "reply"}',
        b'{"kind": "dance", "key": "c1"}',
        b'{"kind": "reply", "key": 7}',
        b'{"kind": ["reply"], "key": "c1"}',
        b"\xff",
    ],
)
async def test_a_request_that_names_no_job_is_a_bad_one(desk: Desk, path: str, body: bytes) -> None:
    status, answer = await desk.ask("POST", path, {**BEARER, "Content-Type": "application/json"}, data=body)
    assert status == 400
    assert "kind" in answer["error"]
    assert desk.house.store.calls == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("there is no such conversation"), 404),
        (Conflict("the turn has moved on"), 409),
        (StoreUnavailable("disk full"), 503),
    ],
)
async def test_a_store_that_refuses_is_an_answer_not_a_crash(desk: Desk, error: Exception, status: int) -> None:
    desk.house.store.fails["retry_failed"] = [error]
    answer = await desk.ask("POST", "/api/v1/queue/retry", json={"kind": "reply", "key": "c9"})
    assert answer == (status, {"error": str(error)})
    assert desk.house.queue.woken == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/api/v1/queue/retry", 405), ("DELETE", "/api/v1/queue", 405)],
)
async def test_what_does_not_exist_is_said_in_json(desk: Desk, method: str, path: str, status: int) -> None:
    got, answer = await desk.ask(method, path)
    assert got == status
    assert answer["error"]


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    status, _ = await desk.ask("POST", "/api/v1/queue/drop", json={"kind": "reply", "key": "x" * 100_000})
    assert status == 413
    assert desk.house.store.calls == []


# ── acting on a conversation ──────────────────────────────────────────────────────────────────────────────────────────────

ACTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "handoff": ({}, "hand_over"),
    "resume": ({}, "hand_back"),
    "opt-out": ({}, "consent"),
    "opt-in": ({}, "consent"),
    "send": ({"text": "Hello!"}, "enqueue_messages"),
    "note": ({"text": "Allergic to nuts."}, "note"),
}
"""Each action with the least that it needs, and what it does to the store."""


def path_of(action: str, conversation: str = CONVERSATION) -> str:
    return f"/api/v1/conversations/{conversation}/{action}"


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_action_does_what_it_says_and_wakes_what_follows(desk: Desk, action: str) -> None:
    body, method = ACTIONS[action]
    desk.house.store.delivering = [delivery_view()]
    status, answer = await desk.ask("POST", path_of(action), json=body)
    assert status == 200
    assert len(desk.house.store.called(method)) == 1
    if action == "note":
        assert (answer, desk.house.queue.woken) == ({"work": []}, [])
    else:
        assert [work["conversation"] for work in answer["work"]] == [CONVERSATION]
        assert desk.house.queue.woken == [JobRequest("deliver", CONVERSATION, NOW, "deliver:support")]


@each_row("action", ACTIONS)
@each_row("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_without_the_token_nobody_acts(desk: Desk, action: str, headers: dict[str, str]) -> None:
    body, _ = ACTIONS[action]
    assert (await desk.ask("POST", path_of(action), headers, json=body))[0] == 401
    assert desk.house.store.calls == []


@each_row("action", ACTIONS)
async def test_a_page_in_the_operators_browser_does_not_act(desk: Desk, action: str) -> None:
    body, _ = ACTIONS[action]
    assert (await desk.ask("POST", path_of(action), {**BEARER, "Host": "evil.example"}, json=body))[0] == 421
    assert (await desk.ask("GET", path_of(action)))[0] == 405
    assert desk.house.store.calls == []


@each_row("action", ["handoff", "resume", "opt-out", "opt-in"])
async def test_what_needs_nothing_takes_nothing(desk: Desk, action: str) -> None:
    assert (await desk.ask("POST", path_of(action)))[0] == 200


@each_row("action", ACTIONS)
@each_row("body", [b"{", b"[]", b'"text"', b"null", b"7", b"\xff", b"{'text': 'x'}"])
async def test_a_body_that_is_no_object_is_a_bad_request(desk: Desk, action: str, body: bytes) -> None:
    status, answer = await desk.ask("POST", path_of(action), {**BEARER, "Content-Type": "application/json"}, data=body)
    assert (status, answer) == (400, {"error": "send a JSON object, or nothing"})
    assert desk.house.store.calls == []


@each_row(
    ("action", "body", "said"),
    [
        ("handoff", {"reason": 7}, "reason is a text"),
        ("handoff", {"reason": None}, "reason is a text"),
        ("handoff", {"for": "2h"}, "for is a whole number of milliseconds"),
        ("handoff", {"for": -1}, "for is a whole number of milliseconds"),
        ("handoff", {"for": 1.5}, "for is a whole number of milliseconds"),
        ("handoff", {"for": True}, "for is a whole number of milliseconds"),
        ("handoff", {"for": 1 << 60}, "for is a whole number of milliseconds"),
        ("handoff", {"pause": "yes"}, "pause is true or false"),
        ("handoff", {"pause": 1}, "pause is true or false"),
        ("resume", {"quietly": "no"}, "quietly is true or false"),
        ("opt-out", {"how": ["by phone"]}, "how is a text"),
        ("opt-in", {"how": {}}, "how is a text"),
        ("send", {"text": ["Hello!"]}, "text is a text"),
        ("send", {"text": "Hello!", "at": "2027-01-01"}, "at is a whole number of milliseconds"),
        ("send", {"text": "Hello!", "markdown": "yes"}, "markdown is true or false"),
        ("note", {"text": 7}, "text is a text"),
        ("note", {}, 'send {"text": "..."}, and "replace": true to put it in the place of what was noted'),
        ("note", {"text": "x", "replace": 1}, "replace is true or false"),
        ("send", {"text": "x", "wait": "long"}, "wait is a whole number of milliseconds"),
    ],
)
async def test_a_value_of_the_wrong_type_is_a_bad_request(desk: Desk, action: str, body: dict[str, Any], said: str) -> None:
    assert await desk.ask("POST", path_of(action), json=body) == (400, {"error": said})
    assert desk.house.store.calls == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "there is nothing to say; give a text"),
        ({"text": " \n"}, "there is nothing to say; give a text"),
        ({"text": "x" * 20_001}, "the text is longer than 20000 characters"),
    ],
)
async def test_what_cannot_be_said_is_a_bad_request_in_plain_words(desk: Desk, body: dict[str, Any], said: str) -> None:
    assert await desk.ask("POST", path_of("send"), json=body) == (400, {"error": said})
    assert desk.house.store.called("enqueue_messages") == []


@each_row("action", ACTIONS)
async def test_an_unknown_conversation_is_not_found(desk: Desk, action: str) -> None:
    body, method = ACTIONS[action]
    for unknown in ("c99", "..", "c1%2F..", "%00", "c1'--"):
        status, answer = await desk.ask("POST", path_of(action, unknown), json=body)
        assert status == 404
        assert answer["error"]
    assert desk.house.store.called(method) == []
    assert desk.house.queue.woken == []


@each_row("action", ACTIONS)
async def test_a_conversation_whose_channel_is_gone_cannot_be_acted_on(desk: Desk, action: str) -> None:
    body, method = ACTIONS[action]
    desk.house.routes._by_account.clear()
    status, answer = await desk.ask("POST", path_of(action), json=body)
    assert status == 400
    assert "no channel in the file serves" in answer["error"]
    assert desk.house.store.called(method) == []


@each_row("action", ACTIONS)
async def test_a_store_that_is_away_is_said_and_nobody_woken(desk: Desk, action: str) -> None:
    body, method = ACTIONS[action]
    desk.house.store.fails[method] = [StoreUnavailable("disk full")]
    assert await desk.ask("POST", path_of(action), json=body) == (503, {"error": "disk full"})
    assert desk.house.queue.woken == []


async def test_what_the_actions_are_given_reaches_the_store(desk: Desk) -> None:
    await desk.ask("POST", path_of("handoff"), json={"reason": "I know her", "for": 5, "pause": True})
    await desk.ask("POST", path_of("opt-out"), json={"how": "by phone"})
    await desk.ask("POST", path_of("send"), json={"text": "Later.", "at": NOW + 7})
    await desk.ask("POST", path_of("note"), json={"text": "", "replace": True})
    store = desk.house.store
    assert store.called("hand_over") == [(CONVERSATION, Handoff("operator", "I know her", "paused", NOW + 5), NOW)]
    assert store.called("consent") == [(CONVERSATION, True, "operator", "by phone", NOW)]
    assert store.called("enqueue_messages") == [
        (CONVERSATION, (OutgoingContent("Later."),), "operator", "operator", NOW, NOW + 7)
    ]
    assert store.called("note") == [(CONVERSATION, "", "operator", NOW, False)]


# ── health and spending ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_conversations_that_somebody_should_look_at_are_listed_with_the_reason(desk: Desk) -> None:
    desk.house.store.ill = [UnhealthyConversation(CONVERSATION, "test:1", "p1", "Ana", "unanswered", NOW - 5, "2 messages")]
    listed = {
        "conversation": CONVERSATION,
        "account": "test:1",
        "contact": "p1",
        "name": "Ana",
        "reason": "unanswered",
        "since": NOW - 5,
        "detail": "2 messages",
        "phone": None,
    }
    assert await desk.ask("GET", "/api/v1/conversations?unhealthy=1") == (200, {"conversations": [listed]})
    for whole in ("", "?unhealthy=", "?unhealthy=0", "?unhealthy=false"):
        assert await desk.ask("GET", f"/api/v1/conversations{whole}") == (200, {"conversations": []})
    assert (await desk.ask("GET", "/api/v1/conversations?unhealthy=1&limit=x"))[0] == 400


async def test_unhealthy_conversations_and_what_the_ai_cost_are_in_the_metrics(desk: Desk) -> None:
    desk.health.tell([UnhealthyConversation(CONVERSATION, "test:1", "p1", "Ana", "failing", NOW)])
    async with desk.client.get("/metrics", headers=BEARER) as response:
        read = (await response.text()).splitlines()
    assert 'sara_unhealthy_conversations{reason="failing"} 1.0' in read
    assert 'sara_unhealthy_conversations{reason="unanswered"} 0.0' in read
    assert 'sara_ai_cost{period="day"} 0.00045' in read
