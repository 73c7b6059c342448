"""Pictures as a model is shown them, told by their first bytes. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass

SMALLEST = 24
"""Bytes below which no picture is one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a message: what it is known by, and its content as a data URL."""

    id: str
    url: str


def type_of(content: bytes) -> str | None:
    """The type of a picture, whatever it was said to be; None for what no model takes."""
    if len(content) < SMALLEST:
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


def data_url(content: bytes) -> str | None:
    """A picture as a data URL; None for what is none."""
    mime = type_of(content)
    return None if mime is None else f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
