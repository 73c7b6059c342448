"""`sara backup` and `sara restore`"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sara.cli import archive
from sara.cli.context import OfflineContext, open_store, read, require_config, run_command
from sara.cli.identity import become_owner, has_changed, user_named
from sara.cli.output import byte_count, confirm, fail, iso, local, print_json, printable
from sara.domain.errors import SaraError
from sara.domain.time import Instant
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.call_guard import call_method
from sara.plugins.channel import media_directory
from sara.plugins.context import Context
from sara.plugins.guarded import build_plugin
from sara.plugins.private_files import refuse_link
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread
from sara.runtime.clock import wall_clock

NO_FILES = "It holds no files of customers: those in the media folder stay."


def backup(config: Path, file: Path | None, *, as_json: bool) -> int:
    """Save all data to a new archive."""

    async def main() -> int:
        async with open_store(config, read_only=True) as house:
            now = wall_clock()
            target = _target(file, house.config.state, now)
            saved = await _save(house, target, now)
            keys = [str(path) for path in house.store.key_files()]
        left_out = [*(str(path) for path in _configuration(config)), *keys]
        if as_json:
            print_json({"file": str(target), **saved, "left_out": left_out})
        else:
            print(
                f"Saved and checked: {_amount(saved)}, {_number(saved['files'], 'file', 'files')} of customers,"
                f" {byte_count(saved['bytes'])}\n  {printable(target)}"
            )
            print("Customers' messages and files stand in it in plain text. Not in it, keep these apart from it:")
            for path in left_out:
                print(f"  {printable(path)}")
        return 0

    return run_command(main)


def _configuration(config: Path) -> list[Path]:
    """Return the configuration file and the secrets beside it."""
    file = config.absolute()
    return [path for path in (file, file.with_name("secrets.yaml")) if path.exists()]


async def _save(house: OfflineContext, target: Path, now: Instant) -> dict[str, int]:
    """Write the archive `target`; what it holds."""
    try:
        with archive.unfinished(target) as folder:
            # First the store, then the files that it names: what comes in between is in neither.
            saved = await house.store.backup(folder / archive.STORE, kept_in=target)
            fresh = folder / "archive"
            held = await run_in_thread(archive.write, fresh, folder / archive.STORE, media_directory(house.config.state), now)
            size = archive.publish(fresh, target)
    except OSError as error:
        raise SaraError(f"{target} could not be written: {error.strerror or error}; nothing was kept of it") from error
    return {**saved, "files": held.files, "bytes": size}


def _target(file: Path | None, state: Path, now: Instant) -> Path:
    """Return the file to write; its name is the time where only a folder is given."""
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
    return folder / f"sara-{_stamp(now)}.tar"


def _stamp(now: Instant) -> str:
    return f"{datetime.fromtimestamp(now / 1_000, UTC):%Y%m%dT%H%M%SZ}"


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
        async with _unopened(config) as (store, state), _unpacked(file, state, with_media=False) as (saved, contents):
            with _named(saved, file):
                held = await store.inspect_backup(saved)
        print(_before(file, held, contents, wall_clock()))
        return 0

    async def put_back() -> int:
        now = wall_clock()
        async with _unopened(config) as (store, state), _unpacked(file, state, with_media=True) as (saved, contents):
            with _named(saved, file):
                done = await _put_back(store, state, saved, now)
        missing = _missing(done, now)
        files = None if contents is None else contents.files
        if as_json:
            print_json({**done, "newest": iso(done["newest"]), "missing_minutes": missing, "file": str(file), "files": files})
        else:
            print(_after(file, done, files, missing))
        return 0

    if not yes:
        if code := run_command(ask):
            return code
        if not confirm("Restore it?"):
            return fail("nothing was changed")
    return run_command(put_back)


async def _put_back(store: Store, state: Path, saved: Path, now: Instant) -> dict[str, Any]:
    """Put files and store back. Files come first: their names are never given twice, so none is in the way, and what no row names
    in the end the next start removes. The present ones are kept aside as the present store is."""
    await store.inspect_backup(saved)  # before anything is changed; also says whether a daemon is running
    try:
        brought = await run_in_thread(archive.Brought.put_back, saved.parent / archive.MEDIA, media_directory(state), now)
    except OSError as error:
        raise SaraError(f"customers' files could not be put back: {error.strerror or error}; nothing was changed") from error
    try:
        done = await store.restore(saved, now)
    except SaraError:
        await run_in_thread(brought.take_away)  # the present data are untouched; after any other end the next start finds out
        raise
    return {**done, "replaced_files": "" if brought.aside is None else str(brought.aside)}


@asynccontextmanager
async def _unpacked(file: Path, state: Path, *, with_media: bool) -> AsyncIterator[tuple[Path, archive.Contents | None]]:
    """Provide the store's own backup in `file`, with the customers' files beside it; the file itself where it is no archive."""
    _check_readable(file)
    if not await run_in_thread(archive.is_archive, file):
        yield file, None
        return
    try:
        folder = await run_in_thread(archive.empty_folder, state / ".restoring")
    except OSError as error:
        raise SaraError(f"{state} takes no folder to unpack into: {error.strerror}") from error
    try:
        contents = await run_in_thread(archive.read, file, folder, with_media=with_media)
        yield folder / archive.STORE, contents
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _named(saved: Path, file: Path) -> Iterator[None]:
    """Name the archive that the user gave in errors about its unpacked contents."""
    try:
        yield
    except SaraError as error:
        if saved == file or str(saved) not in str(error):
            raise
        raise SaraError(str(error).replace(str(saved), str(file))) from error


@asynccontextmanager
async def _unopened(config: Path) -> AsyncIterator[tuple[Store, Path]]:
    """Provide the store of a configuration, not opened, and the state folder."""
    loaded, plugins = await asyncio.to_thread(read, config)
    checked = require_config(loaded)
    become_owner(checked.state)
    section = checked.store
    context = Context("store", checked.state, wall_clock, ProblemRegistry(wall_clock, checked.redactor))
    store: Store = build_plugin(plugins, "store", section, context)
    try:
        yield store, checked.state
    finally:
        await call_method(store.close, None)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _missing(held: Mapping[str, Any], now: Instant) -> int:
    """Return the minutes between the newest entry of a backup and now, rounded up."""
    return max(0, -(-(now - int(held["newest"])) // 60_000))


def _before(file: Path, held: Mapping[str, Any], contents: archive.Contents | None, now: Instant) -> str:
    files = NO_FILES if contents is None else f"With {_number(contents.files, 'file', 'files')} of customers."
    return (
        f"{printable(file)} is whole. It holds {_amount(held)}, until {local(held['newest'])}. {files}\n"
        f"{_lost(_missing(held, now), held)}\n"
        "The present data are kept aside, not deleted."
    )


def _after(file: Path, done: Mapping[str, Any], files: int | None, missing: int) -> str:
    brought = NO_FILES if files is None else f"With {_number(files, 'file', 'files')} of customers."
    lines = [f"Restored {_amount(done)} from {printable(file)}. {brought}", _lost(missing, done)]
    lines += [
        f"The former {what} are kept as {printable(done[name])}."
        for what, name in (("data", "replaced"), ("files", "replaced_files"))
        if done[name]
    ]
    open_then = [
        _several(done["unanswered"], "unanswered message", "dead"),
        _several(done["unsent"], "part of an answer not known to be sent", "held", "parts of answers not known to be sent"),
    ]
    lines += [
        "",
        "Work that was open in the backup may have been done since. To avoid repeated answers and messages, it is not"
        " repeated automatically:",
        *(f"  {line}" for line in open_then),
        "",
        "Next:",
        "  1. start the daemon",
        "  2. `sara queue list` lists these messages; compare them with `sara conversations show` and the phone, and retry"
        " them with `sara queue retry JOB`",
    ]
    return "\n".join(lines)


def _lost(minutes: int, held: Mapping[str, Any]) -> str:
    return (
        f"{_number(minutes, 'minute is', 'minutes are')} missing: the backup has no messages after {local(held['newest'])}, and no requests for"
        " silence (STOP) from then on. Providers do not deliver acknowledged messages again."
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
