"""What refusals have shown about a server, kept for a limited time because servers, models and settings change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from sara import Instant, Milliseconds
from sara.helpers import Clock
from sara_openai.prompt.request import ModelRequest

HOUR_MS: Milliseconds = 3_600_000
DAY_MS: Milliseconds = 24 * HOUR_MS

Limitation: TypeAlias = Literal[
    "no_tools", "no_pictures", "no_encrypted_reasoning", "merged_roles", "folded_system", "other_limit_name"
]

LIMITATION_LIFETIMES_MS: dict[Limitation, Milliseconds] = {
    "no_tools": HOUR_MS,
    "no_pictures": HOUR_MS,
    "no_encrypted_reasoning": DAY_MS,
    "merged_roles": DAY_MS,
    "folded_system": DAY_MS,
    "other_limit_name": DAY_MS,
}
"""How long each limitation is assumed; shorter for those that a customer notices."""

MAX_CONVERSATIONS = 1_000
"""Maximum number of conversations with omitted messages that are kept, the newest."""

MAX_OMITTED_IDS = 200
"""Maximum number of omitted messages and images per conversation."""

SAME_REFUSAL_LIMIT = 3
SAME_REFUSAL_WINDOW_MS: Milliseconds = 600_000
"""A refusal with the same message in this many conversations within the window, without an answer between, has a setting as its cause."""


class ServerCapabilities:
    """Limitations of one server.

    Kept in memory only: after a restart they are found out again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limitations: dict[Limitation, Instant] = {}
        self._token_limit: tuple[int, Instant] | None = None
        self._omitted_options: dict[str, Instant] = {}
        self._omitted_ids: dict[str, tuple[frozenset[str], Instant]] = {}
        self._refusals: dict[str, dict[str, Instant]] = {}

    def has_limitation(self, limitation: Limitation) -> bool:
        """Return whether a limitation was found and has not expired."""
        until = self._limitations.get(limitation)
        now = self._clock()
        # The upper bound keeps a clock that was set back from extending a lifetime.
        return until is not None and now < until <= now + LIMITATION_LIFETIMES_MS[limitation]

    def add_limitations(self, *limitations: Limitation) -> None:
        """Store limitations, each for its lifetime."""
        for limitation in limitations:
            self._limitations[limitation] = self._clock() + LIMITATION_LIFETIMES_MS[limitation]

    def set_token_limit(self, size: int | None) -> None:
        """Store the size in tokens that requests must not exceed; None removes the limit."""
        self._token_limit = None if size is None else (size, self._clock() + DAY_MS)

    def omit_option(self, option: str) -> None:
        """Leave an option of sara.yaml out of further requests."""
        self._omitted_options[option] = self._clock() + DAY_MS

    def omit_messages(self, conversation_id: str, ids: Iterable[str]) -> None:
        """Leave messages or images of a conversation out of further requests."""
        if not conversation_id:
            return
        known = self._omitted_ids.pop(conversation_id, (frozenset(), 0))[0]
        self._omitted_ids[conversation_id] = frozenset([*known, *ids][-MAX_OMITTED_IDS:]), self._clock() + DAY_MS
        while len(self._omitted_ids) > MAX_CONVERSATIONS:
            del self._omitted_ids[next(iter(self._omitted_ids))]

    def adapt(self, model_request: ModelRequest) -> ModelRequest:
        """Return the request changed to what the server is known to accept."""
        left_out, until = self._omitted_ids.get(model_request.conversation_id, (frozenset(), 0))
        if left_out and self._clock() < until:
            history = [line for line in model_request.history if line.id not in left_out]
            model_request = replace(model_request, history=history, hidden_image_ids=model_request.hidden_image_ids | left_out)
        if self.has_limitation("no_pictures"):
            model_request = model_request.without_images()
        model_request = replace(
            model_request,
            tools=() if self.has_limitation("no_tools") else model_request.tools,
            encrypted_reasoning=not self.has_limitation("no_encrypted_reasoning"),
            merge_roles=self.has_limitation("merged_roles"),
            fold_system=self.has_limitation("folded_system"),
            omitted_options=frozenset(option for option, until in self._omitted_options.items() if self._clock() < until),
            swap_limit_name=self.has_limitation("other_limit_name"),
        )
        if self._token_limit is not None and self._clock() < self._token_limit[1]:
            model_request = model_request.fit(self._token_limit[0])
        return model_request

    def record_refusal(self, conversation_id: str, message: str) -> bool:
        """Count a refused conversation; return whether enough had the same refusal to make a setting the cause."""
        now = self._clock()
        conversations = {each: at for each, at in self._refusals.get(message, {}).items() if now - at < SAME_REFUSAL_WINDOW_MS}
        conversations[conversation_id] = now
        self._refusals = {each: others for each, others in self._refusals.items() if others and each != message}
        while len(self._refusals) >= MAX_OMITTED_IDS:
            del self._refusals[next(iter(self._refusals))]
        self._refusals[message] = conversations
        return len(conversations) >= SAME_REFUSAL_LIMIT

    def record_answer(self) -> None:
        """Reset the count of refusals: the server answered, so no setting was their cause."""
        self._refusals.clear()
