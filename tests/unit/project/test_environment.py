"""The environment that `make demo` builds: what goes wrong is said in a sentence, and the next start recovers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import patience

HOME = Path(__file__).parents[3]
DEADLINE = patience(60)

PYTHON = """\
#!/bin/sh
# A Python whose `venv` and `pip` do what the files beside it say.
here={here}
case "$*" in
    *python_version*) echo {version}; exit 0 ;;
    *"%d.%d"*) echo 3.11; exit 0 ;;
    *version_info*) exit {too_old} ;;
    "-m pip --version") [ -e "$0.cfg" ] && [ ! -e $here/no-pip ]; exit $? ;;
    "-m venv "*) step=venv ;;
    *"pip"*" -e ."*) step=sara ;;
    *"pip"*) step=pip ;;
    *) exit 64 ;;
esac
echo $step >>$here/steps
if [ $step = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; : >"$3/pyvenv.cfg"; fi
[ -e $here/says-$step ] && cat $here/says-$step
if [ -e $here/hangs-$step ]; then : >$here/reached; sleep 1000; fi
[ ! -e $here/fails-$step ] || exit 1
if [ $step = venv ]; then : >"$3/bin/python.cfg"; fi
if [ $step = pip ]; then for each in one two three; do echo "Collecting $each (from -r requirements.lock)"; done; fi
exit 0
"""
NO_ENSUREPIP = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.11-venv
"""
RETRYING = "WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None, status=None)) after connection broken by "


@dataclass
class Place:
    """A copy of what the set-up reads, with a Python of its own on the PATH."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "scripts").mkdir()
        (self.folder / "bin").mkdir()
        (self.folder / "control").mkdir()
        shutil.copy(HOME / "scripts/environment.sh", self.folder / "scripts")
        shutil.copy(HOME / "Makefile", self.folder)
        (self.folder / "pyproject.toml").touch()
        (self.folder / "requirements.lock").write_text("one==1\ntwo==2\nthree==3\n", encoding="utf-8")
        for name in ("sh", "cat", "cp", "mkdir", "rm", "ls", "grep", "tail", "basename", "sleep", "env"):
            (self.folder / "bin" / name).symlink_to(shutil.which(name) or name)

    def python(self, name: str, version: str = "3.11.2") -> None:
        too_old = int(version < "3.11")
        program = self.folder / "bin" / name
        program.write_text(PYTHON.format(here=self.folder / "control", version=version, too_old=too_old), encoding="utf-8")
        program.chmod(0o755)

    def control(self, name: str, text: str = "") -> None:
        (self.folder / "control" / name).write_text(text, encoding="utf-8")

    def begin(self, **environ: str) -> subprocess.Popen[str]:
        words = ["sh", "scripts/environment.sh", ".venv", "requirements.lock", "make demo"]
        return subprocess.Popen(
            words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={"PATH": str(self.folder / "bin"), **environ}, preexec_fn=_heed_interrupts,
        )  # fmt: skip

    def run(self, **environ: str) -> tuple[int, str]:
        process = self.begin(**environ)
        printed, _ = process.communicate(timeout=DEADLINE)
        return process.returncode, printed

    def steps(self) -> list[str]:
        """What the Python was asked to do since the last time."""
        file = self.folder / "control/steps"
        found = file.read_text(encoding="utf-8").split() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def mend(self) -> None:
        """Take every fault away."""
        for file in (self.folder / "control").iterdir():
            file.unlink()


FAULTS = (
    # (the step that fails, what it says, words of what is printed, words that are not)
    ("venv", NO_ENSUREPIP, "sudo apt-get install python3.11-venv), then run: make demo", "network"),
    ("venv", "No module named venv\n", "sudo apt-get install python3.11-venv", ""),
    ("venv", "Error: [Errno 13] Permission denied: '.venv'\n", "Permission denied", "apt-get"),
    ("venv", "OSError: [Errno 28] No space left on device\n", "The disk is full.", ""),
    ("pip", f"{RETRYING}'NameResolutionError(\": Failed to resolve 'pypi.org' ([Errno -3] Temporary failure in name resolution)\")'\n", "there is no network", "apt-get"),
    ("pip", f"{RETRYING}'NewConnectionError(': [Errno 101] Network is unreachable')'\n", "there is no network", ""),
    ("pip", f"{RETRYING}'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))'\n", "there is no network, or a proxy", ""),
    ("pip", f"{RETRYING}'ConnectTimeoutError(connect timeout=15)': Connection to pypi.org timed out.\n", "there is no network", ""),
    ("pip", "Could not fetch URL: SSLError(SSLCertVerificationError(1, 'certificate verify failed'))\n", "a proxy or firewall", ""),
    ("pip", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", "The disk is full.", "network"),
    ("pip", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n", "DO NOT MATCH THE HASHES", "network"),
    ("sara", "ERROR: Project has a faulty build system\n", "SARA itself could not be installed.", "network"),
)  # fmt: skip


def test_what_goes_wrong_is_said_and_the_next_start_recovers(tmp_path: Path) -> None:
    """The next start sees only which files are there: it is tried once for each state in which a step has left them."""
    tried: set[tuple[str, ...]] = set()
    for number, (step, said, words, not_words) in enumerate(FAULTS):
        place = Place(tmp_path / str(number))
        place.python("python3")
        place.control(f"says-{step}", said)
        place.control(f"fails-{step}")
        code, printed = place.run()
        assert code != 0, printed
        assert words in printed, (said, printed)
        assert not not_words or not_words not in printed, (said, printed)
        assert "make demo" in printed
        files = [each for part in place.folder.glob(".venv*") for each in (part, *part.rglob("*"))]
        left = (step, *sorted(str(each.relative_to(place.folder)) for each in files))
        if left in tried:
            continue
        tried.add(left)
        place.mend()
        code, printed = place.run()
        assert code == 0, printed
        assert place.steps() == ["venv", "pip", "sara"], said
        assert [line[:3] for line in printed.splitlines() if line[0] != " "] == ["1/3", "2/3", "3/3"]
        assert sorted(each.name for each in place.folder.glob(".venv*")) == [".venv"]
        assert place.run() == (0, "")
        assert place.steps() == []
    assert {step for step, *_ in tried} == {"venv", "pip", "sara"}


def test_one_that_was_interrupted_anywhere_is_made_again(tmp_path: Path) -> None:
    for number, (step, ending) in enumerate(
        (step, ending) for step in ("venv", "pip", "sara") for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    ):
        place = Place(tmp_path / str(number))
        place.python("python3")
        place.control(f"hangs-{step}")
        process = place.begin()
        _wait_for((place.folder / "control/reached").exists)
        os.killpg(process.pid, ending)
        try:
            process.communicate(timeout=DEADLINE)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode != 0
        place.mend()
        assert place.run()[0] == 0
        assert place.steps() == ["venv", "pip", "sara"], (step, ending)


def test_an_environment_is_made_once_and_brought_up_to_date_in_place(tmp_path: Path) -> None:
    place = Place(tmp_path / "x")
    place.python("python3")
    assert place.run()[0] == 0
    assert place.steps() == ["venv", "pip", "sara"]
    later = time.time() + 10
    os.utime(place.folder / "requirements.lock", (later, later))
    assert place.run()[0] == 0
    assert place.steps() == ["pip", "sara"]


def test_one_without_pip_that_an_older_set_up_left_is_made_again(tmp_path: Path) -> None:
    place = Place(tmp_path / "x")
    place.python("python3")
    (place.folder / ".venv/bin").mkdir(parents=True)
    (place.folder / ".venv/pyvenv.cfg").touch()
    assert place.run()[0] == 0
    assert place.steps() == ["venv", "pip", "sara"]


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path / "x")
    place.python("python3")
    (place.folder / ".venv").mkdir()
    (place.folder / ".venv/diary.txt").touch()
    code, printed = place.run()
    assert code == 1
    assert ".venv is there, and is no Python environment" in printed
    assert (place.folder / ".venv/diary.txt").exists()


PYTHONS = (
    # (the Pythons that there are, PYTHON, exit code, words of what is printed)
    ({}, "", 1, "this machine has no Python."),
    ({}, "", 1, "sudo apt-get install python3 python3-venv"),
    ({"python3": "3.10.12"}, "", 1, "SARA needs Python 3.11 or newer, and the Python of this machine is 3.10.12."),
    ({"python3": "3.10.12"}, "", 1, "make demo PYTHON=/path/to/python3.11"),
    ({"python": "2.7.18"}, "", 1, "is 2.7.18."),
    ({"python3": "3.10.12", "python3.11": "3.11.2"}, "", 0, "with python3.11 "),
    ({"python3": "3.10.12", "python3.12": "3.12.1"}, "", 0, "with python3.12 "),
    ({"python3": "3.13.0"}, "", 0, "with python3 "),
    ({"python": "3.14.0"}, "", 0, "with python "),
    ({"python3": "3.11.2", "other": "3.10.1"}, "other", 1, "and other is 3.10.1. Name another: make demo PYTHON="),
    ({"python3": "3.11.2"}, "/nowhere/python", 1, "/nowhere/python cannot be run as Python."),
    ({"python3": "3.10.12", "other": "3.12.1"}, "other", 0, "with other "),
)  # fmt: skip


def test_the_python_is_found_or_a_sentence_says_which_is_needed(tmp_path: Path) -> None:
    for number, (pythons, named, code, words) in enumerate(PYTHONS):
        place = Place(tmp_path / str(number))
        for name, version in pythons.items():
            place.python(name, version)
        environ = {"PYTHON": named} if named else {}
        found, printed = place.run(**environ)
        assert (found, words in printed) == (code, True), (pythons, named, printed)
        assert "Traceback" not in printed
        assert code == 0 or not (place.folder / ".venv").exists()


def test_pip_itself_without_a_network_is_understood(tmp_path: Path) -> None:
    """The real pip against an index that nobody serves."""
    pythons = (sys.executable, getattr(sys, "_base_executable", sys.executable))
    look = "import sys, importlib.util; sys.exit(importlib.util.find_spec('pip') is None)"
    with_pip = next((each for each in pythons if subprocess.run([each, "-c", look], check=False).returncode == 0), None)
    if with_pip is None:
        pytest.skip("no Python here has pip")
    place = Place(tmp_path / "x")
    place.python("python3")
    real = place.folder / "bin/python3"
    text = real.read_text(encoding="utf-8")
    real.write_text(text.replace("echo $step >>", f'[ $step != pip ] || exec {with_pip} "$@"\necho $step >>'), encoding="utf-8")
    lock = "left-out==1.0 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
    (place.folder / "requirements.lock").write_text(lock, encoding="utf-8")
    index = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
    }
    code, printed = place.run(**index, HOME=str(tmp_path))
    assert code == 1
    assert "The package index cannot be reached: there is no network" in printed


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
def test_make_demo_says_the_same_and_then_runs_what_was_made(tmp_path: Path) -> None:
    place = Place(tmp_path / "x")
    make = shutil.which("make") or "make"
    environ = {"PATH": str(place.folder / "bin")}
    done = subprocess.run(
        [make, "demo"], cwd=place.folder, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode != 0
    assert "this machine has no Python." in done.stderr
    place.python("python3")
    done = subprocess.run(
        [make, "demo"], cwd=place.folder, env=environ, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert "3/3 Installing SARA itself" in done.stdout
    assert ".venv/bin/sara" in done.stderr  # which the Python of this test does not really install


def _heed_interrupts() -> None:
    """Where the tests run in the background, an interrupt is ignored by all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
