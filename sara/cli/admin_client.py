"""Talk to the running daemon through its admin API."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from sara.cli.identity import become_owner
from sara.config.settings import Config
from sara.domain.errors import SaraError
from sara.plugins.private_files import open_private, read_private


class AdminApi:
    """The admin API of the daemon that serves this configuration."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    async def call(self, method: str, path: str, body: object | None = None, *, within: float = 30) -> Any:
        """Call the API. Raises SaraError with the daemon's own words where it refuses. `within` is in seconds."""
        import aiohttp

        headers = {"Authorization": f"Bearer {self._token}"}
        async with (
            aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=within)) as session,
            session.request(method, self._url + path, json=body) as response,
        ):
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise SaraError(str(answer.get("error", f"the daemon answered {response.status}")))
            return answer


async def connect_admin(config: Config) -> AdminApi | None:
    """Return a client of the running daemon's API; None where no daemon answers."""
    import aiohttp

    become_owner(config.state)
    listening = _living(config.state / "listening.json")
    if listening is None:
        return None
    try:
        token = read_private(config.state / "admin-token").decode("ascii").strip()
    except (OSError, ValueError):
        return None
    api = AdminApi(str(listening["admin"]), token)
    try:
        await api.call("GET", "/api/v1/problems")
    except aiohttp.ClientConnectionError:
        return None
    return api


def _living(path: Path) -> dict[str, Any] | None:
    """Return what a living daemon wrote down. It holds a lock on the file; a killed daemon left the file without a lock, and a
    stranger that listens at that port now must not be shown the token."""
    try:
        with os.fdopen(open_private(path, os.O_RDWR), "r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                found: dict[str, Any] = json.loads(file.read())
                return found
    except (OSError, ValueError):
        return None
    return None
