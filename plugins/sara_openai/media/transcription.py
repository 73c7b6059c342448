"""Transcribes voice messages before the model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sara import Attachment, Context, GiveUp, HistoryMessage
from sara_openai.api.errors import CallFailure, classify_exception
from sara_openai.api.visibility import read_mime
from sara_openai.media.images import read_attachment
from sara_openai.options import OpenAIOptions

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from sara.helpers import Clock

MAX_CACHED_TRANSCRIPTS = 200
"""Maximum number of transcripts that are cached until their answer is stored."""

DAY_MS = 86_400_000

MAX_AUDIO_BYTES = 25_000_000
"""Maximum size of an audio file that the endpoint accepts."""

# The audio endpoint recognises a format only by the file name.
_AUDIO_FILE_NAMES: Mapping[str, str] = {
    "audio/ogg": "voice.ogg",
    "audio/opus": "voice.ogg",
    "audio/mpeg": "voice.mp3",
    "audio/mp4": "voice.m4a",
    "audio/x-m4a": "voice.m4a",
    "audio/wav": "voice.wav",
    "audio/x-wav": "voice.wav",
    "audio/webm": "voice.webm",
    "audio/flac": "voice.flac",
}


class Transcriber:
    """Transcribes the voice messages of a turn and caches the result.

    If the model's call fails afterwards, the next attempt transcribes (and pays) nothing again.
    """

    def __init__(self, options: OpenAIOptions, context: Context) -> None:
        self._options = options
        self._context = context
        self._cache: dict[str, str] = {}

    async def transcribe_messages(self, client: AsyncOpenAI, messages: Sequence[HistoryMessage]) -> dict[str, str]:
        """Return the transcripts by message id, each behind the message's own text.

        A voice message that cannot be transcribed is left unchanged, and the model tells the customer.
        """
        model = self._options.transcribe_with
        if model is None:
            return {}
        transcripts: dict[str, str] = {}
        for line, audio in list_audio_attachments(messages):
            if audio.path is None:
                continue
            transcript = self._cache.get(audio.id)
            if transcript is None:
                transcript = await self._transcribe_one(client, model, audio)
            if transcript:
                self._cache[audio.id] = transcript
                while len(self._cache) > MAX_CACHED_TRANSCRIPTS:
                    del self._cache[next(iter(self._cache))]
                transcripts[line.id] = f"{transcripts.get(line.id, line.text)} {transcript}"
        return transcripts

    async def _transcribe_one(self, client: AsyncOpenAI, model: str, audio: Attachment) -> str | None:
        """Transcribe one voice message, with a second attempt if the first failure may be temporary."""
        key = f"responder:{self._context.name}:hearing"
        for last in (False, True):
            answered = await transcribe(client, model, audio, self._options.host, self._context.clock)
            if not isinstance(answered, CallFailure):
                self._context.problems.clear(key)
                return answered
            if last or isinstance(answered.outcome, GiveUp):
                self._context.problems.report(
                    key,
                    f"The responder {self._context.name} cannot transcribe voice messages: {answered.outcome}.",
                    "Check `transcribe_with`, the key and the account. Until then voice messages are answered without a transcript.",
                    severity="warning",
                    lasts=DAY_MS,
                )
                return None
        return None


def list_audio_attachments(lines: Iterable[HistoryMessage]) -> list[tuple[HistoryMessage, Attachment]]:
    """Return the audio attachments of a format and size that the endpoint accepts, downloaded or not."""
    return [
        (line, each)
        for line in lines
        for each in line.attachments
        if each.kind == "audio" and read_mime(each) in _AUDIO_FILE_NAMES and (each.size or 0) <= MAX_AUDIO_BYTES
    ]


async def transcribe(client: AsyncOpenAI, model: str, audio: Attachment, host: str, clock: Clock) -> str | CallFailure | None:
    """Transcribe one audio attachment; None if it is not stored or too large, or the failure of the call."""
    from aiohttp import ClientError
    from openai import OpenAIError

    content = await read_attachment(audio, MAX_AUDIO_BYTES)
    if content is None:
        return None
    mime = read_mime(audio)
    try:
        answer = await client.audio.transcriptions.create(model=model, file=(_AUDIO_FILE_NAMES[mime], content, mime))
    except (OpenAIError, ClientError, OSError, ValueError) as error:
        return classify_exception(error, host, clock())
    text = getattr(answer, "text", None)
    return text.strip() if isinstance(text, str) else None
