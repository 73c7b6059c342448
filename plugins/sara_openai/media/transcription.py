"""Voice messages become words before the model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara import Attachment, Context, GiveUp, HistoryMessage
from sara_openai.api.errors import Failed
from sara_openai.media.images import audio_attachments, hear
from sara_openai.options import OpenAIOptions

if TYPE_CHECKING:
    from openai import AsyncOpenAI

REMEMBERED = 200
"""So many transcripts are remembered until their answer is kept."""

DAY = 86_400_000


class Transcriber:
    """Has the voice messages of a turn written down, each once: should the call fail afterwards, the next need not listen (and
    pay) again."""

    def __init__(self, options: OpenAIOptions, context: Context) -> None:
        self._options = options
        self._context = context
        self._heard: dict[str, str] = {}

    async def listen(self, client: AsyncOpenAI, messages: Sequence[HistoryMessage]) -> dict[str, str]:
        """What is said in the voice messages, by line: the line's own text and behind it the words. One that cannot be understood
        is left as it is: the customer is told so by the model, which is better than silence."""
        model = self._options.transcribe_with
        if model is None:
            return {}
        heard: dict[str, str] = {}
        for line, sound in audio_attachments(messages):
            if sound.path is None:
                continue
            words = self._heard.get(sound.id)
            if words is None:
                words = await self._hear(client, model, sound)
            if words:
                self._heard[sound.id] = words
                while len(self._heard) > REMEMBERED:
                    del self._heard[next(iter(self._heard))]
                heard[line.id] = f"{heard.get(line.id, line.text)} {words}"
        return heard

    async def _hear(self, client: AsyncOpenAI, model: str, sound: Attachment) -> str | None:
        """The words of one sound; asked for twice if the first failure may pass."""
        key = f"responder:{self._context.name}:hearing"
        for last in (False, True):
            answered = await hear(client, model, sound, self._options.host, self._context.clock)
            if not isinstance(answered, Failed):
                self._context.problems.clear(key)
                return answered
            if last or isinstance(answered.outcome, GiveUp):
                self._context.problems.report(
                    key,
                    f"The responder {self._context.name} cannot listen to voice messages: {answered.outcome}.",
                    "Check `transcribe_with`, the key and the account; until then they are answered unheard.",
                    severity="warning",
                    lasts=DAY,
                )
                return None
        return None
