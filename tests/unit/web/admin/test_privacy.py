"""What people may ask for, over the admin API."""

from __future__ import annotations

from sara.engines import ErasureReport, NotFound
from tests.fakes import CONVERSATION, NOW
from tests.rows import each_row
from tests.unit.web.admin.test_app import Desk, desk

__all__ = ["desk"]  # a fixture


async def test_a_search_says_where_what_stands(desk: Desk) -> None:
    status, found = await desk.ask("GET", "/api/v1/search?q=hello+wor")
    assert status == 200
    assert found["messages"] == [
        {
            "message": "m1",
            "conversation": CONVERSATION,
            "contact": "p1",
            "name": "Ana",
            "direction": "in",
            "at": NOW,
            "snippet": "[hello]",
        }
    ]
    assert desk.house.store.called("search") == [("hello wor", 50)]
    await desk.ask("GET", "/api/v1/search")
    await desk.ask("GET", "/api/v1/search?q=x&limit=1000000")
    assert desk.house.store.called("search")[1:] == [("", 50), ("x", 1_000)]


@each_row("limit", ["-1", "x", "1.5", "9999999999", ""])
async def test_a_limit_is_a_number(desk: Desk, limit: str) -> None:
    for path in ("search", f"conversations/{CONVERSATION}/events"):
        assert (await desk.ask("GET", f"/api/v1/{path}?limit={limit}"))[0] == 400
    assert desk.house.store.calls == []


async def test_events_come_in_pages(desk: Desk) -> None:
    status, told = await desk.ask("GET", f"/api/v1/conversations/{CONVERSATION}/events?after=e7&limit=2")
    assert status == 200
    assert told["events"] == [{"at": NOW, "what": "received", "detail": "text", "actor": "sara", "id": "e1", "message": "m1"}]
    assert desk.house.store.called("events") == [(CONVERSATION, "e7", 2)]


async def test_somebody_is_erased_and_it_is_said_what_may_still_hold_them(desk: Desk) -> None:
    async def forget(who: str) -> ErasureReport:
        if who != "+15550001111":
            raise NotFound("no contact matches that")
        return ErasureReport(("p1",), (CONVERSATION,), 3, 1, True, {"/backups/a.db": NOW})

    desk.privacy._erase = forget
    status, told = await desk.ask("POST", "/api/v1/forget", json={"contact": "+15550001111"})
    assert (status, told["messages"], told["opt_out_retained"], told["copies"]) == (200, 3, True, {"/backups/a.db": NOW})
    assert (await desk.ask("POST", "/api/v1/forget", json={"contact": "p9"}))[0] == 404


@each_row("body", [b"", b"[]", b"{}", b'{"contact": 5}', b'{"contact": ""}', b'{"contact": null}', b"\xff"])
async def test_nobody_is_erased_by_mistake(desk: Desk, body: bytes) -> None:
    assert (await desk.ask("POST", "/api/v1/forget", data=body))[0] == 400
