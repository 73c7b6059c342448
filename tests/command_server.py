"""Run `sara` commands in processes of their own without paying for the imports each time.

One server per test process imports SARA once. For each command it forks a guard, which forks the command itself: the command runs
`python -m sara` with its own arguments, environment and pipes; the guard reports how it ended, and kills it should the test be gone.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
_server: tuple[int, str] | None = None


class Command:
    """A running command; what tests use of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it ended, and that is still on its way here
                os.kill(self.pid, number)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return all output and all errors, once it has ended."""
        out, err = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return out, err


async def run_command(words: Sequence[str], environ: Mapping[str, str], *, joined: bool = False) -> Command:
    """Start `sara` with `words`. `joined` sends its errors where its output goes."""
    reader, writer = await asyncio.open_unix_connection(_address())
    ours, theirs = zip(os.pipe(), os.pipe(), strict=True)
    request = json.dumps({"words": list(words), "environ": dict(environ), "folder": os.getcwd()}).encode() + b"\n"
    files = array.array("i", [theirs[0], theirs[0] if joined else theirs[1]])
    # A duplicate of the connection: the transport's own socket cannot carry descriptors.
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connection:
        connection.setblocking(True)
        connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    for each in theirs:
        os.close(each)
    pid = int(await reader.readline())

    async def ended() -> int:
        try:
            return int(await reader.readline())
        finally:
            writer.close()

    return Command(pid, await _stream(ours[0]), await _stream(ours[1]), asyncio.create_task(ended()))


async def _stream(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


def _address() -> str:
    """The server's socket; the server ends with this process."""
    global _server  # one per process
    if _server is None or _server[0] != os.getpid():
        address = os.path.join(tempfile.mkdtemp(prefix="sara-commands-"), "socket")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(address)
        listening.listen(64)
        alive, held = os.pipe()
        subprocess.Popen(
            [sys.executable, __file__, str(listening.fileno()), str(alive)], pass_fds=(listening.fileno(), alive), cwd=ROOT
        )
        os.set_inheritable(held, False)
        os.close(alive)
        listening.close()
        _server = os.getpid(), address
    return _server[1]


# ── in the server ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _serve(listening: socket.socket, alive: int) -> None:
    sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
    importlib.import_module("tests.warm")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        if alive in _ready(listening.fileno(), alive):
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            os.close(alive)
            _guard(connection)
        connection.close()


def _ready(*descriptors: int) -> set[int]:
    """Wait until one of the descriptors can be read or is at its end. `select` takes none above 1,023, of which a worker may have many."""
    poll = select.poll()
    for each in descriptors:
        poll.register(each, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll()}


def _guard(connection: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    files = array.array("i")
    data, extra, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(2 * files.itemsize))
    for _, _, payload in extra:
        files.frombytes(payload[: len(payload) - len(payload) % files.itemsize])
    while not data.endswith(b"\n"):
        data += connection.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _command(json.loads(data), *files)
    for each in files:
        os.close(each)
    connection.sendall(b"%d\n" % pid)
    handle = os.pidfd_open(pid)
    if handle not in _ready(handle, connection.fileno()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _command(asked: dict[str, object], stdout: int, stderr: int) -> None:
    words, environ = asked["words"], asked["environ"]
    assert isinstance(words, list)
    assert isinstance(environ, dict)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 1 << 16)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(str(asked["folder"]))
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # the streams of the whole process
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  # the same
    sys.argv = ["sara", *words]
    code: object = 0
    try:
        runpy.run_module("sara", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    # As the interpreter's own end: threads that are no daemons are waited for, handlers of the end run.
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter calls
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
