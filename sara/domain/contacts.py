"""People: how a provider identifies them, and what is stored about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sara.domain.time import Instant

# ── People ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as a provider names them. `user_id` is the id scoped to the business, `phone` the bare digits or a channel's
    own address. Name and username are claims: shown, never looked up."""

    user_id: str | None = None
    parent_id: str | None = None
    phone: str | None = None
    username: str | None = None
    name: str | None = None

    @property
    def is_identifiable(self) -> bool:
        """Whether anything here identifies the person."""
        return bool(self.user_id or self.parent_id or self.phone)


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as the store knows them. `language` is the one they write (ISO 639-1), once it could be told; `notes` is what the
    business wrote down about them."""

    id: str
    name: str | None = None
    username: str | None = None
    language: str | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True)
class SubjectData:
    """All that is stored about a person besides what was said: `contact` is how they are known now, `linked` the contacts that
    turned out to be them, `details` whatever else the store knows, as it could stand in JSON; instants end in `_at`."""

    contact: str
    linked: tuple[str, ...]
    conversations: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """Whom the store was told to forget, and how much it knew. `opt_out_retained` is whether a hash keeps them opted out. `copies` are
    files outside the store's reach that may hold them, with the time up to which each knows what happened."""

    contacts: tuple[str, ...]
    conversations: tuple[str, ...]
    messages: int
    files: int
    opt_out_retained: bool
    copies: Mapping[str, Instant] = field(default_factory=dict)
