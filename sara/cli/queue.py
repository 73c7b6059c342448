"""`sara queue …`"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sara.cli.admin_client import connect_admin
from sara.cli.context import OfflineContext, open_store, read, require_config, run_command, run_read_only
from sara.cli.output import fail, iso, local, number_of, pairs, print_json, printable, table
from sara.domain.errors import SaraError
from sara.domain.messages import StoredMessage
from sara.queue.notifier import jobs_of
from sara.runtime.clock import wall_clock

PAGE = 1_000


def stats(config: Path, *, as_json: bool) -> int:
    """Print the daemon's figures, or the store's where no daemon runs."""

    async def main() -> int:
        api = await connect_admin(require_config(await asyncio.to_thread(lambda: read(config)[0])))
        if api is not None:
            figures = await api.call("GET", "/api/v1/queue")
        else:
            async with open_store(config, read_only=True) as house:
                figures = {"queue": dict(await house.queue.stats()), "messages": dict(await house.store.counts()), "problems": []}
        figures["running"] = api is not None
        if as_json:
            print_json(figures)
        else:
            _print_stats(figures)
        return 0

    return run_command(main)


def _print_stats(figures: dict[str, Any]) -> None:
    print("The daemon is running." if figures["running"] else "No daemon is running; counters are of a running one.")
    queue = {name: value for name, value in figures["queue"].items() if name != "lanes"}
    print("\nJobs")
    pairs({f"  {name}": value for name, value in queue.items()})
    for name, lane in figures["queue"].get("lanes", {}).items():
        held = ", on hold" if lane["held"] else ""
        print(f"  {printable(name)}: {lane['running']} running, {lane['due']} due{held}")
    print("\nMessages and counters")
    pairs({f"  {name}": value for name, value in figures["messages"].items() if name != "alive"})
    print("\nProblems" if figures["problems"] else "\nNo problems.")
    for problem in figures["problems"]:
        print(f"  {local(problem['since'])}  {printable(problem['message'])} (×{problem['count']})")
        if problem["remedy"]:
            print(f"    → {printable(problem['remedy'])}")


def listing(config: Path, limit: int, *, as_json: bool) -> int:
    """Print the pending jobs and what was given up."""

    async def look(house: OfflineContext) -> int:
        jobs = await _orphans(house, limit)
        known = {(job["kind"], job["key"]) for job in jobs}
        jobs = [dict(each) async for each in house.queue.entries(limit) if (each["kind"], each["key"]) not in known] + jobs
        jobs = sorted(jobs, key=lambda job: int(job["due"]))[:limit]
        gone = await house.store.list_failed(limit)
        if as_json:
            for job in jobs:
                job["due"] = iso(job["due"])
            print_json({"jobs": jobs, "failed": [{**asdict(message), "job": _job_of(message)} for message in gone]})
            return 0
        table(
            ["job", "due", "lane", "failures"],
            [(f"{job['kind']}:{job['key']}", local(job["due"]), job["lane"] or "no channel", job["failures"]) for job in jobs],
            "Nothing is waiting.",
        )
        print()
        whom = {each.conversation: await house.store.conversation(each.conversation) for each in gone}
        table(
            ["given up", "message", "who", "number", "state", "since", "why"],
            [
                (
                    _job_of(each),
                    each.id,
                    whom[each.conversation].name or each.contact,
                    number_of(whom[each.conversation].phone),
                    each.state,
                    local(each.at),
                    each.error or each.reason,
                )
                for each in gone
            ],
            "No failed messages.",
        )
        return 0

    return run_read_only(config, look)


async def _orphans(house: OfflineContext, limit: int) -> list[dict[str, Any]]:
    """Open work that no channel in the file serves: the store keeps it, and no job is scheduled for it."""
    served = set(house.names)
    if set(await house.store.unsettled_accounts()) <= served:
        return []
    found: list[dict[str, Any]] = []
    after: str | None = None
    while len(found) < limit and (page := await house.store.open_work(after, PAGE)):
        found += [
            {
                "kind": kind,
                "key": key,
                "lane": None,
                "due": due,
                "priority": 0,
                "failures": 0,
                "running": False,
                "account": work.account,
            }
            for work in page
            if work.account not in served
            for kind, key, due in jobs_of(work)
        ]
        after = page[-1].conversation
    return found


def _job_of(message: StoredMessage) -> str:
    return f"{'reply' if message.direction == 'in' else 'deliver'}:{message.conversation}"


def retry(config: Path, jobs: Sequence[str], *, everything: bool, as_json: bool) -> int:
    """Give what was given up another chance."""

    async def find(house: OfflineContext) -> list[str]:
        return list(dict.fromkeys(_job_of(message) for message in await house.store.list_failed(100_000)))

    async def main() -> int:
        named = list(jobs)
        if everything:
            async with open_store(config, read_only=True) as house:
                named += await find(house)
        elif not named:
            return fail("name a job, such as reply:c7, or say --all", 2)
        return await _change(config, "retry", named, as_json=as_json)

    return run_command(main)


def drop(config: Path, jobs: Sequence[str], *, as_json: bool) -> int:
    """Give up what waits."""
    return run_command(lambda: _change(config, "drop", jobs, as_json=as_json))


async def _change(config: Path, action: str, jobs: Sequence[str], *, as_json: bool) -> int:
    """Through the daemon while it runs, straight to the store while it does not."""
    pairs_of = [_parse(job) for job in jobs]
    loaded = await asyncio.to_thread(lambda: read(config)[0])
    api = await connect_admin(require_config(loaded))
    results = []
    if api is not None:
        results = [await api.call("POST", f"/api/v1/queue/{action}", {"kind": kind, "key": key}) for kind, key in pairs_of]
    else:
        async with open_store(config, read_only=False) as house:
            for kind, key in pairs_of:
                if action == "retry":
                    # The next start's first sweep wakes what is due.
                    results.append(asdict(await house.store.retry_failed(key, kind, wall_clock())))
                else:
                    results.append(asdict(await house.store.drop(key, kind, wall_clock())))
                    await house.queue.drop(kind, key)
    if as_json:
        print_json({"action": action, "jobs": list(jobs), "work": results})
    else:
        print(
            "\n".join(f"{job}: {_done(action, work)}" for job, work in zip(jobs, results, strict=True)) or "No failed messages."
        )
    return 0


def _done(action: str, work: Mapping[str, Any]) -> str:
    """Return a sentence about the outcome of a job."""
    changed = work.get("changed")
    if changed == 0:
        return "there are no failed messages" if action == "retry" else "there is nothing to drop"
    messages = "" if changed is None else f"{changed} message{'' if changed == 1 else 's'} "
    return f"{messages}will be tried again" if action == "retry" else f"{messages}dropped"


def _parse(job: str) -> tuple[str, str]:
    kind, colon, key = job.partition(":")
    if not colon or kind not in ("reply", "deliver") or not key:
        raise SaraError(f"{job} is not a job; jobs are named reply:CONVERSATION or deliver:CONVERSATION, see `sara queue list`")
    return kind, key
