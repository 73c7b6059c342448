"""`sara forget`"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sara.cli.admin_client import AdminApi, connect_admin
from sara.cli.context import open_store, read, require_config, run_command
from sara.cli.conversations import attachments_of
from sara.cli.export import PAGE
from sara.cli.output import confirm, fail, iso, local, print_json, printable
from sara.domain.contacts import SubjectData
from sara.domain.errors import SaraError
from sara.operations.erasure import ErasureService
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.call_guard import CallGuard
from sara.runtime.builder import build_media_store
from sara.runtime.clock import wall_clock

LONGEST = 3_600.0
"""Seconds that the daemon is given: it takes small steps through all it has."""


def forget(config: Path, who: str, *, yes: bool, as_json: bool) -> int:
    """Erase a person, and say what may still hold them."""

    if not yes and (as_json or not sys.stdin.isatty()):
        return fail("say --yes to erase without being asked", 2)

    async def ask() -> int:
        print(await _before(config, who))
        return 0

    async def erase() -> int:
        told = await _forget(config, who)
        if as_json:
            print_json({**told, "copies": [{"path": path, "at": iso(at)} for path, at in told["copies"].items()]})
        else:
            print(_after(told))
        return 0

    if not yes:
        if code := run_command(ask):
            return code
        if not confirm("Erase all of it?"):
            return fail("nothing was changed")
    return run_command(erase)


async def _forget(config: Path, who: str) -> Mapping[str, Any]:
    """Through the daemon while it runs, straight to the store while it does not."""
    loaded = await asyncio.to_thread(lambda: read(config)[0])
    api = await connect_admin(require_config(loaded))
    if api is not None:
        return await _ask_daemon(api, who)
    async with open_store(config, read_only=False) as house:
        problems = ProblemRegistry(wall_clock)
        files = build_media_store(house.config, house.store, problems, wall_clock, CallGuard(problems))
        erasing = ErasureService(house.store, house.queue, files, wall_clock)
        await files.remove_unnamed(0)  # no daemon runs, so no download is under way
        await erasing.finish()
        told = await erasing.forget(who)
    return {
        "contacts": list(told.contacts),
        "conversations": list(told.conversations),
        "messages": told.messages,
        "files": told.files,
        "opt_out_retained": told.opt_out_retained,
        "copies": dict(told.copies),
    }


async def _ask_daemon(api: AdminApi, who: str) -> Mapping[str, Any]:
    import aiohttp

    try:
        found: Mapping[str, Any] = await api.call("POST", "/api/v1/forget", {"contact": who}, within=LONGEST)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SaraError("the daemon gave no answer; if it had begun, it finishes that, at its next start if need be") from error
    return found


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _before(config: Path, who: str) -> str:
    """Return what will be erased. Raises SaraError if there is no such person."""
    async with open_store(config, read_only=True) as house:
        found = await house.store.subject_data(who)
        if found is None:
            raise SaraError(f"no contact matches {who}; give a contact (p3), a telephone number or a user id")
        messages = files = 0
        for conversation in found.conversations:
            after: str | None = None
            while page := await house.store.messages(conversation, after, PAGE):
                messages += len(page)
                after = page[-1].id
            async for _, attachment in attachments_of(house, conversation):
                files += attachment.path is not None
    return (
        f"{_known_as(found)}\n"
        f"To be erased: {_amount(messages, files, found.conversations)}, and all that is written about them.\n"
        "There is no way back."
    )


def _known_as(found: SubjectData) -> str:
    names = [str(row["name"] or row["username"] or "") for row in found.details.get("known_as", [])]
    ids = [str(row["value"]) for row in found.details.get("ids", [])]
    return printable(f"{found.contact}, {', '.join(filter(None, [*dict.fromkeys(names), *ids]))}")


def _after(told: Mapping[str, Any]) -> str:
    lines = [f"Erased {', '.join(told['contacts'])}: {_amount(told['messages'], told['files'], told['conversations'])}."]
    if told["opt_out_retained"]:
        lines.append("They had opted out, and still are when they write again: a hash with this installation's own key says so.")
    if told["copies"]:
        lines += [
            "",
            "These files may still hold them and were not touched; delete them, or erase again whenever one was restored:",
            *(f"  {printable(path)}, of {local(at)}" for path, at in told["copies"].items()),
        ]
    lines.append(
        "Copies elsewhere (moved or copied backups, disk snapshots, the provider's and the AI's own records) SARA cannot see."
    )
    return "\n".join(lines)


def _amount(messages: int, files: int, conversations: Any) -> str:
    parts = [_number(messages, "message"), _number(len(conversations), "conversation"), _number(files, "file")]
    return ", ".join(parts)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
