"""Ready-made files for customers."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path

STICKER = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")
"""A WebP of one dark pixel."""
VIDEO = bytes.fromhex("000000186674797069736f6d0000020069736f6d69736f32000000086d646174")
"""The head of an MP4, without pictures."""
DOCUMENT = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
"""A PDF without pages."""


@cache
def voice() -> bytes:
    """Return three seconds of a tune in Ogg Opus, one channel, as the app records it."""
    return (Path(__file__).parent / "voice.ogg").read_bytes()


@cache
def picture(width: int = 96, height: int = 64) -> bytes:
    """Return a PNG with an evening sky."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes((255 - 90 * y // height, 190 - 120 * y // height, 110 + 60 * x // width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
