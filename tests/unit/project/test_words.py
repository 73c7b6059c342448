"""Words: modules are named by nouns, prose is plain technical English.

`FORBIDDEN` holds for each word how often it still stands in docstrings. The numbers may only shrink: lower them when words were replaced.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "sara").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
PAGES = [
    *(page for page in sorted(ROOT.glob("*.md")) if page.name not in ("CHANGELOG.md", "instructions.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "reference"),
    ROOT / "plugins" / "README.md",
]

GERUNDS = {
    "sara.i18n.folding": "the noun of Unicode: accent folding",
    "sara.operations.load_shedding": "the name of the technique",
    "sara.policy.account_standing": "a noun: an account's standing",
    "sara.runtime.logging": "the name of the field, and of Python's own module",
    "sara.testing": "the name of the field, as in numpy.testing",
    "sara_whatsapp.formatting": "a noun: the marks of a formatted text",
    "sara_simulators.whatsapp.pricing": "a noun: Meta's name for what a message costs",
    **dict.fromkeys(
        (
            "sara_sqlite.billing",
            "sara_sqlite.cleaning",
            "sara_sqlite.deleting",
            "sara_sqlite.delivering",
            "sara_sqlite.expiring",
            "sara_sqlite.finding",
            "sara_sqlite.forgetting",
            "sara_sqlite.looking",
            "sara_sqlite.recovering",
            "sara_sqlite.remembering",
            "sara_sqlite.reopening",
            "sara_sqlite.replying",
            "sara_sqlite.saying",
            "sara_sqlite.spending",
            "sara_sqlite.timing",
            "sara_sqlite.tooling",
        ),
        "moves to sara.storage with the storage layer, which renames it",
    ),
}
"""Modules that end in -ing, each with the reason."""

FORBIDDEN: dict[str, int] = {
    "anew": 0,
    "she": 0,
    "her": 0,
    "herself": 0,
    "somebody": 18,
    "somebody else's": 2,
    "nobody": 17,
    "everybody": 5,
    "whatever": 10,
    "whoever": 6,
    "what only you": 0,
    "so many": 11,
    "so much": 1,
    "at most so": 1,
    "makes of": 1,
    "kept aside": 3,
    "all that hangs": 0,
    "lets go": 1,
    "no good": 0,
    "rooms": 0,
    "the house": 0,
    "unwell": 0,
    "again and again": 2,
    "what is to be said": 0,
    "doors": 1,
    "stumbled": 0,
    "went well": 0,
}
"""Word → how often it still stands in docstrings. In README and docs it stands nowhere."""


def module_name(path: Path) -> str:
    """Return a file's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "plugins" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module, and the texts below its constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def flat(text: str) -> str:
    """Return a text in lower case and in one line."""
    return re.sub(r"\s+", " ", text).lower()


@cache
def pages() -> dict[str, str]:
    """Return page → its prose, without blocks of code."""
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
    return {name: flat(re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)) for name, text in texts.items()}


@cache
def modules() -> dict[str, str]:
    """Return module → its docstrings."""
    return {module_name(path): flat("\n".join(docstrings(path))) for path in SOURCES}


def found(word: str, texts: Mapping[str, str]) -> Counter[str]:
    """Return where a word stands, and how often."""
    pattern = re.compile(rf"(?<![\w'’]){re.escape(word)}(?!\w)")
    return Counter({name: count for name, text in texts.items() if (count := len(pattern.findall(text)))})


class TestModuleNames:
    def test_no_module_is_named_by_a_gerund(self) -> None:
        gerunds = {name for name in map(module_name, SOURCES) if name.rpartition(".")[2].endswith("ing")}
        assert sorted(gerunds - set(GERUNDS)) == []


class TestProse:
    def test_pages_hold_no_forbidden_word(self) -> None:
        places = {word: sorted(found(word, pages())) for word in FORBIDDEN if found(word, pages())}
        assert places == {}, "name the subject and the object"

    def test_no_forbidden_word_is_added_to_docstrings(self) -> None:
        grown = []
        for word, allowed in FORBIDDEN.items():
            places = found(word, modules())
            if places.total() > allowed:
                grown.append(f"{word!r}: {places.total()} instead of at most {allowed}, in {', '.join(sorted(places))}")
        assert grown == [], "name the subject and the object: " + "; ".join(grown)
