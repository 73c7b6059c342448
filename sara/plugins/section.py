"""The configuration of one plugin."""

from __future__ import annotations

from dataclasses import dataclass

from sara.domain.options import Options, find_secrets
from sara.policy.settings import ConversationSettings


@dataclass(frozen=True, slots=True)
class Section:
    """The section of a channel, a responder, the store or the queue: its plugin and that plugin's checked options.

    `conversation` is set for channels: the common settings with this channel's overrides. `looked_up` are the texts in the
    section that `!secret` and `!env` inserted.
    """

    name: str
    plugin: str
    options: Options
    conversation: ConversationSettings | None = None
    looked_up: frozenset[str] = frozenset()

    @property
    def secrets(self) -> frozenset[str]:
        """Return the texts that must not appear in any log, problem or check result."""
        return self.looked_up | frozenset(find_secrets(self.options))
