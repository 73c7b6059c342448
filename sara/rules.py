"""What is decided at once, while a message is being stored: consent words. Pure."""

from __future__ import annotations

import unicodedata
from typing import Literal

Consent = Literal["opt_out", "opt_in"]

OPT_OUT_WORDS = frozenset(
    {
        "stop",
        "stop all",
        "stopall",
        "unsubscribe",
        "opt out",
        "optout",
        "sair",
        "parar",
        "pare",
        "cancelar inscricao",
        "descadastrar",
        "baja",
        "alto",
        "detener",
        "darme de baja",
        "stopp",
        "abmelden",
        "abbestellen",
        "arret",
        "arreter",
        "desabonner",
        "desinscrire",
        "annulla iscrizione",
        "disiscrivi",
        "ferma",
        "berhenti",
        "stop berlangganan",
        "रोकें",
        "रुकें",
        "बंद करें",
        "توقف",
        "إيقاف",
        "ايقاف",
        "الغاء الاشتراك",
    }
)
OPT_IN_WORDS = frozenset(
    {
        "start",
        "unstop",
        "subscribe",
        "opt in",
        "optin",
        "comecar",
        "voltar",
        "alta",
        "iniciar",
        "anmelden",
        "commencer",
        "demarrer",
        "inizia",
        "mulai",
        "शुरू",
        "ابدأ",
        "ابدا",
    }
)


def normalised(text: str) -> str:
    """Lower case, without accents of Latin letters, invisible marks, punctuation at the ends and doubled spaces."""
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    words = "".join(_plain(char) for char in folded).split()
    plain = " ".join(words)
    start, end = 0, len(plain)
    while start < end and not _speaks(plain[start]):
        start += 1
    while end > start and not _speaks(plain[end - 1]):
        end -= 1
    return plain[start:end]


def _speaks(char: str) -> bool:
    """Whether a character is part of a word: a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(char)[0] in "LNM"


def _plain(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0]
    return base if "a" <= base <= "z" else char


_OPT_OUT = frozenset(normalised(word) for word in OPT_OUT_WORDS)
_OPT_IN = frozenset(normalised(word) for word in OPT_IN_WORDS)


def consent_of(text: str) -> Consent | None:
    """What a whole message says about consent, or None. A word within a longer sentence never counts."""
    if len(text) > 64:
        return None
    word = normalised(text)
    if word in _OPT_OUT:
        return "opt_out"
    if word in _OPT_IN:
        return "opt_in"
    return None
