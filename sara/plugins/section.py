"""One plugin's section of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from sara.domain.options import Options, secrets_in
from sara.policy.settings import ConversationSettings


@dataclass(frozen=True, slots=True)
class Section:
    """A channel, a responder, the store or the queue: which plugin, and that plugin's own checked options.

    `conversation` is there for channels: the common policy with this channel's overrides. `looked_up` are the texts in the section
    that `!secret` and `!env` brought.
    """

    name: str
    plugin: str
    options: Options
    conversation: ConversationSettings | None = None
    looked_up: frozenset[str] = frozenset()

    @property
    def secrets(self) -> frozenset[str]:
        """What must not stand in any log, problem or finding."""
        return self.looked_up | frozenset(secrets_in(self.options))
