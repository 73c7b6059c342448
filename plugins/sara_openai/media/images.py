"""The images that a request shows to the model, and reading of attachments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sara import Attachment, HistoryMessage
from sara_openai.api.visibility import MAX_IMAGE_BYTES, MAX_IMAGES, get_image_id, is_supported_image
from sara_openai.media.image_files import EncodedImage, to_data_url


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


async def read_attachment(attachment: Attachment, max_bytes: int) -> bytes | None:
    """Return the content of an attachment; None if it is not stored or larger than `max_bytes`."""
    if attachment.path is None or (attachment.size or 0) > max_bytes:
        return None
    try:
        return await asyncio.to_thread(Path(attachment.path).read_bytes)
    except OSError:
        return None  # deleted meanwhile by retention: the message's text still mentions it
