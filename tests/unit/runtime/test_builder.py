"""Composing a daemon needs no disk, no network and no event loop."""

from __future__ import annotations

from pathlib import Path

from sara import Options
from sara.config.settings import Config
from sara.domain.storage import RecoveryReport
from sara.plugins.section import Section
from sara.policy import reply_gates
from sara.runtime.builder import CONCURRENT_REPLIES, CONCURRENT_SENDS, Components, Engines, Extensions, Foundation, build
from sara.runtime.clock import Environment
from sara.web.crash_log import ParseCrashLog
from tests.fakes import House

TASKS = {
    "sweep",
    "clock-monitor",
    "intake-guard",
    "media-expiry",
    "media-cleaning",
    "media-downloads",
    "message-quota",
    "erasure",
    "retention",
    "conversation-health",
    "stored-reports",
}


def build_from(house: House, tmp_path: Path) -> Components:
    """Build the components of a house; only the crash log, which is opened before, needs a folder."""
    crash_log = ParseCrashLog(tmp_path, house.problems)
    crash_log.close()
    section = Section("store", "memory", Options())
    config = Config(state=Path("/nowhere"), store=section, queue=section, conversation=house.policy)
    base = Foundation(
        config=config,
        environment=Environment(house.clock, lambda: 0.0, lambda: "a1"),
        problems=house.problems,
        call_guard=house.call_guard,
        hooks=house.hooks,
        engines=Engines(store=house.store, queue=house.queue, owner="me", recovered=RecoveryReport()),
        extensions=Extensions(bindings=house.routes, gates=reply_gates.CORE, tools={}, unavailable_paths=set()),
        crash_log=crash_log,
        admin_token="t" * 32,
    )
    return build(base)


def test_each_kind_of_job_has_its_handler(tmp_path: Path) -> None:
    parts = build_from(House(), tmp_path)
    assert parts.pipeline.handlers == {
        "reply": parts.pipeline.reply,
        "deliver": parts.pipeline.delivery,
        "timer": parts.pipeline.timers,
    }


def test_every_background_task_is_named_once(tmp_path: Path) -> None:
    names = [task.name for task in build_from(House(), tmp_path).background]
    assert sorted(names) == sorted(TASKS)


def test_each_lane_has_its_limit(tmp_path: Path) -> None:
    house, limits = House(), dict[str, int]()
    house.queue.limit = limits.__setitem__  # type: ignore[method-assign]  # to see what it is told
    build_from(house, tmp_path)
    assert limits == {"deliver:support": CONCURRENT_SENDS, "reply:assistant": CONCURRENT_REPLIES}


def test_nothing_was_asked_of_store_and_channel(tmp_path: Path) -> None:
    house = House()
    build_from(house, tmp_path)
    assert (house.store.calls, house.queue.woken, house.listed()) == ([], [], {})
