"""What SARA says in its own words, and what a business makes of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara.i18n.catalog import ENGLISH, MessageCatalog, validate_texts
from sara.i18n.data import LANGUAGES
from sara.policy.keywords import KeywordMatcher
from tests.fakes import steady
from tests.rows import each_row

DUTCH = {key: f"{key} in het Nederlands {' '.join(re.findall('{.*?}', said))}".strip() for key, said in ENGLISH.items()}


@each_row("key", ENGLISH)
def test_every_text_says_something(key: str) -> None:
    assert ENGLISH[key].strip() == ENGLISH[key] != ""


def test_a_text_that_does_not_exist_is_an_error() -> None:
    for say in (MessageCatalog().render, MessageCatalog().render_all):
        with pytest.raises(KeyError):
            say("no_such_text")


def test_the_word_that_brings_people_back_works() -> None:
    [word] = re.findall(r"Send ([A-Z]+)", ENGLISH["opted_out"])
    meaning = KeywordMatcher().match(word)
    assert meaning is not None
    assert meaning.what == "opt_in"


# ── which language ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_language_is_answered_in_itself() -> None:
    texts = MessageCatalog()
    assert texts.languages == tuple(LANGUAGES)
    for code, language in LANGUAGES.items():
        assert texts.render("apology", code) == language.texts["apology"]


@each_row("language", [None, "", "nl", "xx-YY", "🙂", "deutsch"])
def test_an_unknown_language_is_answered_in_the_default_one(language: str | None) -> None:
    assert MessageCatalog().render("apology", language) == LANGUAGES["en"].texts["apology"]
    assert MessageCatalog(default="it").render("apology", language) == LANGUAGES["it"].texts["apology"]


def test_a_default_that_has_no_texts_is_english() -> None:
    assert MessageCatalog(default="nl").render("apology") == ENGLISH["apology"]


@each_row("language", ["pt-BR", "pt_BR", "PT", "pt-br", " pt "])
def test_a_country_s_variant_is_answered_in_its_language(language: str) -> None:
    assert MessageCatalog().render("apology", language=language) == LANGUAGES["pt"].texts["apology"]


def test_a_text_for_everybody_is_there_in_every_language_and_in_the_default() -> None:
    said = MessageCatalog(default="de").render_all("away", opens="9:00")
    assert said.keys() == {"", *LANGUAGES}
    assert said[""] == said["de"] == LANGUAGES["de"].texts["away"].replace("{opens}", "9:00")


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_are_put_in_once() -> None:
    said = MessageCatalog().render(
        "operator_call", name="{reason}", number="1", conversation="{0} {{x}} %s \\1", reason="{name}", words="{number}"
    )
    assert said.startswith("{reason} (1, {0} {{x}} %s \\1) asks for a person: {name}\n\n{number}\n\n")


def test_a_value_that_is_not_given_leaves_its_place_visible() -> None:
    assert "{opens}" in MessageCatalog().render("away")
    assert MessageCatalog({"en": {"away": "{ } {} {opens} {"}}).render("away", opens=9) == "{ } {} 9 {"


@steady
@given(
    st.sampled_from(sorted(ENGLISH)),
    st.none() | st.text(max_size=9) | st.sampled_from(sorted(LANGUAGES)),
    st.dictionaries(st.sampled_from(["opens", "name", "conversation", "reason", "x", "self", "key"]), st.text(max_size=50)),
    st.dictionaries(st.text(max_size=5), st.dictionaries(st.sampled_from(sorted(ENGLISH)), st.text(max_size=50))),
)
def test_whatever_is_put_in_something_is_said(
    key: str, language: str | None, values: dict[str, str], changes: dict[str, dict[str, str]]
) -> None:
    values.pop("self", None)
    assert MessageCatalog(changes).render(key, language, **values) is not None
    assert isinstance(validate_texts(changes), list)


# ── a business's own texts ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_business_changes_one_text_and_keeps_the_others() -> None:
    texts = MessageCatalog({"pt": {"apology": "Já voltamos!"}})
    assert texts.render("apology", "pt") == "Já voltamos!"
    assert texts.render("limit", "pt") == LANGUAGES["pt"].texts["limit"]
    assert MessageCatalog().render("apology", "pt") == LANGUAGES["pt"].texts["apology"]


def test_a_business_adds_a_language() -> None:
    texts = MessageCatalog({"nl": DUTCH}, default="nl")
    assert "nl" in texts.languages
    assert texts.render("apology") == texts.render("apology", "nl") == DUTCH["apology"]
    assert validate_texts({"nl": DUTCH}) == []


def test_a_business_says_some_things_differently_in_one_country() -> None:
    changes = {"pt-PT": {"limit": "Foram muitas mensagens. Aguarde um momento."}}
    assert validate_texts(changes) == []
    assert MessageCatalog(changes).render("limit", "pt-pt") == changes["pt-PT"]["limit"]
    assert MessageCatalog(changes).render("limit", "pt") == LANGUAGES["pt"].texts["limit"]
    assert MessageCatalog(changes).render("apology", "pt-PT") == LANGUAGES["pt"].texts["apology"]


def test_an_empty_text_never_silences_sara() -> None:
    assert MessageCatalog({"en": {"apology": "  "}}).render("apology") == ENGLISH["apology"]


def test_sara_s_own_texts_have_no_faults() -> None:
    assert validate_texts({code: language.texts for code, language in LANGUAGES.items()}) == []
    assert validate_texts({}) == validate_texts({"pt": {}}) == []


@each_row(
    ("changes", "sentence"),
    [
        ({"pt": {"awya": "x"}}, "pt.awya is none of SARA's texts; did you mean away?"),
        ({"pt": {"away": "Fechado."}}, "pt.away lacks {opens}; put it where its value is to stand"),
        ({"pt": {"away": "{opens} {closes}"}}, "pt.away has {closes}, which is never filled in; it can have {opens}"),
        ({"pt": {"limit": "Espere {opens}"}}, "pt.limit has {opens}, which is never filled in; take it out"),
        ({"pt": {"limit": ""}}, "pt.limit is empty; write a text, or leave the line out to keep SARA's own"),
        ({"german": {"limit": "x"}}, "german is no language code; did you mean de?"),
        ({"português": {"limit": "x"}}, "português is no language code; did you mean pt?"),
        ({"1": {"limit": "x"}}, "1 is no language code; write two letters, such as en"),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_to_do(changes: dict[str, dict[str, str]], sentence: str) -> None:
    assert validate_texts(changes) == [sentence]


def test_a_misspelt_place_is_told_with_the_right_spelling() -> None:
    assert validate_texts({"es": {"away": "Volvemos {open}"}}) == [
        "es.away has {open}, which is never filled in; did you mean {opens}?"
    ]
    assert validate_texts({"es": {"away": "Volvemos { opens }"}}) == [
        "es.away has { opens }, which is never filled in; did you mean {opens}?"
    ]


def test_a_text_that_resembles_none_is_told_with_all_that_there_are() -> None:
    [sentence] = validate_texts({"es": {"qqqqqq": "x"}})
    assert all(key in sentence for key in ENGLISH)


def test_a_new_language_needs_every_text() -> None:
    [sentence] = validate_texts({"nl": {key: said for key, said in DUTCH.items() if key not in ("away", "busy")}})
    assert sentence.startswith("nl.busy, nl.away: missing; ")
