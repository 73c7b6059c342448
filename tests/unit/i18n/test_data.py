"""What SARA brings of each language: whole, alike in all, and free of contradictions."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from sara.i18n.data import LANGUAGES, Language
from sara.i18n.folding import fold_accents
from sara.policy.keywords import LONGEST, KeywordMatcher, normalised
from tests.rows import each_row

ENGLISH = LANGUAGES["en"]
EACH = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


def places(said: str) -> list[str]:
    return sorted(re.findall(r"\{.*?\}", said))


def test_the_nine_languages_are_there_under_their_codes() -> None:
    assert list(LANGUAGES) == ["en", "pt", "es", "fr", "de", "it", "hi", "ar", "id"]
    assert all(code == language.code for code, language in LANGUAGES.items())
    assert len({language.name for language in LANGUAGES.values()}) == len(LANGUAGES)


@EACH
def test_every_language_has_every_text(language: Language) -> None:
    assert list(language.texts) == list(ENGLISH.texts)


@EACH
def test_a_text_has_the_same_places_for_values_in_every_language(language: Language) -> None:
    for key, said in language.texts.items():
        assert places(said) == places(ENGLISH.texts[key]), key
        assert said.count("{") == said.count("}") == len(places(said)), key


@EACH
def test_a_text_is_short_and_has_no_stray_spaces(language: Language) -> None:
    for key, said in language.texts.items():
        assert 0 < len(said) <= 300, key
        assert said.splitlines() == [" ".join(line.split()) for line in said.strip().split("\n")], key


@EACH
def test_no_text_was_left_in_another_language(language: Language) -> None:
    others = {said for each in LANGUAGES.values() if each is not language for said in each.texts.values()}
    assert not others & set(language.texts.values())


@EACH
def test_the_farewell_names_a_word_that_brings_the_person_back(language: Language) -> None:
    words = KeywordMatcher()
    meanings = [words.match(word) for word in language.texts["opted_out"].split()]
    assert [meaning.what for meaning in meanings if meaning] == ["opt_in"]


@EACH
def test_stop_and_start_work_everywhere(language: Language) -> None:
    assert "stop" in language.opt_out
    assert "start" in language.opt_in


@EACH
def test_a_person_can_be_asked_for_in_many_ways(language: Language) -> None:
    assert len(language.hand_over) + len(language.hand_over_words) >= 30


@EACH
def test_what_surrounds_an_order_is_known_in_every_language(language: Language) -> None:
    words = KeywordMatcher()
    for name in ("polite", "greetings", "asking", "roles", "requests", "offers_a_person", "about_messages"):
        found = getattr(language, name)
        assert len(found) >= 3, name
        assert len(set(found)) == len(found), name
        assert all(normalised(each) and each == " ".join(each.split()) for each in found), name
    for courtesy in (*language.polite, *language.greetings, *language.asking):
        assert words.match(courtesy) is None, "courtesy alone orders nothing"


def test_no_word_means_two_things() -> None:
    meanings = defaultdict(set)
    for language in LANGUAGES.values():
        for what in ("opt_out", "opt_out_words", "opt_in", "hand_over", "hand_over_words"):
            for word in getattr(language, what):
                meanings[normalised(word)].add(what)
    assert {word: what for word, what in meanings.items() if len(what) > 1} == {}


@EACH
def test_every_word_survives_normalisation(language: Language) -> None:
    for word in (*language.opt_out, *language.opt_out_words, *language.opt_in, *language.hand_over, *language.hand_over_words):
        assert normalised(word)
        assert normalised(normalised(word)) == normalised(word)
        assert len(word) <= LONGEST, "a longer message is not looked at"
        assert word == " ".join(word.split())


@EACH
def test_no_word_stands_twice(language: Language) -> None:
    for words in (language.opt_out, language.opt_out_words, language.opt_in, language.hand_over, language.hand_over_words):
        assert len(set(words)) == len(words)


@each_row(
    ("written", "spelt"),
    [
        ("ação", "acao"),
        ("ÉTÉ", "ETE"),
        ("quelqu’un", "quelqu'un"),
        ("إلغاء", "الغاء"),
        ("خدمة", "خدمه"),
        ("شُكْرًا", "شكرا"),
        ("كلـــمة", "كلمه"),
        ("ज़्यादा", "ज्यादा"),
        ("हूँ", "हूं"),
        ("किताब", "किताब"),
        ("straße", "straße"),
        ("й", "й"),
        ("", ""),
    ],
)
def test_what_people_leave_out_does_not_count(written: str, spelt: str) -> None:
    assert fold_accents(written) == spelt
    assert fold_accents(fold_accents(written)) == spelt
