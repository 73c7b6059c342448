"""Commands that a text names can be copied as they are printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sara.cli.invocation import Invocation

UNIT = """[Service]
ExecStart=/opt/sara/bin/sara run --config /etc/sara/sara.yaml
"""


def test_a_command_names_the_program_and_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under the shipped unit, from a folder with sara.yaml, as a module, and through sudo."""
    program = tmp_path / "bin" / "sara"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = tmp_path / "units"
    units.mkdir()
    (units / "sara.service").write_text(UNIT)
    etc, here = Path("/etc/sara/sara.yaml"), Path("sara.yaml")
    rows: list[tuple[Path, str, str, int, str, str, str]] = [
        # file, argv[0], PATH, user, SUDO_USER, text, what is printed
        (
            etc,
            str(program),
            "/usr/bin",
            1000,
            "",
            "`sara doctor --fix` does it.",
            f"`{program} doctor --fix --config /etc/sara/sara.yaml` does it.",
        ),
        (
            etc,
            str(program),
            str(program.parent),
            1000,
            "",
            "See `sara queue stats`.",
            "See `sara queue stats --config /etc/sara/sara.yaml`.",
        ),
        (etc, str(program), str(program.parent), 0, "ana", "`sara why m1`", "`sudo sara why m1 --config /etc/sara/sara.yaml`"),
        (etc, str(program), str(program.parent), 0, "", "`sara why m1`", "`sara why m1 --config /etc/sara/sara.yaml`"),
        (etc, str(program), str(program.parent), 0, "", "Start it: `sara run`", "Start it: `systemctl start sara`"),
        (here, str(program), str(program.parent), 1000, "", "Start it: `sara run`", "Start it: `sara run`"),
        (
            here,
            str(program),
            str(program.parent),
            1000,
            "",
            "`sara queue list` and `sara queue retry`",
            "`sara queue list` and `sara queue retry`",
        ),
        (here, "/x/sara/__main__.py", "", 1000, "", "`sara check`", f"`{sys.executable} -m sara check`"),
        (
            Path("/srv/my shop/s.yaml"),
            str(program),
            str(program.parent),
            1000,
            "",
            "`sara run`",
            "`sara run --config '/srv/my shop/s.yaml'`",
        ),
        (etc, str(program), str(program.parent), 1000, "", "SARA and sara.yaml, `systemctl`", "SARA and sara.yaml, `systemctl`"),
    ]
    for config, called, path, user, by, text, printed in rows:
        monkeypatch.setattr(sys, "argv", [called])
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("SUDO_USER", by)
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        assert Invocation.present(config, (tmp_path / "none", units)).runnable(text) == printed, (config, called, text)


def test_the_shipped_unit_is_recognised(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "systemd" / "sara.service"
    (tmp_path / "sara.service").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    for config, is_service in (("/etc/sara/sara.yaml", True), ("/etc/sara/other.yaml", False), ("sara.yaml", False)):
        assert Invocation.present(Path(config), (tmp_path,)).is_service is is_service
