"""How findings look."""

from __future__ import annotations

import json
from pathlib import Path

from sara.config.diagnostics import Diagnostic
from sara.domain.suggestions import make_printable, suggest

FILE = Path("sara.yaml")


def test_a_finding_is_one_line_with_the_line_of_the_file_and_a_caret() -> None:
    finding = Diagnostic(
        "unknown_key", "acess_token is not an option of the whatsapp plugin", FILE, 14, 5,
        hint="did you mean access_token?", source="    acess_token: ***", caret=5,
    )  # fmt: skip
    assert finding.render() == (
        "sara.yaml:14:5: acess_token is not an option of the whatsapp plugin; did you mean access_token?\n"
        "      acess_token: ***\n"
        "      ^"
    )
    assert str(finding) == finding.render()


def test_a_finding_about_a_whole_file_has_no_position() -> None:
    assert Diagnostic("file", "the configuration does not exist", FILE).render() == "sara.yaml: the configuration does not exist"


def test_the_caret_stands_right_below_wide_letters_and_tabs() -> None:
    line = Diagnostic("value", "m", FILE, 1, 1, source="\t日本: x", caret=6).render().splitlines()[-1]
    assert line == "  \t" + " " * 6 + "^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    _, line, caret = Diagnostic("value", "m", FILE, 1, 501, source="a" * 500 + "X" + "b" * 500, caret=501).render().splitlines()
    assert len(line) <= 122
    assert line[caret.index("^")] == "X"


def test_nothing_from_the_file_can_steer_the_terminal() -> None:
    assert "\x1b" not in Diagnostic("value", "m", FILE, 1, 1, source="a: \x1b[31m\u202e", caret=1).render()
    assert make_printable("\x1b[31mred\n") == "�[31mred�"


def test_long_names_are_cut() -> None:
    assert len(make_printable("x" * 1_000)) == 60


def test_a_suggestion_is_made_only_where_a_name_comes_near() -> None:
    assert suggest("acess_token", ["access_token", "app_secret"]) == "did you mean access_token?"
    assert suggest("colour", ["access_token", "app_secret"]) == ""


def test_a_finding_can_be_written_as_json() -> None:
    finding = Diagnostic("value", "m", FILE, 3, 4, hint="h")
    assert json.loads(json.dumps(finding.as_json())) == {
        "kind": "value", "severity": "error", "message": "m", "hint": "h", "file": "sara.yaml", "line": 3, "column": 4,
        "source": "",
    }  # fmt: skip
