"""The README's way to a real number, with its commands as they are written: on folders of its own, against the simulators."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.patience import patience

HOME = Path(__file__).parents[2]
DEADLINE = patience(120)
FOLDERS = ("/etc", "/opt", "/usr/local", "/var/lib")
"""Where the commands write; each is laid over the real one, for these commands alone."""

SYSTEMCTL = """\
#!/usr/bin/env bash
# What systemd does with the unit of SARA, as far as the test needs it.
set -e
case "$*" in
    "enable --now sara")
        unit=/etc/systemd/system/sara.service
        folder=/var/lib/$(sed -n 's/^StateDirectory=//p' $unit)
        mkdir -p "$folder" {control}/credentials
        IFS=: read -r name from < <(sed -n 's/^LoadCredential=//p' $unit)
        cp "$from" "{control}/credentials/$name"
        STATE_DIRECTORY=$folder CREDENTIALS_DIRECTORY={control}/credentials nohup \\
            $(sed -n 's/^ExecStart=//p' $unit) >{control}/log 2>&1 &
        echo $! >{control}/pid
        ;;
esac
"""


PYTHON = """\
#!/bin/sh
# The Python of the machine. Its new environments find pip where this Python has it, which `venv` would unpack and compile anew.
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
{python} -m venv --without-pip "$3"
site=$("$3/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ln -s {pip} "$site"
printf '#!/bin/sh\\nexec %s/bin/python3 -m pip "$@"\\n' "$3" >"$3/bin/pip"
chmod 755 "$3/bin/pip"
"""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, without their indentation."""
    text = (HOME / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


class Machine:
    """Folders of its own over those of this machine, in which commands run as root."""

    def __init__(self, scratch: Path, environ: Mapping[str, str]) -> None:
        self.control = scratch / "control"
        self.control.mkdir()
        self.environ = environ
        layers = scratch / "layers"
        layers.mkdir()
        mounts = ["mount --make-rprivate /", f"mount -t tmpfs tmpfs {layers}"]
        for folder in FOLDERS:
            upper, work = f"{layers}/upper{folder}", f"{layers}/work{folder}"
            mounts += [
                f"mkdir -p {upper} {work}",
                f"mount -t overlay overlay -o lowerdir={folder},upperdir={upper},workdir={work} {folder}",
            ]
        script = "\n".join(["set -e", *mounts, f"touch {self.control}/ready", "exec sleep infinity"])
        user = [] if os.geteuid() == 0 else ["-r"]
        self.holder = subprocess.Popen(["unshare", "-m", *user, "sh", "-c", script], stderr=subprocess.PIPE, text=True)
        while not (self.control / "ready").exists():
            if self.holder.poll() is not None and self.holder.stderr is not None:
                told = f"folders cannot be laid over others: {self.holder.stderr.read()}"
                pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
            time.sleep(0.02)

    async def run(self, script: str, code: int | None = 0) -> str:
        """Run a script as it is written; what it prints."""
        enter = ["nsenter", "-t", str(self.holder.pid), "-m", *([] if os.geteuid() == 0 else ["-U", "--preserve-credentials"])]
        process = await asyncio.create_subprocess_exec(
            *enter, "bash", "-e", "-c", script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**self.environ, "PATH": f"{self.control}:/usr/local/bin:{os.environ['PATH']}"},
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE):
            out, _ = await process.communicate()
        printed = out.decode()
        assert code is None or process.returncode == code, printed
        return printed

    def program(self, name: str, script: str) -> None:
        """Put a program before those of this machine."""
        file = self.control / name
        file.write_text(script, encoding="utf-8")
        file.chmod(0o755)

    def end(self) -> None:
        pid = self.control / "pid"
        if pid.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text(encoding="ascii")), signal.SIGKILL)
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One on which git finds this project at the README's address, and pip finds the packages of this environment installed: what
    the lock names is downloaded by `make`, and need not be a second time."""
    origin = tmp_path / "origin"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=HOME, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (HOME / name).is_file() and not name.startswith("tests/"):
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOME / name, origin / name)
    me = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x.x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x.x"}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=origin, check=True, env={**os.environ, **me})
    packages = tmp_path / "packages"
    packages.mkdir()
    [site] = [Path(each) for each in sys.path if Path(each).name == "site-packages"][:1]
    for entry in site.iterdir():
        if not re.match(r"_?(?:sara|pip|setuptools|__pycache__|distutils)", entry.name) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    [address] = re.findall(r"git clone (\S+)", "".join(blocks("README.md", "sh")))
    environ = {
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(packages),
        "PIP_NO_INDEX": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{origin}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }
    made = Machine(tmp_path, environ)
    made.program("systemctl", SYSTEMCTL.format(control=made.control))
    python = shutil.which("python3") or "python3"
    look = "import importlib.util as u; found = u.find_spec('pip'); print(*(found and found.submodule_search_locations or ()))"
    pip = subprocess.run([python, "-I", "-c", look], capture_output=True, text=True, check=True).stdout.strip()
    if pip:
        made.program("python3", PYTHON.format(python=python, pip=pip))
    yield made
    made.end()


async def test_its_commands_lead_from_nothing_to_an_answer(
    machine: Machine, phone: WhatsAppSimulator, ai: OpenAISimulator, need: Callable[[str, str], str]
) -> None:
    need("caddy", "it judges the README's Caddyfile")
    need("unshare", "it gives the commands folders of their own")
    install, check, start, join, look = blocks("README.md", "sh")
    [caddyfile] = blocks("README.md", "caddyfile")
    await machine.run(install)
    assert "sara" in await machine.run("readlink -f $(command -v sara)")
    assert (await machine.run("stat -c %a /etc/sara/secrets.yaml")).strip() == "600"

    # Nothing is filled in yet: each value that has to be is named.
    told = await machine.run(check, code=1)
    for name in ("public_url", "phone_number_id", "business_account_id", "app_id", "access_token", "instructions"):
        assert name in told
    await machine.run(_filling(phone, ai))
    assert "all is well" in await machine.run(check)

    await machine.run(f"cd /usr/local/src/sara\n{start}")
    await machine.run("until [ -s /var/lib/sara/listening.json ]; do sleep 0.1; done")
    listening = json.loads(await machine.run("cat /var/lib/sara/listening.json"))
    await machine.run(f"mkdir -p /etc/caddy; cat >/etc/caddy/Caddyfile <<'END'\n{caddyfile}END")
    adapted = json.loads(await machine.run("caddy adapt --config /etc/caddy/Caddyfile 2>/dev/null"))
    assert "127.0.0.1:8080" in json.dumps(adapted)
    assert "Valid configuration" in await machine.run("caddy validate --config /etc/caddy/Caddyfile")

    told = await machine.run(join, code=1)  # 1: the domain is nobody's here
    assert re.search(r"✓ token .*\n(.*\n)*? +✓ subscription ", told), told
    await phone.connect(f"{listening['public']}/webhook/messages")
    said = await phone.say("ana", "hello")
    await phone.wait_for(lambda phone: len(phone.accepted) >= 1, timeout=DEADLINE)
    assert phone.accepted[0].text == "echo: hello"
    told = await machine.run(look.replace("MESSAGE", said))
    assert "c1" in told
    assert "received" in told


def _filling(phone: WhatsAppSimulator, ai: OpenAISimulator) -> str:
    """What the second step says in words, with the simulators for Meta and the AI, and with ports that are free here."""
    options = phone.options()
    values = {
        **{name: json.dumps(options[name]) for name in ("phone_number_id", "business_account_id", "app_id", "graph_url")},
        "public_url": "https://bot.lindenbaum-bakery.invalid",
        "# state": "/var/lib/sara",
        "base_url": str(ai.base_url),
        "listen": "127.0.0.1:0",
    }
    secrets = {f"whatsapp_{name}": options[name] for name in ("app_secret", "access_token", "verify_token")}
    secrets["openai_api_key"] = ai.options().get("api_key", "sk-proj-Qz81LmTu")
    lines = [
        *(
            f"sed -i -E 's|^( *){key}: *[^#]*|\\1{key.removeprefix('# ').strip()}: {value} |' /etc/sara/sara.yaml"
            for key, value in values.items()
        ),
        *(f"sed -i 's|^{key}: .*|{key}: {json.dumps(value)}|' /etc/sara/secrets.yaml" for key, value in secrets.items()),
        "echo 'You answer the customers of a bakery.' >/etc/sara/instructions.md",
    ]
    return "\n".join(lines)


def test_every_caddyfile_of_the_manual_passes_on_the_webhook_and_nothing_else(
    need: Callable[[str, str], str], tmp_path: Path
) -> None:
    caddy = need("caddy", "it judges the manual's Caddyfiles")
    file = tmp_path / "Caddyfile"
    for page in ("README.md", "docs/whatsapp.md"):
        [block] = blocks(page, "caddyfile")
        file.write_text(block, encoding="utf-8")
        done = subprocess.run([caddy, "adapt", "--config", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (page, done.stderr)
        [server] = json.loads(done.stdout)["apps"]["http"]["servers"].values()
        assert server["listen"] == [":443"]
        told = json.dumps(server)
        assert told.count("reverse_proxy") == 1
        assert '"path": ["/webhook/*"]' in told
        assert '"dial": "127.0.0.1:8080"' in told
        assert '"status_code": 404' in told


def test_the_lock_for_servers_pins_what_the_tests_run_with() -> None:
    """`make` downloads the one, the README the other: each pin and hash of it has been downloaded where tests have run."""
    pins = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (HOME / name).read_text(encoding="utf-8").replace("\\\n", " ")
        pins[name] = {re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)}
    assert len(pins["requirements.lock"]) > 20
    assert pins["requirements.lock"] <= pins["requirements-dev.lock"]
