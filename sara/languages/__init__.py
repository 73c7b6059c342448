"""What SARA knows of each language: its own texts, the words that are orders, and the words that betray the language.

Each module holds the data of one language and nothing else. To add a language to SARA, copy one, translate it, and name it below.
`COMMON` are everyday words of customers; a word that several languages have may stand in all of them, a loan word in none.
`LETTERS` and `ENDINGS` are what its words look like, for words that nobody listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sara.languages import ar, de, en, es, fr, hi, id, it, pt

__all__ = ["LANGUAGES", "Language"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `opt_out`, `opt_in` and `hand_over` are whole messages; what follows tells languages apart."""

    code: str
    name: str
    texts: Mapping[str, str]
    opt_out: tuple[str, ...]
    opt_in: tuple[str, ...]
    hand_over: tuple[str, ...]
    common: frozenset[str]
    letters: str
    endings: tuple[str, ...]


class _Data(Protocol):
    """What each module of this package names."""

    NAME: str
    TEXTS: Mapping[str, str]
    OPT_OUT: tuple[str, ...]
    OPT_IN: tuple[str, ...]
    HAND_OVER: tuple[str, ...]
    COMMON: str
    LETTERS: str
    ENDINGS: tuple[str, ...]


def _language(code: str, data: _Data) -> Language:
    orders = data.OPT_OUT, data.OPT_IN, data.HAND_OVER
    return Language(code, data.NAME, data.TEXTS, *orders, frozenset(data.COMMON.split()), data.LETTERS, data.ENDINGS)


LANGUAGES: Mapping[str, Language] = {
    code: _language(code, data)
    for code, data in (("en", en), ("pt", pt), ("es", es), ("fr", fr), ("de", de), ("it", it), ("hi", hi), ("ar", ar), ("id", id))
}
