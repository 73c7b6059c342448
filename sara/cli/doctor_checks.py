"""What `sara doctor` looks at itself: the file, the state directory, the daemon, and the two doors."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from sara.cli.admin_client import connect_admin
from sara.cli.cross_checks import cross_checks
from sara.config.loader import Loaded
from sara.config.settings import Config
from sara.domain.errors import SaraError
from sara.operations.load_shedding import LEAST_FREE
from sara.plugins.channel import Channel
from sara.plugins.checks import CheckResult
from sara.plugins.connection_errors import explain_unreachable
from sara.plugins.loader import Plugins
from sara.plugins.store import Store

COMFORTABLE = 1 << 30
"""With less free space than this a warning is due."""

_TIMEOUT_S = 10.0
_FIRST_MESSAGES = 1_000


def of_file(loaded: Loaded, plugins: Plugins) -> list[CheckResult]:
    """Return the findings of `sara check` without advice about working settings, which the live checks cover."""
    advised = (each for each in (*loaded.advice, *cross_checks(loaded, plugins)) if each.severity == "error")
    said = [*loaded.findings, *loaded.cautions, *advised]
    if not said:
        return [CheckResult("file", "good", "The configuration is right.")]
    return [
        CheckResult(
            "file",
            "bad" if each.severity == "error" else "warning",
            f"{each.where}: {each.message}",
            each.hint or "Correct the file.",
        )
        for each in said
    ]


def of_state(config: Config) -> Iterator[CheckResult]:
    """Check that the state folder can be written, has room, and cannot be read by other users."""
    place = config.state
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        remedy = "Let the user that runs SARA own the directory, and run this as that user."
        yield CheckResult("state", "bad", f"{config.state} cannot be written by this user.", remedy)
        return
    there = place == config.state
    told = f"{config.state} can be written." if there else f"{config.state} is not there yet; the first start makes it."
    yield CheckResult("state", "good", told)
    if there and stat.S_IMODE(place.stat().st_mode) & 0o077:
        remedy = f"chmod 700 {config.state}"
        yield CheckResult(
            "privacy",
            "warning",
            f"Other users of this machine may look into {config.state}: customers' messages are there.",
            remedy,
        )
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE:
        yield CheckResult(
            "disk", "bad", f"Only {free >> 20} MB are free: nothing is taken in below {LEAST_FREE >> 20} MB.", "Free disk space."
        )
    elif free < COMFORTABLE:
        yield CheckResult("disk", "warning", f"{free >> 20} MB are free.", "Free disk space before it runs out.")
    else:
        yield CheckResult("disk", "good", f"{free / (1 << 30):.0f} GB are free.")


async def of_operators(config: Config, store: Store, channels: Mapping[str, Channel]) -> list[CheckResult]:
    """Check that the operators to notify can be written to: most channels allow that only after they have written first."""
    found: list[CheckResult] = []
    for name, to in operators_of(config):
        channel = channels.get(name)
        if channel is None or channel.reply_window is None:
            continue
        if await _has_written(store, channel.account, to):
            found.append(CheckResult("operators", "good", f"{to} has written on {name}."))
        else:
            message = f"{to} is notified on {name} when a customer needs a person, and has never written there."
            remedy = "Send any message from that phone to the business's number, and again when it was silent for a day; or set a template."
            found.append(CheckResult("operators", "warning", message, remedy))
    return found


def operators_of(config: Config) -> list[tuple[str, str]]:
    """Return the operators to notify: the channel, and their number or id there."""
    policies = [section.conversation or config.conversation for section in config.channels.values()]
    told = [policy.handoff.notify for policy in policies if policy.handoff.notify is not None]
    return list(dict.fromkeys((notify.channel, notify.to) for notify in told))


async def _has_written(store: Store, account: str, to: str) -> bool:
    """Return whether a person wrote on an account, in any spelling of their number, judged by their first messages."""
    found = await store.subject_data(to)
    for conversation in found.conversations if found is not None else ():
        if (await store.conversation(conversation)).account == account:
            messages = await store.messages(conversation, None, _FIRST_MESSAGES)
            if any(message.direction == "in" for message in messages):
                return True
    return False


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What the running daemon says of itself: its problems, none where no daemon runs. `fault` is why it could not be asked."""

    is_running: bool
    problems: tuple[Mapping[str, Any], ...] = ()
    fault: str | None = None


async def ask_daemon(config: Config) -> DaemonState:
    """Ask the daemon that serves this configuration what is wrong."""
    try:
        api = await connect_admin(config)
        found = [] if api is None else (await api.call("GET", "/api/v1/problems"))["problems"]
        return DaemonState(api is not None, tuple(dict(each) for each in found))
    except (SaraError, OSError, ValueError, TimeoutError, KeyError, TypeError) as error:
        return DaemonState(True, fault=type(error).__name__)


def of_daemon(config: Config, state: DaemonState) -> list[CheckResult]:
    """Check that a daemon serves this configuration, and report its problems; those that keep it from answering are errors."""
    if state.fault is not None:
        message = f"The daemon is running, but does not answer as it should ({state.fault})."
        return [CheckResult("daemon", "bad", message, "See its log, with systemd: journalctl -u sara")]
    if not state.is_running:
        message = f"No daemon is running on {config.state}: no messages are received and none are answered."
        return [CheckResult("daemon", "warning", message, "Start it: `sara run`")]
    return [CheckResult("daemon", "good", "The daemon is running."), *map(_problem, state.problems)]


def _problem(problem: Mapping[str, Any]) -> CheckResult:
    state: Literal["bad", "warning"] = "warning" if problem.get("severity") == "warning" else "bad"
    return CheckResult("daemon says", state, str(problem.get("message")), str(problem.get("remedy") or "See `sara queue stats`."))


def of_admin(config: Config) -> CheckResult:
    """Check that only the operator can reach the admin listener."""
    host = config.admin.listen.host
    remedy = "Set admin.listen to 127.0.0.1:8081, and reach it over SSH or a VPN."
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return CheckResult(
            "admin",
            "warning",
            f"It depends on the meaning of {host} on this machine which users can reach the admin listener.",
            remedy,
        )
    if address.is_loopback:
        return CheckResult("admin", "good", "The admin listener is for this machine alone.")
    if address.is_unspecified:
        return CheckResult("admin", "warning", "The admin listener listens on every address of this machine.", remedy)
    if address.is_global:
        return CheckResult("admin", "bad", f"The admin listener listens on {host}, an address of the internet.", remedy)
    return CheckResult("admin", "warning", f"Everybody in the network of {host} can reach the admin listener.", remedy)


async def of_public_url(config: Config) -> list[CheckResult]:
    """Check that the public URL is known, can be reached, and leads to the public listener."""
    import aiohttp

    url = config.server.public_url
    if url is None:
        remedy = "Set server.public_url, e.g. https://bot.example.org, so that the way in can be checked."
        return [CheckResult("public_url", "warning", "public_url is not set.", remedy)]
    try:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/readyz", allow_redirects=False) as answer,
        ):
            status, body = answer.status, await answer.content.read(1_000)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        why, remedy = explain_unreachable(error)
        return [CheckResult("public_url", "bad", f"{url} cannot be reached: {why}.", remedy)]
    if status == 421 or body in (b'{"status": "ready"}', b'{"status": "not ready"}'):
        remedy = f"Let the web server pass requests on to {config.server.listen} (server.listen), never to {config.admin.listen}."
        return [CheckResult("public_url", "bad", f"{url} leads to the admin listener.", remedy)]
    safe = "" if urlsplit(url).scheme == "https" else ", without TLS"
    return [CheckResult("public_url", "good", f"{url} can be reached{safe}.")]
