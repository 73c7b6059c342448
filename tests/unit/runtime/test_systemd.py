"""The service unit, and how the daemon talks to systemd."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sara.runtime import systemd
from tests import figures
from tests.patience import patience

UNIT = Path(__file__).parents[3] / "systemd" / "sara.service"
EXPOSURE = 2.5


def test_the_unit_is_well_sandboxed(need: Callable[[str, str], str], figure: Callable[[str], None]) -> None:
    analyze = need("systemd-analyze", "it judges the service unit")
    judged = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=patience(60),
    )
    found = re.search(r"Overall exposure level for sara\.service: ([\d.]+)", judged.stdout)
    assert found is not None, judged.stdout + judged.stderr
    figure(f"systemd-analyze security: exposure {found[1]} of at most {EXPOSURE}")
    assert float(found[1]) <= EXPOSURE


def test_a_figure_is_printed_also_where_tests_run_beside_each_other(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """By what prints the figures of this very run, told of by a worker."""
    hooks = [getattr(plugin, "pytest_terminal_summary", None) for plugin in request.config.pluginmanager.get_plugins()]
    assert figures.pytest_terminal_summary in hooks
    (tmp_path / "test_judge.py").write_text(
        "def test_judge(figure):\n    figure('exposure 1.5 of at most 2.5')\n", encoding="utf-8"
    )
    (tmp_path / "pytest.ini").touch()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "tests.figures", "-n", "1", "test_judge.py"]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(UNIT.parent.parent)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=patience(120), cwd=tmp_path, env=environ)
    assert re.search(r"^exposure 1\.5 of at most 2\.5$", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_unit_says_what_the_daemon_relies_on() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in (
        "Type=notify",
        "WatchdogSec=30",
        "Restart=always",
        "RestartPreventExitStatus=78",
        "StateDirectory=sara",
        "StartLimitIntervalSec=0",
        "LoadCredential=secrets.yaml:/etc/sara/secrets.yaml",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ):
        assert line in lines


def test_the_manual_calls_commands_with_the_file_of_the_unit() -> None:
    """A command without --config looks at another file; `sara` alone is found where the README puts a link."""
    home = UNIT.parent.parent
    install = "ln -s /opt/sara/bin/sara /usr/local/bin/sara"
    assert install in (home / "README.md").read_text(encoding="utf-8")
    for page in ("README.md", "docs/whatsapp.md", "docs/backup.md"):
        text = (home / page).read_text(encoding="utf-8")
        assert "/opt/sara/bin/sara " not in text.replace(install, ""), page
        commands = re.findall(r"^(?:# | {3,4})(sara .*)$", text, re.MULTILINE)
        assert len(commands) >= 3, page
        assert [each for each in commands if not re.fullmatch(r"sara .* --config /etc/sara/sara\.yaml( +#.*)?", each)] == [], page
    assert "ExecStart=/opt/sara/bin/sara run --config /etc/sara/sara.yaml" in UNIT.read_text(encoding="utf-8").splitlines()
    for page in ("README.md", "docs/whatsapp.md"):
        told = (home / page).read_text(encoding="utf-8")
        assert "state: /var/lib/sara" in told, "or the commands would look for the service's data beside the file"


def test_a_notification_reaches_the_service_manager(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        assert systemd.notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"


def test_without_a_service_manager_nothing_happens() -> None:
    assert not systemd.notify("READY=1", {})
    assert not systemd.notify("READY=1", {"NOTIFY_SOCKET": "/nowhere/at/all"})


def test_signs_of_life_are_given_twice_as_often_as_the_watchdog_wants_them() -> None:
    assert systemd.watchdog_interval({"WATCHDOG_USEC": "30000000"}) == 15
    assert systemd.watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}) == 15
    assert systemd.watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None
    assert systemd.watchdog_interval({}) is None
