"""Telling the language of a message: what customers write, and what must not be guessed from."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara.i18n.data import LANGUAGES, _unsupported
from sara.i18n.detection import MAX_LENGTH, detect_language, split_words
from sara.i18n.folding import fold_accents
from tests.fakes import steady
from tests.rows import each_row

MESSAGES = Path(__file__).parents[2] / "data" / "messages"


def messages(name: str) -> list[str]:
    """One message a line: of customers in a language of ours, of customers in another (foreign), or telling none (none)."""
    return (MESSAGES / f"{name}.txt").read_text(encoding="utf-8").splitlines()


@each_row("code", LANGUAGES)
def test_most_messages_tell_their_language(code: str) -> None:
    written = messages(code)
    silent = [message for message in written if detect_language(message) is None]
    assert len(written) >= 50
    assert len(silent) <= len(written) * 0.1, silent


def test_a_wrong_guess_is_rarer_than_one_in_a_hundred() -> None:
    written = [(code, message) for code in LANGUAGES for message in messages(code)]
    wrong = [(code, message) for code, message in written if detect_language(message) not in (code, None)]
    assert len(wrong) <= len(written) * 0.01, wrong


def test_a_language_that_nobody_here_speaks_is_hardly_ever_taken_for_one_of_ours() -> None:
    written = messages("foreign")
    wrong = [(message, detect_language(message)) for message in written if detect_language(message)]
    assert len(wrong) <= len(written) * 0.02, wrong


@each_row("message", messages("none"))
def test_nothing_is_guessed_from_names_numbers_links_and_words_of_every_language(message: str) -> None:
    assert detect_language(message) is None


@each_row("message", ["", " ", "\n", "\u200f", "🙂", "1️⃣", "'", "’’", "ー", "\u0301", "\u093f"])
def test_what_holds_no_word_tells_nothing(message: str) -> None:
    assert detect_language(message) is None


@each_row(
    ("portuguese", "spanish"),
    [
        ("quero trocar o meu pedido", "quiero cambiar mi pedido"),
        ("não chegou ainda", "todavía no llegó"),
        ("quando vocês abrem?", "cuándo abren ustedes?"),
        ("muito obrigado", "muchas gracias"),
        ("onde fica a loja", "dónde queda la tienda"),
    ],
)
def test_portuguese_and_spanish_are_told_apart(portuguese: str, spanish: str) -> None:
    assert (detect_language(portuguese), detect_language(spanish)) == ("pt", "es")


@each_row("message", ["kak order saya sudah dikirim belum", "mau refund dong", "size L ready gak?", "bisa cancel booking?"])
def test_indonesian_with_english_loan_words_is_indonesian(message: str) -> None:
    assert detect_language(message) == "id"


@pytest.mark.parametrize("message", ["Hi, ist mein Paket schon da?", "hey, wann habt ihr auf", "Sorry, ich komme später"])
def test_german_with_an_english_greeting_is_german(message: str) -> None:
    assert detect_language(message) == "de"


@pytest.mark.parametrize("message", ["मेरा order कब आएगा", "WhatsApp पर बिल भेज दीजिए", "मुझे refund चाहिए"])
def test_hindi_with_english_words_is_hindi(message: str) -> None:
    assert detect_language(message) == "hi"


@each_row("message", ["میرا آرڈر کہاں ہے", "سلام، سفارش من کجاست", "ممنون از شما", "شکریہ", "قیمت چنده؟"])
def test_urdu_and_persian_are_not_taken_for_arabic(message: str) -> None:
    assert detect_language(message) is None


@pytest.mark.parametrize("message", ["where is मेरा ऑर्डर", "quiero saber when you open", "my order я жду"])
def test_a_mixture_tells_nothing(message: str) -> None:
    assert detect_language(message) is None


def test_names_and_links_around_a_sentence_do_not_matter() -> None:
    assert detect_language("https://shop.example/de/schuhe @anna where is my order #4711 12.05.") == "en"


@each_row(
    ("message", "code"),
    [("nao recebi o codigo", "pt"), ("cuanto cuesta el envio", "es"), ("ou est ma commande", "fr"), ("WO IST MEIN PAKET", "de")],
)
def test_accents_and_capitals_may_be_missing(message: str, code: str) -> None:
    assert detect_language(message) == code


@each_row("code", LANGUAGES)
def test_the_way_of_encoding_accents_does_not_matter(code: str) -> None:
    for message in messages(code):
        assert detect_language(unicodedata.normalize("NFD", message)) == detect_language(unicodedata.normalize("NFC", message))


@each_row("code", LANGUAGES)
def test_our_own_texts_are_in_the_language_that_they_are_listed_under(code: str) -> None:
    for key, said in LANGUAGES[code].texts.items():
        if not key.startswith("operator_"):
            assert detect_language(said) == code, key


@each_row("code", LANGUAGES)
def test_every_everyday_word_can_be_met_in_a_message(code: str) -> None:
    for word in LANGUAGES[code].common:
        assert fold_accents(word) in split_words(
            f"x{word}" if word.startswith("'") else f"{word}x" if word.endswith("'") else word
        )


@each_row("word", _unsupported.BORROWED.split())
def test_a_borrowed_word_alone_tells_nothing(word: str) -> None:
    assert detect_language(word) is None


def test_no_more_is_read_than_a_message_needs() -> None:
    assert detect_language("x " * MAX_LENGTH + "where is my order") is None


@steady
@given(st.text(max_size=200))
def test_whatever_a_stranger_writes_is_judged(text: str) -> None:
    assert detect_language(text) in {None, *LANGUAGES}
