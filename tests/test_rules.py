"""Consent words: a whole message, however it is written, and never a word within a sentence."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara.rules import OPT_IN_WORDS, OPT_OUT_WORDS, Consent, consent_of, normalised
from tests.fakes import steady


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        "Stop",
        "sToP",
        "STOP ALL",
        "stop  all",
        "Unsubscribe",
        "opt out",
        "SAIR",
        "Parar",
        "cancelar inscrição",
        "Cancelar Inscricao",
        "BAJA",
        "darme de baja",
        "STOPP",
        "Abmelden",
        "Arrêt",
        "ARRETER",
        "arrêter",
        "Désabonner",
        "désinscrire",
        "annulla iscrizione",
        "berhenti",
        "stop berlangganan",
        "रोकें",
        "बंद करें",
        "توقف",
        "إيقاف",
        "ايقاف",
    ],
)
def test_no_more_is_understood_in_many_languages(text: str) -> None:
    assert consent_of(text) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "START",
        "start",
        "Subscribe",
        "opt in",
        "Começar",
        "VOLTAR",
        "alta",
        "Iniciar",
        "Anmelden",
        "Démarrer",
        "inizia",
        "Mulai",
        "शुरू",
        "ابدأ",
        "ابدا",
    ],
)
def test_again_please_is_understood_in_many_languages(text: str) -> None:
    assert consent_of(text) == "opt_in"


@pytest.mark.parametrize(
    "text",
    [
        "STOP.",
        "STOP!",
        "stop!!!",
        " stop ",
        "\nStop\n",
        '"STOP"',
        "'stop'",
        "*STOP*",
        "_stop_",
        "~stop~",
        "`stop`",
        "(stop)",
        "[stop]",
        "¡Alto!",
        "¿Baja?",
        "Stop,",
        "stop;",
        "stop:",
    ],
)
def test_plain_punctuation_around_the_word_does_not_matter(text: str) -> None:
    assert consent_of(text) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "“STOP”",
        "‘Stop’",
        "STOP…",
        "«arrêter»",
        "„Abmelden“",
        "STOP -",
        "– stop",
        "STOP！",
        "stop。",
        "रोकें।",
        "توقف؟",
        "توقف،",
        "/stop",
    ],
)
def test_the_punctuation_of_phones_and_other_scripts_does_not_matter(text: str) -> None:
    assert consent_of(text) == "opt_out"


@pytest.mark.parametrize("text", ["\u200fتوقف", "\u2068STOP\u2069", "STOP\u200b", "\ufeffSTOP"])
def test_marks_that_nobody_sees_do_not_matter(text: str) -> None:
    assert consent_of(text) == "opt_out"


@pytest.mark.parametrize("text", ["STOP\u00a0", "stop\u3000all", "\u2003Stop"])
def test_any_white_space_is_white_space(text: str) -> None:
    assert consent_of(text) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "!",
        "...",
        "please stop",
        "stop it",
        "don't stop",
        "Stop by our shop!",
        "when does it start?",
        "non-stop",
        "stopp mal kurz",
        "nonstop",
        "stop.start",
        "stop start",
        "la alta calidad",
        "quiero darme de baja mañana",
        "je veux arrêter",
        "कृपया रोकें",
        "من فضلك توقف",
        "bus stop 12",
        "start stop",
        "STOP\n\nWhere is my order?",
        "s t o p",
        "🛑",
    ],
)
def test_a_word_within_a_sentence_never_counts(text: str) -> None:
    assert consent_of(text) is None


WORDS = [(word, "opt_out") for word in sorted(OPT_OUT_WORDS)] + [(word, "opt_in") for word in sorted(OPT_IN_WORDS)]


@pytest.mark.parametrize(("word", "consent"), WORDS)
def test_every_word_is_known_in_every_way_of_writing_it(word: str, consent: Consent) -> None:
    for written in (
        word,
        word.upper(),
        word.title(),
        f"  {word}! ",
        unicodedata.normalize("NFD", word),
        unicodedata.normalize("NFC", word),
    ):
        assert consent_of(written) == consent, written


def test_no_word_means_both() -> None:
    assert not {normalised(word) for word in OPT_OUT_WORDS} & {normalised(word) for word in OPT_IN_WORDS}


@steady
@given(st.sampled_from(WORDS), st.sampled_from(["please", "not", "me", "1", "क", "من", "å"]), st.booleans())
def test_one_more_word_makes_it_a_sentence(known: tuple[str, str], other: str, before: bool) -> None:
    assert consent_of(f"{other} {known[0]}" if before else f"{known[0]} {other}") is None


@steady
@given(st.text(max_size=200))
def test_whatever_a_stranger_writes_is_judged_and_judged_alike_twice(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
    if len(text) <= 32:
        assert consent_of(normalised(text)) == consent_of(text)
