"""What runs in a forked process. Kept apart so that a fork imports nothing that a daemon does not need."""

from __future__ import annotations

import ctypes
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import sara_openai
import sara_sqlite
import sara_whatsapp

import sara

PR_SET_PTRACER = 0x59616D61
ANYBODY = -1


def code() -> list[str | None]:
    """Where the code under test is, so that no fork ever runs other code than the tests see."""
    return [module.__file__ for module in (sara, sara_openai, sara_sqlite, sara_whatsapp)]


def serve(file: Path, log: Path, pipe: Connection) -> None:
    """`sara run`, once it is told to go."""
    from sara.cli.run import run

    # Where the kernel lets only a parent trace its child, strace, which is none, needs leave.
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(ANYBODY), 0, 0, 0)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    pipe.send(code())
    pipe.recv()
    sys.exit(run(file, "info"))
