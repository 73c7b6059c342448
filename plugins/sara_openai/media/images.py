"""What a model sees and hears of the files in a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sara import Attachment, HistoryMessage
from sara_openai.api.errors import Failed, understand
from sara_openai.api.visibility import LARGEST_PICTURE, MOST_PICTURES, is_picture, mime_of, picture_id
from sara_openai.media.image_files import Picture, data_url

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from sara.helpers import Clock

LARGEST_SOUND = 25_000_000

# The names by which the audio endpoint tells formats apart; it looks at nothing else.
_SOUNDS: Mapping[str, str] = {
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


async def load_images(lines: Sequence[HistoryMessage]) -> dict[str, list[Picture]]:
    """The newest pictures of the lines, by line. What is empty, broken at its beginning or no picture at all takes nobody's place."""
    seen: dict[str, list[Picture]] = {}
    count = 0
    for line in reversed(lines):
        for number, each in reversed(list(enumerate(line.attachments))):
            if count == MOST_PICTURES or not is_picture(each):
                continue
            content = await _content(each, LARGEST_PICTURE)
            url = None if content is None else await asyncio.to_thread(data_url, content)
            if url is not None:
                seen.setdefault(line.id, []).insert(0, Picture(picture_id(line, number), url))
                count += 1
    return seen


def audio_attachments(lines: Iterable[HistoryMessage]) -> list[tuple[HistoryMessage, Attachment]]:
    """What could be turned into words, here or not yet: sound of a format and size that the endpoint takes."""
    return [
        (line, each)
        for line in lines
        for each in line.attachments
        if each.kind == "audio" and mime_of(each) in _SOUNDS and (each.size or 0) <= LARGEST_SOUND
    ]


async def hear(client: AsyncOpenAI, model: str, sound: Attachment, host: str, clock: Clock) -> str | Failed | None:
    """What is said in `sound`; None if it is not here or too large, or what the failure means."""
    from aiohttp import ClientError
    from openai import OpenAIError

    content = await _content(sound, LARGEST_SOUND)
    if content is None:
        return None
    mime = mime_of(sound)
    try:
        answer = await client.audio.transcriptions.create(model=model, file=(_SOUNDS[mime], content, mime))
    except (OpenAIError, ClientError, OSError, ValueError) as error:
        return understand(error, host, clock())
    text = getattr(answer, "text", None)
    return text.strip() if isinstance(text, str) else None


async def _content(attachment: Attachment, most: int) -> bytes | None:
    if attachment.path is None or (attachment.size or 0) > most:
        return None
    try:
        return await asyncio.to_thread(Path(attachment.path).read_bytes)
    except OSError:
        return None  # removed meanwhile, by age: the line's own text still says that there was something
