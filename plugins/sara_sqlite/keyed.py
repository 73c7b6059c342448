"""Pseudonyms of erased ids: hashes that only this installation can make and that no id can be read out of.

Any number can be hashed by anybody who tries them all, so a plain hash of one would be as good as the number. The key lies beside
the database and never in a backup.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sqlite3
from pathlib import Path

from sara import Context
from sara.engines import StoreUnavailable
from sara.helpers import open_private, read_private
from sara_sqlite.lock import owned_like

NAME = "forget-key"
BYTES = 32


def key_in(context: Context) -> Path:
    """Return where the key lies."""
    return context.state / NAME


class PseudonymKey:
    """The key in a file, made when the first person is erased. Until then nothing has a hash."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None

    def load(self) -> None:
        """Read the key if there is one. Raises StoreUnavailable where it cannot be used."""
        try:
            self._key = bytes.fromhex(read_private(self._path).decode("ascii"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no key"
            raise StoreUnavailable(
                f"{self._path} cannot be read ({why}); put it back, or remove it: then those who were erased are not recognised"
            ) from error

    def make(self) -> None:
        """Make the key unless there is one. It is on the disk when this returns."""
        if self._key is not None:
            return
        key = secrets.token_bytes(BYTES)
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            handle = open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                os.write(handle, key.hex().encode())
                owned_like(handle, self._path.parent)
                os.fsync(handle)
            finally:
                os.close(handle)
            fresh.rename(self._path)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be written: {error.strerror}") from error
        self._key = key

    def offer(self, connection: sqlite3.Connection) -> None:
        """Give a connection the SQL function `keyed`: the hash of its arguments, NULL while there is no key."""
        connection.create_function("keyed", -1, self._hash)

    def _hash(self, *parts: object) -> bytes | None:
        if self._key is None or None in parts:
            return None
        return hmac.digest(self._key, "\x1f".join(map(str, parts)).encode("utf-8", "replace"), "sha256")
