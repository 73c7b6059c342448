"""Images as data URLs, their type detected by the first bytes."""

from __future__ import annotations

import base64
from dataclasses import dataclass

MIN_IMAGE_BYTES = 24
"""Minimum size of an image file."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image of a message: its id, and its content as a data URL."""

    id: str
    url: str


def detect_type(content: bytes) -> str | None:
    """Return the type of an image by its first bytes; None if models accept no such type."""
    if len(content) < MIN_IMAGE_BYTES:
        return None
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def to_data_url(content: bytes) -> str | None:
    """Return an image as a data URL; None if the content is no image."""
    mime = detect_type(content)
    return None if mime is None else f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
