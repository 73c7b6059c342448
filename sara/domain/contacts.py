"""People: their identities at a provider, and the data stored about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sara.domain.time import Instant

# ── People ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as a provider identifies them.

    `user_id` is the id scoped to the business, `phone` the bare digits or a channel's own address. Name and username are
    claims: shown, never looked up.
    """

    user_id: str | None = None
    parent_id: str | None = None
    phone: str | None = None
    username: str | None = None
    name: str | None = None

    @property
    def is_identifiable(self) -> bool:
        """Return whether an id or a number identifies the person."""
        return bool(self.user_id or self.parent_id or self.phone)


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as the store knows them.

    `language` is the one they write (ISO 639-1), None until it is detected; `notes` are the business's notes about them.
    """

    id: str
    name: str | None = None
    username: str | None = None
    language: str | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True)
class SubjectData:
    """All data stored about a person besides messages.

    `contact` is their present id, `linked` are contacts that turned out to be the same person, `details` the other data in
    JSON's types; times end in `_at`.
    """

    contact: str
    linked: tuple[str, ...]
    conversations: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """The contacts to be erased and the amount of their data.

    `opt_out_retained` is set where a hash keeps them opted out. `copies` are files outside the store's reach that may contain
    their data, each with the time of its last event.
    """

    contacts: tuple[str, ...]
    conversations: tuple[str, ...]
    messages: int
    files: int
    opt_out_retained: bool
    copies: Mapping[str, Instant] = field(default_factory=dict)
