"""The images that a request shows to the model, and reading of attachments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sara import Attachment, HistoryMessage
from sara_openai.api.errors import CallFailure, classify_exception
from sara_openai.api.visibility import MAX_IMAGE_BYTES, MAX_IMAGES, get_image_id, is_supported_image, read_mime
from sara_openai.media.image_files import EncodedImage, to_data_url

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from sara.helpers import Clock

MAX_AUDIO_BYTES = 25_000_000

# The names by which the audio endpoint tells formats apart; it looks at nothing else.
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


async def load_images(lines: Sequence[HistoryMessage]) -> dict[str, list[EncodedImage]]:
    """Load the newest images of the messages, by message id.

    Empty, unreadable or mislabelled files are skipped, and older images take their places.
    """
    images: dict[str, list[EncodedImage]] = {}
    count = 0
    for line in reversed(lines):
        for number, each in reversed(list(enumerate(line.attachments))):
            if count == MAX_IMAGES or not is_supported_image(each):
                continue
            content = await read_attachment(each, MAX_IMAGE_BYTES)
            url = None if content is None else await asyncio.to_thread(to_data_url, content)
            if url is not None:
                images.setdefault(line.id, []).insert(0, EncodedImage(get_image_id(line, number), url))
                count += 1
    return images


def list_audio_attachments(lines: Iterable[HistoryMessage]) -> list[tuple[HistoryMessage, Attachment]]:
    """What could be turned into words, here or not yet: sound of a format and size that the endpoint takes."""
    return [
        (line, each)
        for line in lines
        for each in line.attachments
        if each.kind == "audio" and read_mime(each) in _AUDIO_FILE_NAMES and (each.size or 0) <= MAX_AUDIO_BYTES
    ]


async def transcribe(client: AsyncOpenAI, model: str, audio: Attachment, host: str, clock: Clock) -> str | CallFailure | None:
    """What is said in `sound`; None if it is not here or too large, or what the failure means."""
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


async def read_attachment(attachment: Attachment, max_bytes: int) -> bytes | None:
    if attachment.path is None or (attachment.size or 0) > max_bytes:
        return None
    try:
        return await asyncio.to_thread(Path(attachment.path).read_bytes)
    except OSError:
        return None  # deleted meanwhile by retention: the message's text still mentions it
