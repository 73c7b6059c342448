"""How `sara` is called here: what a text says of a command becomes one that can be copied into this terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

UNIT_FOLDERS = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)
UNIT = "sara.service"
DEFAULT_CONFIG = Path("sara.yaml")
SYSTEM_CONFIG = Path("/etc/sara/sara.yaml")
CONFIG_VARIABLE = "SARA_CONFIG"

_COMMAND = re.compile(r"`sara ([^`]+)`")
_OPTION = re.compile(r"--config\b")


def find_config() -> Path:
    """Return the file that commands read without `--config`: `$SARA_CONFIG`, else the first of ./sara.yaml and /etc/sara/sara.yaml
    that exists."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    # os.path.exists is False, and raises nothing, for a file in a folder that this user may not look into.
    return next((each for each in (DEFAULT_CONFIG, SYSTEM_CONFIG) if os.path.exists(each)), DEFAULT_CONFIG)


class Invocation:
    """How this process was called, as far as the next command has to be called alike."""

    def __init__(self, config: Path, program: str, *, is_service: bool) -> None:
        self._config = config
        self._program = program
        self.is_service = is_service
        """Whether systemd starts SARA with this file."""

    @classmethod
    def present(cls, config: Path, unit_folders: Sequence[Path] = UNIT_FOLDERS) -> Invocation:
        """Look at this process and at the units of systemd."""
        program = _program()
        if os.geteuid() == 0 and os.environ.get("SUDO_USER"):
            program = f"sudo {program}"
        return cls(config, program, is_service=_is_service(config, unit_folders))

    def runnable(self, text: str) -> str:
        """Return the text with each `` `sara …` `` as it works here: with the program's place and the file, and started by
        systemd where systemd starts SARA."""
        return _COMMAND.sub(lambda found: f"`{self.command(found[1])}`", text)

    def command(self, words: str) -> str:
        """Return a command's whole line."""
        if words == "run" and self.is_service:
            return "systemctl start sara"
        is_default = self._config == DEFAULT_CONFIG and not os.environ.get(CONFIG_VARIABLE)
        named = is_default or _OPTION.search(words)
        config = "" if named else f" --config {shlex.quote(str(self._config.absolute()))}"
        return f"{self._program} {words}{config}"


def _program() -> str:
    """Return the words that call this very program."""
    called = Path(sys.argv[0])
    if called.name != "sara":
        return f"{shlex.quote(sys.executable)} -m sara"
    found = shutil.which("sara")
    if found is not None and Path(found).resolve() == called.resolve():
        return "sara"
    return shlex.quote(str(called.absolute()))


def _is_service(config: Path, folders: Sequence[Path]) -> bool:
    for folder in folders:
        try:
            unit = (folder / UNIT).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        return any(line.startswith("ExecStart=") and str(config.absolute()) in line.split() for line in unit.splitlines())
    return False
