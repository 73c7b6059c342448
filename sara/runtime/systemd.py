"""Notifications to systemd: readiness, reloading, stopping, and the watchdog."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


def notify(message: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send a line such as `READY=1` to the service manager; false where there is none (see sd_notify(3))."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.sendall(message.encode())
        except OSError:
            return False
    return True


def reloading(environ: Mapping[str, str] = os.environ) -> bool:
    """Report that the file is being read again. `READY=1` has to follow, also after a failure."""
    return notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}", environ)


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds between two signs of life, half of what systemd allows (`WATCHDOG_USEC`); None where it expects none."""
    usec = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2_000_000
