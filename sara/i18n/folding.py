"""Fold different spellings of the same word into one."""

from __future__ import annotations

import unicodedata

_SAME = str.maketrans({"’": "'", "ʼ": "'", "ى": "ي", "ة": "ه", "ـ": None, "ँ": "ं", "़": None})
"""Phones turn an apostrophe into a quotation mark; Arabic and Hindi are typed with and without these."""


def fold_accents(text: str) -> str:
    """Return a text without the accents of Latin letters and the vowel signs of Arabic ones, which are often left out."""
    if text.isascii():
        return text
    kept: list[str] = []
    bare = False
    for char in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(char):
            bare = "a" <= char <= "z" or "A" <= char <= "Z" or "\u0620" <= char <= "\u064a"
        elif bare:
            continue
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept).translate(_SAME))
