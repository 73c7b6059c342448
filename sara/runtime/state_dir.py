"""The state directory: its creation, the admin token, and the file that names the daemon's listeners."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from sara.domain.errors import ConfigError, SaraError, StoreLocked
from sara.plugins.private_files import open_private, read_private, write_private

TRANSIENT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE})
"""Errors of a disk that may end without a change of the configuration."""

MIN_TOKEN_LENGTH = 32


def create_state_dir(state: Path) -> None:
    """Create the directory, readable by its owner only."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _write_error(f"state: {state} cannot be created", error) from error


def load_admin_token(state: Path) -> str:
    """Return the admin API's token. The first start makes it, readable by the owner only."""
    path = state / "admin-token"
    try:
        token = read_private(path).decode("ascii").strip()
    except FileNotFoundError:
        token = ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: it does not hold plain text; remove it, and a new token is made") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if len(token) >= MIN_TOKEN_LENGTH:
        return token
    token = secrets.token_urlsafe(32)
    try:
        write_private(path, f"{token}\n".encode())
    except OSError as error:
        raise _write_error(f"{path} cannot be written", error) from error
    return token


def publish_listeners(state: Path, listeners: Mapping[str, object]) -> Callable[[], None]:
    """Write down where the daemon listens, for the commands, and return a function that removes the file.

    The file is locked while the daemon lives, so that a later user of the same port is not taken for it.
    """
    path = state / "listening.json"
    try:
        handle = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _write_error(f"{path} cannot be written", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreLocked(f"state: {state} is in use by another SARA; give this one another directory") from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(listeners).encode(), 0)
    except OSError as error:
        os.close(handle)
        raise _write_error(f"{path} cannot be written", error) from error

    def remove() -> None:
        path.unlink(missing_ok=True)
        os.close(handle)

    return remove


def _write_error(what: str, error: OSError) -> SaraError:
    """Return a ConfigError where a restart cannot help, otherwise a SaraError."""
    return (SaraError if error.errno in TRANSIENT_ERRORS else ConfigError)(f"{what}: {error.strerror}")
