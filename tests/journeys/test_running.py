"""`sara run` and its neighbours as people use them: refusals that say what to do, signals, systemd, the log, the commands."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sara.domain.errors import CommitUnknown, StoreUnavailable
from tests.command_server import run_command
from tests.patience import patience

from .conftest import DEADLINE, Process, Town, exported
from .test_scenarios import post


async def sara(town: Town, *words: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run a command to its end: exit code, output, errors."""
    running = await run_command((*words, "--config", str(town.file)), {**os.environ, **(environ or {})})
    async with asyncio.timeout(DEADLINE * 2):
        out, err = await running.communicate()
    assert running.returncode is not None
    return running.returncode, out.decode(), err.decode()


async def test_a_second_daemon_on_the_same_state_names_the_first(town: Town, process: Process) -> None:
    await process.start()
    assert process.process is not None
    code, _, err = await sara(town, "run")
    assert code == 1
    assert f"process {process.process.pid}" in err
    assert "state" in err


async def test_missing_secrets_are_named_all_at_once_with_the_way_to_give_them(town: Town) -> None:
    section = {
        key: value for key, value in town.config["channels"]["whatsapp"].items() if key not in ("app_secret", "access_token")
    }
    town.config["channels"]["whatsapp"] = section
    town.write()
    text = town.file.read_text(encoding="utf-8")
    secrets = '"app_secret": !secret whatsapp_app_secret, "access_token": !secret whatsapp_access_token, "webhook"'
    town.file.write_text(text.replace('"webhook"', secrets), encoding="utf-8")
    code, _, err = await sara(town, "run")
    assert code == 78
    for expected in ("whatsapp_app_secret", "whatsapp_access_token", "secrets.yaml", "WHATSAPP_APP_SECRET"):
        assert expected in err
    assert "Traceback" not in err


async def test_under_systemd_the_secrets_come_as_credentials_and_the_file_beside_may_be_roots_alone(
    town: Town, need: Callable[[str, str], str]
) -> None:
    section = town.config["channels"]["whatsapp"]
    names = ("app_secret", "access_token", "verify_token")
    secrets = {f"whatsapp_{name}": section.pop(name) for name in names}
    town.write()
    tagged = "".join(f'"{name}": !secret whatsapp_{name}, ' for name in names)
    text = town.file.read_text(encoding="utf-8").replace('"webhook"', tagged + '"webhook"')
    town.file.write_text(text, encoding="utf-8")
    beside, credentials = town.folder / "secrets.yaml", town.folder / "credentials"
    credentials.mkdir()
    for file in (beside, credentials / "secrets.yaml"):
        file.write_text(json.dumps(secrets), encoding="utf-8")
    user: tuple[str, ...] = ()
    if os.geteuid() == 0:  # who may read everything gives that up, as a service's user has it not
        user = (
            need("setpriv", "it runs the daemon as a user who may not read all"),
            "--bounding-set",
            "-dac_override,-dac_read_search",
        )
        os.chown(beside, 65534, 65534)
        beside.chmod(0o600)
    else:
        beside.chmod(0)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    process = Process(town)
    try:
        await process.launch(environ, user=user, write=False)
        await town.phone.connect(await process.served() + "/webhook/messages")
        await town.phone.say("ana", "hello")
        assert await town.answers(1) == ["echo: hello"]
    finally:
        assert await process.end() == 0
    # What is then missing is named, with the reason why what stands in the file does not count.
    (credentials / "secrets.yaml").write_text(json.dumps({**secrets, "whatsapp_app_secret": ""}), encoding="utf-8")
    await process.launch(environ, user=user, write=False)
    assert await process.ended() == 78
    told = "".join(process.output)
    assert "the secret whatsapp_app_secret is empty" in told
    assert "may not read" in told
    assert "restart" in told
    assert "the secret whatsapp_access_token" not in told


async def test_the_shipped_example_lacks_nothing_but_what_is_to_be_filled_in(town: Town) -> None:
    root = Path(__file__).parent.parent.parent
    for name in ("sara.yaml", "instructions.md"):
        (town.folder / name).write_text((root / name).read_text(encoding="utf-8"), encoding="utf-8")
    code, _, err = await sara(town, "run")
    assert code == 78
    assert err.count("secret") >= 4
    names = ("WHATSAPP_APP_SECRET", "WHATSAPP_ACCESS_TOKEN", "WHATSAPP_VERIFY_TOKEN", "OPENAI_API_KEY")
    given = dict.fromkeys(names, "0f1e2d3c4b5a69788796")
    code, out, err = await sara(town, "check", environ=given)
    assert code == 1
    assert out.endswith(": 5 errors\n"), out + err
    file = town.folder / "sara.yaml"
    filled = file.read_text(encoding="utf-8").replace("bot.example.org", "bot.lindenbaum-bakery.de")
    file.write_text(re.sub(r"10900000000000(\d)", r"10900000000055\1", filled), encoding="utf-8")
    (town.folder / "instructions.md").write_text("You answer the customers of a bakery.", encoding="utf-8")
    code, out, err = await sara(town, "check", environ=given)
    assert code == 0, out + err


async def test_a_channel_taken_out_of_the_file_keeps_its_unsent_work_and_is_named(town: Town) -> None:
    town.phone.faults.error_code.on(131016)
    await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="out")
    await town.stop()
    town.phone.faults.off()
    section = town.config["channels"].pop("whatsapp")
    town.config["channels"]["other"] = {**section, "phone_number_id": "109000000000556"}
    daemon = await town.start()
    [problem] = [problem for problem in daemon.problems if problem.key.endswith(":no_channel")]
    assert "1 conversation " in problem.message
    assert "whatsapp:109000000000555" in problem.message
    assert problem.remedy
    await town.stop()
    # Put back under any name it goes on where it stopped: what is kept hangs on the number, not on the name.
    town.config["channels"] = {"renamed": section}
    await town.start()
    assert await town.answers(1) == ["echo: hello"]


async def test_work_that_no_channel_serves_is_listed_named_by_its_problem_and_can_be_dropped(
    town: Town, process: Process
) -> None:
    town.phone.faults.error_code.on(131016)
    town.ai.delay_ms = 60_000
    await process.start()
    await town.phone.say("ana", "hello")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    await process.kill()
    town.ai.delay_ms = 0
    section = town.config["channels"].pop("whatsapp")
    town.config["channels"]["other"] = {**section, "phone_number_id": "109000000000556"}
    town.write()
    await process.launch()
    await process.served()

    async def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await as_json(town, "queue", "list"))["jobs"]
        return [each for each in found if each["kind"] != "timer"]

    async def orphans() -> list[dict[str, Any]]:
        found = (await as_json(town, "queue", "stats"))["problems"]
        return [each for each in found if each["key"].endswith(":no_channel")]

    [job] = await listed()
    assert (job["kind"], job["lane"], job["account"]) == ("reply", None, "whatsapp:109000000000555")
    name = f"reply:{job['key']}"
    code, out, _ = await sara(town, "queue", "list")
    assert code == 0
    assert re.search(rf"{name}\s.*no channel", out)
    [problem] = await orphans()
    assert name in problem["remedy"]
    code, out, err = await sara(town, "queue", "drop", name)
    assert (code, err) == (0, "")
    assert out == f"{name}: 1 message dropped\n"
    assert await orphans() == []
    assert await listed() == []
    for action, words in (("drop", "there is nothing to drop"), ("retry", "there are no failed messages")):
        assert (await sara(town, "queue", action, name))[:2] == (0, f"{name}: {words}\n")


async def test_what_was_given_up_is_a_problem_until_the_last_of_it_is_retried(town: Town, process: Process) -> None:
    town.ai.fault("content_filter", times=2)
    await process.start()
    await town.phone.say("ana", "hello")

    async def given_up() -> list[str]:
        return [each["job"] for each in (await as_json(town, "queue", "list"))["failed"]]

    async def problems() -> list[str]:
        return [each["key"] for each in (await as_json(town, "queue", "stats"))["problems"]]

    await town.until(given_up)
    assert "replies:failed" in await problems()
    code, out, err = await sara(town, "queue", "retry", *await given_up())
    assert (code, err) == (0, "")
    assert out.endswith(": 1 message will be tried again\n")
    assert "replies:failed" not in await problems()
    apology, answer = await town.answers(2)
    assert "in other words" in apology
    assert answer == "echo: hello"


async def test_sigterm_ends_cleanly_and_what_was_under_way_is_finished(town: Town, process: Process) -> None:
    town.ai.delay_ms = 400
    await process.start()
    await town.phone.say("ana", "hello")
    await town.ai.wait_for(lambda calls: len(calls) == 1)
    assert await process.end(signal.SIGTERM) == 0
    stored = await exported(town)
    assert [message.state for message in stored if message.direction == "in"] == ["answered"]
    assert "in_doubt" not in {message.state for message in stored}
    await process.start()
    assert await town.answers(1) == ["echo: hello"]


async def test_sighup_reads_the_file_again_and_a_broken_file_changes_nothing(town: Town, process: Process) -> None:
    await process.start()
    assert process.process is not None
    good = town.file.read_text(encoding="utf-8")
    town.file.write_text("channels: [", encoding="utf-8")
    await reload(process, '"reload_rejected"')
    assert sum('"daemon_started"' in line for line in process.output) == 1, "a broken file must not interrupt anything"
    town.file.write_text(good.replace("/webhook/messages", "/hook"), encoding="utf-8")
    await reload(process, '"daemon_stopped"')
    await process.logged('"daemon_started"', times=2)
    await town.phone.connect(await process.served() + "/hook")
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


async def reload(process: Process, until: str) -> None:
    """Send SIGHUP and wait for a word in the log."""
    assert process.process is not None
    process.process.send_signal(signal.SIGHUP)
    await process.logged(until)


async def test_a_new_file_that_cannot_be_served_leaves_the_former_one_serving(town: Town, process: Process) -> None:
    await process.start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        good = town.file.read_text(encoding="utf-8")
        port = taken.getsockname()[1]
        town.file.write_text(good.replace('"listen": "127.0.0.1:0"', f'"listen": "127.0.0.1:{port}"', 1), encoding="utf-8")
        await reload(process, '"reload_failed"')
    await process.logged('"daemon_started"', times=2)
    await town.phone.connect(await process.served() + "/webhook/messages")
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


async def test_systemd_is_told_when_it_serves_lives_and_stops(town: Town, process: Process) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(town.folder / "notify"))
        manager.setblocking(False)
        await process.start({"NOTIFY_SOCKET": str(town.folder / "notify"), "WATCHDOG_USEC": "200000"})
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE):
            assert await loop.sock_recv(manager, 100) == b"READY=1"
            assert await loop.sock_recv(manager, 100) == b"WATCHDOG=1"
            assert await loop.sock_recv(manager, 100) == b"WATCHDOG=1"
            await process.end()
            while (told := await loop.sock_recv(manager, 100)) == b"WATCHDOG=1":
                continue
        assert told == b"STOPPING=1"


async def test_systemd_is_not_told_of_an_end_when_the_file_is_read_again(town: Town, process: Process) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(town.folder / "notify"))
        manager.setblocking(False)
        loop = asyncio.get_running_loop()

        async def told() -> list[str]:
            async with asyncio.timeout(DEADLINE):
                return (await loop.sock_recv(manager, 200)).decode().splitlines()

        await process.start({"NOTIFY_SOCKET": str(town.folder / "notify")})
        assert await told() == ["READY=1"]
        good = town.file.read_text(encoding="utf-8")
        for text, result in ((good, '"daemon_stopped"'), ("channels: [", '"reload_rejected"')):
            town.file.write_text(text, encoding="utf-8")
            await reload(process, result)
            reloading, since = await told()
            assert reloading == "RELOADING=1"
            assert re.fullmatch(r"MONOTONIC_USEC=\d+", since)
            assert await told() == ["READY=1"]
        await process.end()
        assert await told() == ["STOPPING=1"]


async def test_a_database_that_can_take_nothing_is_alive_for_the_watchdog_and_one_that_does_not_answer_is_not(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(town.folder / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(town.folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        daemon = await town.start()
        loop = asyncio.get_running_loop()

        async def fed(times: int) -> None:
            async with asyncio.timeout(DEADLINE):
                for _ in range(times):
                    while await loop.sock_recv(manager, 100) != b"WATCHDOG=1":
                        continue

        async def full() -> None:
            raise StoreUnavailable("disk full")

        asked = asyncio.Event()

        async def lost() -> None:
            asked.set()
            raise CommitUnknown

        async def silent() -> None:
            asked.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(daemon.store, "ping", full)
        await fed(5)
        for broken in (lost, silent):
            monkeypatch.setattr(daemon.store, "ping", broken)
            for _ in range(2):  # what was asked before may still be told
                asked.clear()
                await asyncio.wait_for(asked.wait(), DEADLINE)
            while True:
                try:
                    manager.recv(100)
                except BlockingIOError:
                    break
            asked.clear()
            await asyncio.wait_for(asked.wait(), DEADLINE)
            with pytest.raises(BlockingIOError):
                manager.recv(100)


async def test_the_log_holds_no_secret_and_no_message_text(town: Town, process: Process) -> None:
    town.phone.faults.error_code.on(131016, times=1)
    town.ai.fault("status", status=500)
    await process.start()
    await town.phone.say("ana", "my secret wish is a pony")
    await town.answers(1)
    town.phone.faults.token_expired.on()
    await town.phone.say("kofi", "another secret wish")
    await town.ai.wait_for(lambda calls: len(calls) >= 3)
    await process.end()
    log = "".join(process.output)
    assert "daemon_started" in log
    settings = town.phone.settings
    for hidden in (
        "pony",
        "another secret wish",
        settings.app_secret,
        settings.access_token,
        settings.verify_token,
        "sk-simulated",
        (town.folder / "state" / "admin-token").read_text(encoding="ascii").strip(),
    ):
        assert hidden not in log


async def test_state_is_readable_by_its_owner_alone(town: Town) -> None:
    await town.start()
    state = town.folder / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("admin-token", "sara.db"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600


async def test_a_port_in_use_is_named_and_tried_again_by_systemd(town: Town) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        town.config["server"]["listen"] = f"127.0.0.1:{port}"
        town.write()
        code, _, err = await sara(town, "run")
    assert code == 1, "78 would stop the service for good, though the port may be free in a moment"
    assert f"server.listen: 127.0.0.1:{port} cannot be opened: another program listens there" in err
    assert f"ss -ltnp 'sport = :{port}'" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("listen", "words"),
    [("192.0.2.7:8099", "this machine has no such address, or not yet"), ("nobody.invalid:8099", "does not know the name")],
)
async def test_an_address_that_is_not_there_yet_is_tried_again_by_systemd(town: Town, listen: str, words: str) -> None:
    town.config["server"]["listen"] = listen
    town.write()
    code, _, err = await sara(town, "run")
    assert code == 1
    assert words in err
    assert "Traceback" not in err


def lowest_port_for_all() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))


async def test_a_port_that_this_user_may_not_use_stays_so(town: Town, need: Callable[[str, str], str]) -> None:
    user: tuple[str, ...] = ()
    if os.geteuid() == 0:
        user = (need("setpriv", "it runs the daemon as a user who may not open low ports"), "--bounding-set", "-net_bind_service")
    if lowest_port_for_all() <= 7:
        pytest.skip("anybody may open any port here")
    town.config["server"]["listen"] = "127.0.0.1:7"
    process = Process(town)
    await process.launch(user=user)
    assert await process.ended() == 78
    assert "this user may not use it; ports below 1024 need a privilege" in "".join(process.output)


async def test_commands_that_look_work_with_and_without_a_daemon(town: Town, process: Process) -> None:
    await process.start()
    wamid = await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(10))
    for running in (True, False):
        if not running:
            await process.end()
        code, out, err = await sara(town, "export")
        assert (code, err) == (0, "")
        lines = [json.loads(line) for line in out.splitlines()]
        assert [(line["direction"], line["text"], line["state"], line["channel"]) for line in lines] == [
            ("in", "hello", "answered", "whatsapp"),
            ("out", "echo: hello", "read", "whatsapp"),
        ]
        wanted = {
            "external_id",
            "channel",
            "account",
            "conversation",
            "contact",
            "direction",
            "kind",
            "text",
            "state",
            "purpose",
            "at",
            "error",
        }
        assert wanted <= lines[0].keys()
        assert lines[0]["external_id"] == wamid
        [listed] = await as_json(town, "conversations", "list")
        shown = await as_json(town, "conversations", "show", listed["id"])
        assert [each["text"] for each in shown] == ["hello", "echo: hello"]
        [newest] = await as_json(town, "conversations", "show", listed["id"], "--limit", "1")
        assert newest["text"] == "echo: hello"
        why = await as_json(town, "why", lines[1]["external_id"])
        assert [event["what"] for event in why["timeline"]] == [
            "queued",
            "sending",
            "attempt_accepted",
            "sent",
            "delivered",
            "read",
        ]
        assert (await as_json(town, "why", wamid))["message"]["state"] == "answered"
        stats = await as_json(town, "queue", "stats")
        assert (stats["running"], stats["messages"]["out.read"]) == (running, 1)
        assert await as_json(town, "queue", "list") == {"jobs": [], "failed": []}
    assert (await sara(town, "export", listed["id"]))[:2] == (0, out)
    code, out, err = await sara(town, "export", "c99")
    assert (code, out) == (1, "")
    assert "there is no conversation c99" in err
    assert await sara(town, "export", "--unparsed") == (0, "", "")
    code, _, err = await sara(town, "why", "nonsense")
    assert code == 1
    assert "nonsense" in err


async def as_json(town: Town, *words: str) -> Any:
    code, out, err = await sara(town, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_what_was_signed_but_not_understood_can_be_taken_to_its_plugins_author(town: Town) -> None:
    await town.start()
    for body in (b"\xff{not json", '["ça"]'.encode()):
        assert await post(town, body) == 200
    code, out, err = await sara(town, "export", "--unparsed")
    assert (code, err) == (0, "")
    kept = [json.loads(line) for line in out.splitlines()]
    account = "whatsapp:109000000000555"
    assert [(each["account"], each["channel"], each["encoding"], each["body"]) for each in kept] == [
        (account, "whatsapp", "base64", "/3tub3QganNvbg=="),
        (account, "whatsapp", "text", '["ça"]'),
    ]
    assert all(each["reason"] and each["at"].endswith("Z") for each in kept)
    code, out, err = await sara(town, "export", "c1", "--unparsed")
    assert (code, out) == (2, "")


async def test_what_was_given_up_is_listed_and_retried_through_the_daemon_and_without_it(town: Town, process: Process) -> None:
    town.phone.faults.error_code.on(131026, times=2)
    await process.start()
    for who in ("ana", "kofi"):
        await town.phone.say(who, f"hello from {who}")

    async def both_failed() -> bool:
        return len((await as_json(town, "queue", "list"))["failed"]) == 2

    await town.until(both_failed)
    jobs = [each["job"] for each in (await as_json(town, "queue", "list"))["failed"]]
    code, out, err = await sara(town, "queue", "retry", jobs[0])
    assert code == 0, err
    assert "tried again" in out
    await town.answers(1)
    await process.end()
    code, out, err = await sara(town, "queue", "retry", "--all")
    assert code == 0, err
    await process.start()
    assert sorted(await town.answers(2)) == ["echo: hello from ana", "echo: hello from kofi"]
    code, _, err = await sara(town, "queue", "retry", "nonsense")
    assert code == 1
    assert "reply:CONVERSATION" in err
    code, _, err = await sara(town, "queue", "drop", "deliver:c999")
    assert code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("queue", "retry", "--all"),
        ("queue", "drop", "reply:c1"),
        ("send", "c1", "hello"),
        ("opt-out", "c1"),
        ("queue", "list"),
        ("backup",),
        ("restore", "nothing", "--yes"),
    ],
)
async def test_where_no_daemon_ever_ran_nothing_is_created_and_that_is_said(town: Town, words: tuple[str, ...]) -> None:
    town.write()
    state = town.folder / "state"
    code, out, err = await sara(town, *words)
    assert (code, out) == (1, "")
    assert "there is no f" in err
    assert "Traceback" not in err
    assert sorted(each.name for each in town.folder.iterdir()) == ["sara.yaml"]
    state.mkdir()
    code, out, err = await sara(town, *words)
    assert (code, out) == (1, "")
    assert list(state.iterdir()) == []


async def test_a_providers_words_are_printed_and_not_obeyed_and_who_has_no_name_is_called_by_number(town: Town) -> None:
    town.phone.faults.error_code.on(131026)
    daemon = await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="out", state="failed")

    def spoil(db: sqlite3.Connection) -> None:
        db.execute("UPDATE messages SET error = 'no\x1b[2J', reason = 'odd\x1b[2J' WHERE direction = 'out'")
        db.execute("UPDATE contacts SET name = NULL, username = NULL")

    await daemon.store.database.write(spoil)  # type: ignore[attr-defined]  # the bundled store
    [part] = await town.messages(direction="out")
    code, out, err = await sara(town, "why", part.id)
    assert (code, err) == (0, "")
    assert "error: no\N{REPLACEMENT CHARACTER}[2J" in out
    assert "odd\N{REPLACEMENT CHARACTER}[2J" in out
    assert "\x1b" not in out
    [listed] = await as_json(town, "conversations", "list")
    code, out, _ = await sara(town, "conversations", "list")
    assert listed["name"] is None
    assert listed["address"] in out
    assert listed["contact"] not in out.split()


async def test_the_admin_listener_tells_strangers_nothing(town: Town) -> None:
    daemon = await town.start()
    token = (town.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    async with aiohttp.ClientSession() as session:

        async def status(path: str, method: str = "GET", **headers: str) -> int:
            async with session.request(method, daemon.admin_url + path, headers=headers) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                return answer.status

        assert await status("/healthz") == 200
        assert await status("/readyz") == 200
        for path in ("/", "/metrics", "/api/v1/problems", "/api/v1/queue", "/api/v1/queue/jobs", "/nowhere"):
            assert await status(path) == 401
            assert await status(path, Authorization="Bearer wrong") == 401
            assert await status(path, Authorization="Bearer ü") == 401
        for path in ("/metrics", "/api/v1/problems", "/api/v1/queue", "/api/v1/queue/jobs"):
            assert await status(path, Authorization=f"Bearer {token}") == 200
        assert await status("/api/v1/queue/retry", "POST", Authorization=f"Bearer {token}") == 400
        assert await status("/healthz", Host="evil.example") == 421
        async with session.get(daemon.admin_url + "/metrics", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert "sara_jobs_total" in await answer.text()
