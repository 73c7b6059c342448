"""The generated pages of docs/reference/ are those of this code."""

from __future__ import annotations

from functools import cache

from scripts.reference.generate import FOLDER
from scripts.reference.generate import pages as generate

pages = cache(generate)


def test_the_reference_pages_are_those_of_the_code() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    made = pages()
    stale = sorted(name for name in {*there, *made} if there.get(name) != made.get(name))
    assert not stale, f"docs/reference/ differs from the code in {', '.join(stale)}: run `make reference` and commit it"


def test_every_reference_page_has_entries() -> None:
    for name, text in pages().items():
        assert text.count("\n| ") > 4, name
