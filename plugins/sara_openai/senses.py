"""What a model sees and hears of the files in a turn."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sara import Attachment, Line
from sara_openai.failures import Failed, understand
from sara_openai.visibility import LARGEST_PICTURE, mime_of, newest_pictures

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from sara import Clock

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


async def see(lines: Sequence[Line]) -> dict[str, list[str]]:
    """The newest pictures of the lines as data URLs, by line."""
    seen: dict[str, list[str]] = {}
    for line, each in newest_pictures(lines):
        content = await _content(each, LARGEST_PICTURE)
        if content is not None:
            url = f"data:{mime_of(each)};base64,{base64.b64encode(content).decode('ascii')}"
            seen.setdefault(line.id, []).append(url)
    return seen


def audible(lines: Iterable[Line]) -> list[tuple[Line, Attachment]]:
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
