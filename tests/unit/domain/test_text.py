"""A long text becomes parts that a provider takes and a reader can read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara import OutgoingContent, split_text, utf16_length
from sara.domain.text import sanitize_text
from sara.helpers import is_visible, render_plain_text
from tests.fakes import steady
from tests.rows import each_row

WHITE = " \n\t\u00a0\u2003"
TEXTS = st.text(alphabet=st.one_of(st.sampled_from("ab.!? \n\n  äж日🙂"), st.characters(exclude_categories=["Cs"])), max_size=300)
FAMILY = "👨\u200d👩\u200d👧\u200d👦"


def without_white(text: str) -> str:
    return "".join(text.split())


@each_row(("text", "units"), [("", 0), ("abc", 3), ("ä", 1), ("日本", 2), ("🙂", 2), ("a🙂b", 4), (FAMILY, 11)])
def test_length_is_counted_in_utf_16_units(text: str, units: int) -> None:
    assert utf16_length(text) == units == len(text.encode("utf-16-le")) // 2


@steady
@given(TEXTS, st.integers(2, 60))
def test_every_piece_fits_the_limit(text: str, limit: int) -> None:
    assert all(0 < utf16_length(piece) <= limit for piece in split_text(text, limit))


@steady
@given(TEXTS, st.integers(2, 60))
def test_only_what_nobody_sees_is_lost_at_the_cuts(text: str, limit: int) -> None:
    rest = text
    for piece in split_text(text, limit):
        before, found, rest = rest.partition(piece)
        assert found
        assert not is_visible(before)
    assert not is_visible(rest)


@steady
@given(TEXTS)
def test_a_text_that_fits_is_left_as_it_is(text: str) -> None:
    assert split_text(text, 10_000) == ([text.strip()] if is_visible(text) else [])


@each_row("text", ["", " ", "\n\n \t", "\u00a0", "\u200b\ufeff", "\u2060" * 99, "\u2800 \u3164"])
def test_blank_text_gives_no_piece(text: str) -> None:
    assert split_text(text, 10) == []


@each_row(
    ("text", "pieces"),
    [
        ("one two.\nthree.\n\nfour five six", ["one two.\nthree.", "four five six"]),
        ("one two. three\nfour five six", ["one two. three", "four five six"]),
        ("One two three. Four five six", ["One two three.", "Four five six"]),
        ("one two three four five six", ["one two three four", "five six"]),
        ("once: two? three four five", ["once: two?", "three four five"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
    ],
)
def test_the_best_place_to_cut_is_taken(text: str, pieces: list[str]) -> None:
    assert split_text(text, 20) == pieces


def test_a_cut_that_would_leave_a_small_part_is_not_taken() -> None:
    assert split_text("Hi.\n\nThis is a much longer paragraph of text", 30) == [
        "Hi.\n\nThis is a much longer",
        "paragraph of text",
    ]


def test_a_text_that_just_fits_is_one_piece() -> None:
    assert split_text("x" * 20, 20) == ["x" * 20]
    assert split_text("x" * 19 + " y", 20) == ["x" * 19, "y"]


@each_row(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("não 日本 🙂", "não 日本 🙂"),
        ("a\x00b", "ab"),
        ("half \ud83d", "half \ufffd"),
        ("\ude00 half", "\ufffd half"),
        ("\ud83d\ude00", "😀"),
        ("\x00\ud83d\x00\ude00", "😀"),
    ],
)
def test_what_no_database_can_take_is_taken_out(text: str, kept: str) -> None:
    assert sanitize_text(text) == kept


@steady
@given(st.text(alphabet=st.characters(), max_size=50))
def test_whatever_comes_can_be_stored_and_what_could_be_is_left_as_it_is(text: str) -> None:
    kept = sanitize_text(text)
    assert "\x00" not in kept
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert sanitize_text(kept) == kept
    if "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        assert kept == text


CLUSTERS = {
    "letters with accents": ("e\u0301", "o\u0302\u0323", "n\u0303"),
    "families": (FAMILY, "👩\u200d🚀", "🏳\ufe0f\u200d🌈"),
    "skin tones": ("👍🏽", "👋🏿"),
    "emoji style": ("❤\ufe0f", "☎\ufe0f"),
    "keycaps": ("1\ufe0f\u20e3", "#\ufe0f\u20e3"),
    "Hindi vowel signs": ("कि", "रो", "कें", "हूँ"),
    "Thai vowel signs": ("ที่", "นี้", "กุ"),
    "Arabic marks": ("ب\u064e", "ل\u0651\u064f"),
    "flags": ("🇩🇪", "🇧🇷", "🇮🇳"),
    "flags of regions": ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",),
}


@pytest.mark.parametrize("script", CLUSTERS)
@steady
@given(data=st.data())
def test_what_belongs_together_on_the_screen_is_never_parted(script: str, data: st.DataObject) -> None:
    clusters = CLUSTERS[script]
    text = data.draw(st.lists(st.sampled_from([*clusters, "a"]), min_size=1, max_size=40))
    limit = data.draw(st.integers(16, 40))
    cuts, at = set(), 0
    for piece in split_text("".join(text), limit):
        at += len(piece)
        cuts.add(at)
    ends, at = set(), 0
    for cluster in text:
        at += len(cluster)
        ends.add(at)
    assert cuts <= ends


# rich drafts as text

CHOICES = [{"id": "a", "title": "Mint"}, {"id": "b", "title": "Red", "description": "iced"}, {"id": "c"}, "Green", 4]


@each_row(
    ("kind", "content", "text"),
    [
        ("text", {}, "Well?"),
        ("ask_location", {}, "Well?"),
        ("ask_contact", {}, "Well?"),
        ("template", {"name": "hi", "parameters": ["Ana"]}, "Well?"),
        ("image", {"url": "https://x.com/a", "path": "/home/me/a.png"}, "Well?\n\nhttps://x.com/a"),
        ("document", {"url": "https://x.com/a", "name": "Prices"}, "Well?\n\nPrices: https://x.com/a"),
        ("audio", {"path": "a.ogg"}, "Well?"),
        ("location", {"latitude": 1.5, "longitude": -2, "name": "Shop", "address": "Road 1"}, "Well?\n\nShop, Road 1\n1.5, -2"),
        ("contact", {"name": "Ana", "phones": ["+1", 2, None]}, "Well?\n\nAna: +1, 2"),
        ("reaction", {"emoji": "👍"}, "Well?\n\n👍"),
        (
            "buttons",
            {"buttons": CHOICES, "header": "Teas", "footer": "All fresh"},
            "Teas\n\nWell?\n\n1. Mint\n2. Red: iced\n3. c\n4. Green\n5. 4\n\nAll fresh",
        ),
        (
            "list",
            {"button": "Choose", "sections": [{"title": "Hot", "rows": CHOICES[:1]}, {"rows": CHOICES[1:2]}, {"title": "None"}]},
            "Well?\n\nHot\n1. Mint\n\n2. Red: iced\n\nNone",
        ),
        ("link", {"title": "Shop", "url": "https://x.com"}, "Well?\n\nShop: https://x.com"),
        ("link", {"url": "https://x.com"}, "Well?\n\nhttps://x.com"),
        ("poll", {}, "Well?"),
    ],
)
def test_a_rich_draft_in_plain_words_says_all_of_it(kind: str, content: dict[str, Any], text: str) -> None:
    assert render_plain_text(OutgoingContent("Well?", kind, content)) == text


def test_a_template_without_words_says_its_parameters() -> None:
    assert render_plain_text(OutgoingContent(" ", "template", {"name": "hi", "parameters": ["Ana", 5]})) == "Ana\n\n5"


@each_row("odd", [None, True, [], {}, [[]], [None], {"a": 1}, object()])
@each_row("kind", ["image", "location", "contact", "reaction", "buttons", "list", "link", "template"])
def test_content_of_a_wrong_type_is_passed_over(kind: str, odd: Any) -> None:
    keys = [
        "url",
        "name",
        "latitude",
        "address",
        "phones",
        "emoji",
        "buttons",
        "header",
        "footer",
        "sections",
        "title",
        "parameters",
    ]
    assert render_plain_text(OutgoingContent("Well?", kind, dict.fromkeys(keys, odd))) == "Well?"
