"""Printing: JSON for programs, tables for people."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara.cli.output import fail, iso, local, pairs, print_json, printable, table
from tests.fakes import steady
from tests.rows import each_row

CENTURIES = st.integers(0, 7_258_118_400_000)
OUT_OF_REACH = 10**18


def test_json_is_one_document_in_everybodys_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "não 日本 🙂", "list": [1, None]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"text": "não 日本 🙂", "list": [1, None]}
    assert "não 日本 🙂" in out


def test_what_is_the_matter_goes_to_standard_error_with_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("there is no such file") == 1
    assert fail("a wrong option", 2) == 2
    assert capsys.readouterr() == ("", "sara: there is no such file\nsara: a wrong option\n")


@each_row(
    ("at", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_800_000_000_001, "2027-01-15T08:00:00.001Z"),
        (OUT_OF_REACH, f"{OUT_OF_REACH} ms"),
    ],
)
def test_an_instant_is_iso_8601_in_utc(at: int | None, text: str | None) -> None:
    assert iso(at) == text


@steady
@given(CENTURIES)
def test_an_instant_keeps_its_milliseconds(at: int) -> None:
    text = iso(at)
    assert text is not None
    assert round(datetime.fromisoformat(text).timestamp() * 1_000) == at


def test_a_time_for_people_is_theirs_to_the_second() -> None:
    at = int(datetime(2026, 5, 4, 3, 2, 1).timestamp()) * 1_000  # noqa: DTZ001  # local time is the point
    assert local(at) == "2026-05-04 03:02:01"
    assert local(None) == ""
    assert local(OUT_OF_REACH) == f"{OUT_OF_REACH} ms"


@each_row("evil", ["\x1b[31mred", "\x07", "a\rb", "\x9b2J", "\x00", "evil \u202etxt.exe", "\ud800"])
def test_nothing_that_a_terminal_would_obey_is_printed(evil: str) -> None:
    shown = printable(evil)
    assert "\N{REPLACEMENT CHARACTER}" in shown
    assert len(shown) == len(evil)


@each_row("text", ["hello", "não é", "日本", "🙂", "two\nlines", "שלום", "नमस्ते"])
def test_what_people_write_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text


@each_row("text", ["Bonjour\u00a0!", "10\u202f000", "全角\u3000空白", "👨\u200d👩\u200d👧", "می\u200cخواهم"])
def test_the_spaces_and_joiners_of_other_scripts_are_printed_as_they_are(text: str) -> None:
    assert printable(text) == text


@each_row(("value", "text"), [(None, ""), (0, "0"), (7, "7"), (True, "True")])
def test_values_are_printed_and_nothing_is_blank(value: object, text: str) -> None:
    assert printable(value) == text


def test_a_table_has_its_rows_under_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "state"), [("ana", "waiting"), ("kofi", None)], "nobody")
    heading, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert heading == ["name", "state"]
    assert rows == [["ana", "waiting"], ["kofi"]]


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name",), [], "nobody is waiting")
    assert capsys.readouterr().out == "nobody is waiting\n"


def test_a_cell_is_taken_at_its_word(capsys: pytest.CaptureFixture[str]) -> None:
    table(("text",), [("[red]x[/red] :smile: \x1b[0m",)], "")
    assert "[red]x[/red] :smile: \N{REPLACEMENT CHARACTER}[0m" in capsys.readouterr().out


def test_nothing_of_a_long_cell_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "text"), [("c1", "x" * 500)], "")
    assert capsys.readouterr().out.count("x") == 500 + "text".count("x")


def test_names_and_values_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    pairs({"id": "c1", "contact": None, "text": "a\x1bb"})
    assert capsys.readouterr().out == "id       c1\ncontact  \ntext     a\N{REPLACEMENT CHARACTER}b\n"


def test_no_pairs_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    pairs({})
    assert capsys.readouterr().out == ""
