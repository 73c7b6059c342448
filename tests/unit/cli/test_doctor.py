"""`sara doctor` without a daemon: what it looks at itself, and plugins that behave badly."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, Identity, InboundMessage
from sara.cli import doctor as command
from sara.cli import doctor_checks
from sara.cli.doctor import doctor
from sara.config.settings import Admin, Config, Listen
from sara.domain.options import Options
from sara.engines import ClassifiedMessage, InboundBatch, InboundDecision
from sara.helpers import ProblemRegistry
from sara.plugins.section import Section
from sara.runtime.clock import wall_clock
from tests.patience import patience

SHELF = Path(__file__).parents[2] / "data" / "plugins"
KEY = "a-key-that-nobody-may-see"


@pytest.fixture(autouse=True)
def left_as_it_was(own_logging: None) -> Iterator[None]:
    """The command sets up logging and imports plugins; other tests expect neither."""
    yield
    for name in ("ailing", "pigeon"):
        sys.modules.pop(f"sara_{name}", None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file is, beside an ailing plugin and a healthy one."""
    (tmp_path / "plugins").mkdir()
    for name in ("ailing", "pigeon"):
        shutil.copy(SHELF / f"sara_{name}.py", tmp_path / "plugins")
    return tmp_path / "sara.yaml"


PIGEON = {"loft": {"plugin": "pigeon", "loft": "roof", "port": 9, "token": "an invented token"}}


def write(file: Path, ails: str = "", **more: Any) -> None:
    responders = {"assistant": {"plugin": "ailing", "ails": ails, "key": KEY}}
    channels = {"shop": {"plugin": "whatsapp", **WHATSAPP}}
    file.write_text(json.dumps({"state": "state", "channels": channels, "responders": responders, **more}), encoding="utf-8")


WHATSAPP = {
    "phone_number_id": "1",
    "app_secret": "an invented app secret",
    "access_token": "EAAinvented",
    "verify_token": "an invented verify token",
    "graph_url": "http://127.0.0.1:9",
}


def run(capsys: pytest.CaptureFixture[str], file: Path, channel: str | None = None, *, fix: bool = False) -> tuple[int, Any]:
    """The exit code, and the findings by section and check."""
    code = doctor(file, channel, fix=fix, as_json=True)
    out, _ = capsys.readouterr()
    assert KEY not in out
    document = json.loads(out)
    assert document["ok"] == (code == 0)
    return code, {part["name"]: {each["check"]: each for each in part["findings"]} for part in document["sections"]}


def test_every_section_is_opened_and_asked_with_what_the_daemon_would_tell_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, server={"public_url": "http://127.0.0.1:9"})
    _, found = run(capsys, file)
    assert list(found) == ["sara", "store", "shop", "assistant"]
    assert found["assistant"]["told"]["message"] == "http://127.0.0.1:9 True False"
    _, found = run(capsys, file, fix=True)
    assert found["assistant"]["told"]["message"] == "http://127.0.0.1:9 True True"


def test_a_channel_can_be_looked_at_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file)
    code, found = run(capsys, file, "shop")
    assert code == 1
    assert list(found) == ["sara", "shop"]


def test_an_unknown_channel_is_named_with_those_there_are(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file)
    assert doctor(file, "shp", fix=False, as_json=False) == 2
    assert "there are: shop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ails", "state", "message"),
    [
        ("", "good", "None True False"),
        ("nothing", "note", "no further checks"),
        ("raises", "bad", "broke: it raised RuntimeError"),
        ("rubbish", "bad", "no finding"),
        ("talks", "bad", "… is wrong."),
        ("close", "good", ""),
    ],
)
def test_a_plugin_that_breaks_is_a_finding_that_gives_no_secret_away(
    file: Path, capsys: pytest.CaptureFixture[str], ails: str, state: str, message: str
) -> None:
    write(file, ails)
    _, found = run(capsys, file)
    first = next(iter(found["assistant"].values()))
    assert first["state"] == state
    assert message in first["message"]
    assert KEY not in first["remedy"]


def test_checks_that_do_not_end_are_given_up(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WITHIN", 50)
    write(file, "hangs", channels=PIGEON)
    code, found = run(capsys, file)
    assert code == 1
    assert "did not end in time" in found["assistant"]["plugin"]["message"]


def test_checks_that_do_not_even_end_when_told_to_keep_nobody_waiting(file: Path) -> None:
    write(file, "clings", channels=PIGEON)
    code = f"import sara.cli.doctor as d; d.WITHIN = 50; raise SystemExit(d.doctor(d.Path({str(file)!r}), None, fix=False, as_json=True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=patience(30))
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_a_missing_plugin_is_bad_and_the_rest_is_looked_at(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file, channels={"shop": {"plugin": "nonesuch"}})
    code, found = run(capsys, file)
    assert code == 1
    assert found["shop"]["plugin"]["state"] == "bad"
    assert found["assistant"]["told"]["state"] == "good"
    assert list(run(capsys, file, "shop")[1]) == ["sara", "shop"]


def test_errors_in_the_file_are_told_with_their_place_and_nothing_is_opened(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file, server={"listen": "nowhere"})
    code, found = run(capsys, file)
    assert code == 1
    assert list(found) == ["sara"]
    assert found["sara"]["file"]["state"] == "bad"
    assert "sara.yaml:1:" in found["sara"]["file"]["message"]


def test_a_missing_file_is_a_finding_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(capsys, tmp_path / "sara.yaml")
    assert code == 1
    assert found["sara"]["file"]["state"] == "bad"


def test_before_the_first_start_all_that_is_missing_is_the_daemon(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file, channels=PIGEON)
    code, found = run(capsys, file)
    assert code == 0
    wrong = {check: each for check, each in found["sara"].items() if each["state"] != "good"}
    assert set(wrong) == {"daemon", "public_url"}
    assert f"run --config {file}" in wrong["daemon"]["remedy"]
    assert found["store"]["store"]["state"] == "note"
    assert not (file.parent / "state").exists()


def test_people_get_marks_and_remedies(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(file, "talks", channels=PIGEON)
    assert doctor(file, None, fix=False, as_json=False) == 1
    out, _ = capsys.readouterr()
    assert "responder assistant\n  ✗ key  … is wrong.\n         → Not ….\n" in out
    assert "\n  ! daemon" in out
    assert out.endswith("\n1 bad, 2 to think about.\n")


# ── whoever is told of customers ──────────────────────────────────────────────────────────────────────────────────────────


def stored(state: Path, capsys: pytest.CaptureFixture[str], *numbers: str) -> None:
    """As a daemon leaves the store after these people wrote to the shop."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700)
    (state / "admin-token").write_text("invented")

    async def write() -> None:
        store = SqliteStore(SqliteOptions(), Context("store", state, wall_clock, ProblemRegistry(wall_clock)))
        await store.open()
        for n, number in enumerate(numbers):
            message = InboundMessage("whatsapp:1", f"in-{n}", Identity(user_id=f"BR.{n}", phone=number), "text", "hello", 1_000)
            await store.accept(InboundBatch("whatsapp:1", (ClassifiedMessage(message, InboundDecision(), 0, 0),)), 1_000)
        await store.close()

    asyncio.run(write())
    capsys.readouterr()  # what was logged before the command set up its own logging


def test_an_operator_who_has_never_written_is_a_warning_whatever_the_spelling(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ("+55 11 91234-5678", ["551112345678"], "good"),
        ("+52 1 55 1234 5678", ["15550001111", "525512345678"], "good"),
        ("+54 11 15 1234-5678", ["5491112345678"], "good"),
        ("BR.0", ["551112345678"], "good"),
        ("+49 170 1234567", ["551112345678"], "warning"),
        ("+49 170 1234567", [], "warning"),
    ]
    for to, wrote, state in rows:
        write(file, conversation={"handoff": {"notify": {"channel": "shop", "to": to}}})
        stored(file.parent / "state", capsys, *wrote)
        _, found = run(capsys, file)
        told = found["operators"]["operators"]
        assert told["state"] == state, to
        assert to in told["message"]
        assert state == "good" or "never written" in told["message"]


def test_operators_are_looked_at_only_where_somebody_is_told_and_the_channel_needs_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(file)
    assert "operators" not in run(capsys, file)[1]
    write(file, conversation={"handoff": {"notify": {"channel": "shop", "to": "+49 170 1234567"}}})
    assert "operators" not in run(capsys, file)[1], "nothing is stored yet"
    write(file, channels=PIGEON, conversation={"handoff": {"notify": {"channel": "loft", "to": "rita"}}})
    stored(file.parent / "state", capsys)
    assert "operators" not in run(capsys, file)[1], "whoever keeps pigeons may be written to at any time"


# ── its own eyes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def config(state: Path, admin: str = "127.0.0.1:1") -> Config:
    section = Section("store", "sqlite", Options())
    return Config(state=state, store=section, queue=section, admin=Admin(listen=Listen.parse(admin)))


def states(state: Path) -> dict[str, str]:
    return {finding.check: finding.state for finding in doctor_checks.of_state(config(state))}


def test_a_state_directory_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert states(tmp_path)["privacy"] == "warning"
    tmp_path.chmod(0o700)
    assert "privacy" not in states(tmp_path)


def test_a_state_directory_that_is_a_file_is_bad(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert states(tmp_path / "state") == {"state": "bad"}


def test_a_state_directory_that_cannot_be_written_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_, **__: False)  # root may write everywhere
    assert states(tmp_path) == {"state": "bad"}


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "bad"), (500 << 20, "warning"), (5 << 30, "good")])
def test_room_on_the_disk_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert states(tmp_path)["disk"] == state


@pytest.mark.parametrize(
    ("listen", "state"),
    [
        ("127.0.0.1:1", "good"),
        ("localhost:1", "good"),
        ("[::1]:1", "good"),
        ("0.0.0.0:1", "warning"),
        ("10.0.0.5:1", "warning"),
        ("a-name:1", "warning"),
        ("8.8.8.8:1", "bad"),
    ],
)
def test_who_can_reach_the_admin_listener_is_judged(tmp_path: Path, listen: str, state: str) -> None:
    assert doctor_checks.of_admin(config(tmp_path, listen)).state == state
