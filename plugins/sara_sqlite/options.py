"""What can be set under `store` and `queue`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from sara import Context, Options


class SqliteOptions(Options):
    """Where the database file is."""

    path: Path | None = Field(default=None, description="The database file; `sara.db` in the state directory by default.")

    def file(self, context: Context) -> Path:
        """Return the path of the database file; a relative path is taken from the state directory."""
        return context.state / (self.path or "sara.db")
