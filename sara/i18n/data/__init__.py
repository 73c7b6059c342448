"""The data of each language: SARA's texts, keywords, and the words by which the language is detected.

Each module holds the data of one language and nothing else. To add a language to SARA, copy one, translate it, and name it below.
`OPT_OUT`, `OPT_IN` and `HAND_OVER` are whole messages that are commands in every context. `OPT_OUT_WORDS` and `HAND_OVER_WORDS` are
common words that are commands unless they answer a question; ordinary nouns and adjectives with which a customer may answer any shop
(a person, tall, still) belong in neither. `POLITE` and `GREETINGS` may surround a command, and `ASKING` are beginnings that turn it into
a wish (could you, I would like to). `WHO` and `WHICH` are the words that ask for a person, and for one of several. `ROLES`, `REQUESTS`,
`OFFERS_A_PERSON` and `ABOUT_MESSAGES` are beginnings of words by which a business asks for a role, requests something, offers to pass
the customer on, and refers to its own messages.
`COMMON` are everyday words of customers; a word of several languages may stand in all of them, a loan word in none.
`LETTERS` and `ENDINGS` are the typical letters and endings of words that are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sara.i18n.data import ar, de, en, es, fr, hi, id, it, pt

__all__ = ["LANGUAGES", "Language"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language, as its module has it."""

    code: str
    name: str
    texts: Mapping[str, str]
    opt_out: tuple[str, ...]
    opt_out_words: tuple[str, ...]
    opt_in: tuple[str, ...]
    hand_over: tuple[str, ...]
    hand_over_words: tuple[str, ...]
    polite: tuple[str, ...]
    greetings: tuple[str, ...]
    asking: tuple[str, ...]
    who: tuple[str, ...]
    which: tuple[str, ...]
    roles: tuple[str, ...]
    requests: tuple[str, ...]
    offers_a_person: tuple[str, ...]
    about_messages: tuple[str, ...]
    common: frozenset[str]
    letters: str
    endings: tuple[str, ...]


class _Data(Protocol):
    """The names that each module of this package defines."""

    NAME: str
    TEXTS: Mapping[str, str]
    OPT_OUT: tuple[str, ...]
    OPT_OUT_WORDS: tuple[str, ...]
    OPT_IN: tuple[str, ...]
    HAND_OVER: tuple[str, ...]
    HAND_OVER_WORDS: tuple[str, ...]
    POLITE: tuple[str, ...]
    GREETINGS: tuple[str, ...]
    ASKING: tuple[str, ...]
    WHO: tuple[str, ...]
    WHICH: tuple[str, ...]
    ROLES: tuple[str, ...]
    REQUESTS: tuple[str, ...]
    OFFERS_A_PERSON: tuple[str, ...]
    ABOUT_MESSAGES: tuple[str, ...]
    COMMON: str
    LETTERS: str
    ENDINGS: tuple[str, ...]


def _language(code: str, data: _Data) -> Language:
    return Language(
        code,
        data.NAME,
        data.TEXTS,
        data.OPT_OUT,
        data.OPT_OUT_WORDS,
        data.OPT_IN,
        data.HAND_OVER,
        data.HAND_OVER_WORDS,
        data.POLITE,
        data.GREETINGS,
        data.ASKING,
        data.WHO,
        data.WHICH,
        data.ROLES,
        data.REQUESTS,
        data.OFFERS_A_PERSON,
        data.ABOUT_MESSAGES,
        frozenset(data.COMMON.split()),
        data.LETTERS,
        data.ENDINGS,
    )


LANGUAGES: Mapping[str, Language] = {
    code: _language(code, data)
    for code, data in (("en", en), ("pt", pt), ("es", es), ("fr", fr), ("de", de), ("it", it), ("hi", hi), ("ar", ar), ("id", id))
}
