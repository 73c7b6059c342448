"""Orders of customers: a whole message, however it is written, and never a word within a sentence."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sara.languages import LANGUAGES
from sara.rules import Meaning, Order, Words, normalised
from tests.fakes import steady


def consent_of(text: str) -> Order | None:
    """What a whole message says about consent, by SARA's own words."""
    meaning = BUILT_IN.meaning(text)
    return meaning.what if meaning and meaning.what != "hand_over" else None


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
        "Don't contact me",
        "Don’t contact me",
        "الغاء الإشتراك",
        "बन्द करें",
        "Keine Nachrichten mehr!",
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


WORDS: list[tuple[str, Order, str]] = [
    (word, what, code)
    for code, language in LANGUAGES.items()
    for what, words in (("opt_out", language.opt_out), ("opt_in", language.opt_in), ("hand_over", language.hand_over))
    for word in words
]
BUILT_IN = Words()


@pytest.mark.parametrize(("word", "what"), sorted({(word, what) for word, what, _ in WORDS}))
def test_every_word_is_known_in_every_way_of_writing_it(word: str, what: Order) -> None:
    for written in (
        word,
        word.upper(),
        word.title(),
        f"  {word}! ",
        unicodedata.normalize("NFD", word),
        unicodedata.normalize("NFC", word),
        word.replace("'", "’"),
    ):
        meaning = BUILT_IN.meaning(written)
        assert meaning is not None, written
        assert meaning.what == what, written
        assert consent_of(written) == (None if what == "hand_over" else what), written


@pytest.mark.parametrize(
    "text",
    [
        "human",
        "Talk to a human!",
        "Can I speak to someone?",
        "Atendente",
        "quero falar com um atendente",
        "AGENTE",
        "Quiero hablar con una persona",
        "Mensch",
        "mit einem Mitarbeiter sprechen",
        "Conseiller",
        "parler à quelqu’un",
        "Operatore",
        "posso parlare con un operatore?",
        "manusia",
        "bicara dengan petugas",
        "इंसान",
        "किसी से बात करनी है",
        "موظف",
        "اريد التحدث مع موظف",
    ],
)
def test_the_wish_for_a_person_is_understood_in_every_language(text: str) -> None:
    meaning = BUILT_IN.meaning(text)
    assert meaning is not None
    assert meaning.what == "hand_over"


@pytest.mark.parametrize(
    "text", ["are you human?", "is a human there", "the agent was rude", "a agente de viagens", "un mensch ist da", "बात करनी है"]
)
def test_a_sentence_about_people_is_no_wish_for_one(text: str) -> None:
    assert BUILT_IN.meaning(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("sair", "pt"),
        ("baja", "es"),
        ("arrêt", "fr"),
        ("abmelden", "de"),
        ("disiscrivimi", "it"),
        ("unsubscribe", "en"),
        ("बंद करो", "hi"),
        ("ايقاف", "ar"),
        ("berhenti", "id"),
        ("atendente", "pt"),
        ("mitarbeiter", "de"),
        ("stop", None),
        ("START", None),
        ("parar", None),
        ("agente", None),
        ("persona", None),
    ],
)
def test_a_word_tells_its_language_unless_several_share_it(text: str, language: str | None) -> None:
    meaning = BUILT_IN.meaning(text)
    assert meaning is not None
    assert meaning.language == language


def test_a_business_adds_words_of_its_own() -> None:
    words = Words(opt_out=["Chega!", "sair"], opt_in=["Quero sim"], hand_over=["Chamar o gerente", "🙂", ""])
    assert words.meaning("CHEGA") == Meaning("opt_out", None)
    assert words.meaning("quero sim.") == Meaning("opt_in", None)
    assert words.meaning("chamar o gerente") == Meaning("hand_over", None)
    assert words.meaning("sair") == Meaning("opt_out", "pt")
    assert words.meaning("🙂") is words.meaning("") is None
    assert Words().meaning("chega") is None


def test_a_business_may_add_a_long_phrase() -> None:
    phrase = "eu gostaria muito de falar com alguma pessoa que trabalhe na loja de vocês"
    assert Words(hand_over=[phrase]).meaning(f" {phrase.upper()}! ") == Meaning("hand_over", None)


def test_whoever_may_have_asked_to_be_left_alone_is_left_alone() -> None:
    words = Words(opt_out=["start", "agent", "genug"], opt_in=["stop", "genug"], hand_over=["stop", "genug", "alta"])
    for text in ("stop", "start", "agent", "genug"):
        assert words.meaning(text) == Meaning("opt_out", None), text
    assert words.meaning("alta") == Meaning("opt_in", "es")


@steady
@given(st.sampled_from(WORDS), st.sampled_from(["please", "not", "me", "1", "क", "من", "å"]), st.booleans())
def test_one_more_word_makes_it_a_sentence(known: tuple[str, Order, str], other: str, before: bool) -> None:
    sentence = f"{other} {known[0]}" if before else f"{known[0]} {other}"
    assume(normalised(sentence) not in {normalised(word) for word, _, _ in WORDS})
    assert BUILT_IN.meaning(sentence) is None


@steady
@given(st.text(max_size=200))
def test_whatever_a_stranger_writes_is_judged_and_judged_alike_twice(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
    if len(text) <= 32:
        assert BUILT_IN.meaning(normalised(text)) == BUILT_IN.meaning(text)


@steady
@given(st.lists(st.text(max_size=20)), st.lists(st.text(max_size=20)), st.text(max_size=20))
def test_whatever_words_a_business_adds_its_messages_are_judged(opt_out: list[str], hand_over: list[str], text: str) -> None:
    words = Words(opt_out, (), hand_over)
    assert words.meaning(text) is None or words.meaning(text) == words.meaning(normalised(text))
    for word in filter(normalised, opt_out):
        meaning = words.meaning(word)
        assert meaning is not None
        assert meaning.what == "opt_out"
