"""`sara backup` and `sara restore`"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sara.bounds import bounded_method
from sara.call_guard import build
from sara.cli.identity import become_owner, has_changed, user_named
from sara.cli.opening import guarded, opened, read, usable
from sara.cli.output import agreed, fail, iso, local, print_json, printable
from sara.contracts import Context, Store
from sara.daemon import wall_clock
from sara.errors import SaraError
from sara.model import Instant
from sara.private_files import refuse_link
from sara.problems import Problems


def backup(config: Path, file: Path | None, *, as_json: bool) -> int:
    """Save all data to a new file."""

    async def main() -> int:
        async with opened(config, read_only=True) as house:
            target = _target(file, house.config.state, wall_clock())
            saved = await house.store.backup(target)
        if as_json:
            print_json({"file": str(target), **saved})
        else:
            print(f"Saved and checked: {_amount(saved)}, {_size(saved['bytes'])}\n  {printable(target)}")
            print("Customers' messages stand in it in plain text. The configuration and its secrets do not: keep those too.")
        return 0

    return guarded(main)


def _target(file: Path | None, state: Path, now: Instant) -> Path:
    """The file to write; a name of the time where only a folder is given."""
    folder = state / "backups" if file is None else file
    try:
        if file is None:
            refuse_link(folder)
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SaraError(f"{folder} cannot be created: {error.strerror}") from error
    place = folder if folder.is_dir() else folder.absolute().parent
    if place.is_dir() and has_changed() and not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        raise SaraError(
            f"{place} cannot be written by {user_named(os.geteuid())}, who owns {state} and makes the backup;"
            " leave the file out, and copy the backup there afterwards"
        )
    if not folder.is_dir():
        return folder
    return folder / f"sara-{datetime.fromtimestamp(now / 1_000, UTC):%Y%m%dT%H%M%SZ}.db"


def _check_readable(file: Path) -> None:
    if has_changed() and file.is_file() and not os.access(file, os.R_OK, effective_ids=True):
        raise SaraError(
            f"{file} cannot be read by {user_named(os.geteuid())}, who owns the data and restores them; copy it to where that user may"
            " read it"
        )


def restore(config: Path, file: Path, *, yes: bool, as_json: bool) -> int:
    """Put a backup in the place of the present data."""

    if not yes and (as_json or not sys.stdin.isatty()):
        return fail("say --yes to restore without being asked", 2)

    async def ask() -> int:
        async with _unopened(config) as store:
            _check_readable(file)
            held = await store.examine(file)
        print(_before(file, held, wall_clock()))
        return 0

    async def put_back() -> int:
        now = wall_clock()
        async with _unopened(config) as store:
            _check_readable(file)
            done = await store.restore(file, now)
        missing = _missing(done, now)
        if as_json:
            print_json({**done, "newest": iso(done["newest"]), "missing_minutes": missing, "file": str(file)})
        else:
            print(_after(file, done, missing))
        return 0

    if not yes:
        if code := guarded(ask):
            return code
        if not agreed("Restore it?"):
            return fail("nothing was changed")
    return guarded(put_back)


@asynccontextmanager
async def _unopened(config: Path) -> AsyncIterator[Store]:
    """The store of a configuration, not opened."""
    loaded, plugins = await asyncio.to_thread(read, config)
    checked = usable(loaded)
    become_owner(checked.state)
    section = checked.store
    context = Context("store", checked.state, wall_clock, Problems(wall_clock, checked.redactor))
    store: Store = build(plugins, "store", section, context)
    try:
        yield store
    finally:
        await bounded_method(store.close, None)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _missing(held: Mapping[str, Any], now: Instant) -> int:
    """Minutes between the last thing that a backup knows of and now, rounded up."""
    return max(0, -(-(now - int(held["newest"])) // 60_000))


def _before(file: Path, held: Mapping[str, Any], now: Instant) -> str:
    return (
        f"{printable(file)} is whole. It holds {_amount(held)}, until {local(held['newest'])}.\n"
        f"{_lost(_missing(held, now), held)}\n"
        "The present data are kept aside, not deleted."
    )


def _after(file: Path, done: Mapping[str, Any], missing: int) -> str:
    lines = [f"Restored {_amount(done)} from {printable(file)}.", _lost(missing, done)]
    if done["replaced"]:
        lines.append(f"The former data are kept as {printable(done['replaced'])}.")
    open_then = [
        _several(done["unanswered"], "unanswered message", "dead"),
        _several(done["unsent"], "part of an answer not known to be sent", "held", "parts of answers not known to be sent"),
    ]
    lines += [
        "",
        "What was still open in the backup may have been done since. So that nobody is answered or written to twice, none of it is"
        " done again by itself:",
        *(f"  {line}" for line in open_then),
        "",
        "Next:",
        "  1. start the daemon",
        "  2. `sara queue list` shows what was set down as restored; look with `sara conversations show` and at the phone, and have"
        " it done with `sara queue retry JOB`",
    ]
    return "\n".join(lines)


def _lost(minutes: int, held: Mapping[str, Any]) -> str:
    return (
        f"{_number(minutes, 'minute is', 'minutes are')} missing: what came or went after {local(held['newest'])} is not in it, also"
        " who asked for silence (STOP) then. Providers do not deliver again what was acknowledged."
    )


def _several(count: int, one: str, state: str, many: str | None = None) -> str:
    return f"{_number(count, one, many or one + 's')}: {state}, reason restored"


def _amount(held: Mapping[str, Any]) -> str:
    return (
        f"{_number(held['messages'], 'message', 'messages')} in {_number(held['conversations'], 'conversation', 'conversations')},"
        f" {_number(held['attempts'], 'attempt', 'attempts')} to send"
    )


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count >= 1_000_000 else f"{count / 1_000:,.1f} kB"
