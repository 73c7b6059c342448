"""YAML text → nodes with positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sara.config.nodes import ListNode, MapNode, Node, Scalar
from sara.config.yaml_parser import DEEPEST, parse
from tests.rows import each_row

FILE = Path("sara.yaml")


def plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def value(text: str) -> Any:
    source = parse(text, FILE)
    assert source.findings == ()
    assert source.root is not None
    return plain(source.root)


def faults(text: str) -> list[str]:
    return [finding.render().splitlines()[0] for finding in parse(text, FILE).findings]


@each_row("text",
    [
        "no", "yes", "on", "off", "y", "n", "True", "FALSE", "Null", "NO", "0123", "00", "12:30:45", "1:2", "+5511999990000",
        "+1", "1_000", "0x1F", "0o17", "0b1", "1e3", ".5", "5.", ".inf", ".nan", "-.inf", "2024-01-31", "2024-01-31T10:00:00Z",
        "<<", "=", "1234567890123456789012", "٣", "--1", "-",
    ])  # fmt: skip
def test_what_yaml_1_1_would_guess_about_stays_text(text: str) -> None:
    assert value(f"a: {text}\n" if text != "-" else 'a: "-"') == {"a": text}


@each_row(("text", "meant"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("109000000000555", 109000000000555), ("1.5", 1.5), ("-0.25", -0.25),
    ])  # fmt: skip
def test_true_false_null_and_decimal_numbers_mean_what_they_say(text: str, meant: Any) -> None:
    found = value(f"a: {text}\n")["a"]
    assert found == meant
    assert type(found) is type(meant)


def test_what_is_in_quotes_is_text() -> None:
    assert value("a: '1'\nb: \"true\"\nc: ''\nd: !!str 5\n") == {"a": "1", "b": "true", "c": "", "d": "5"}


def test_a_number_keeps_the_text_that_was_written() -> None:
    root = parse("a: 1.10\n", FILE).root
    assert isinstance(root, MapNode)
    node = root.entries["a"].node
    assert isinstance(node, Scalar)
    assert (node.value, node.text) == (1.1, "1.10")


def test_keys_and_values_know_their_line_and_column() -> None:
    root = parse("one: 1\ntwo:\n  - three: {four: 4}\n", FILE).root
    assert isinstance(root, MapNode)
    two = root.entries["two"]
    assert (two.place.line, two.place.column) == (2, 1)
    assert isinstance(two.node, ListNode)
    inner = two.node.items[0]
    assert isinstance(inner, MapNode)
    assert (inner.entries["three"].place.line, inner.entries["three"].place.column) == (3, 5)
    four = inner.entries["three"].node
    assert isinstance(four, MapNode)
    assert (four.entries["four"].node.place.line, four.entries["four"].node.place.column) == (3, 19)


def test_keys_are_text_even_where_they_look_like_numbers() -> None:
    assert value("1: a\ntrue: b\n") == {"1": "a", "true": "b"}


def test_an_empty_file_is_a_null() -> None:
    assert value("") is None
    assert value("# only a comment\n") is None


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert value("a: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


def test_a_duplicate_key_is_told_with_both_positions() -> None:
    assert faults("a: 1\nb: 2\na: 3\n") == ["sara.yaml:3:1: a is given twice; the first is at sara.yaml:1:1"]


def test_aliases_are_refused() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert [fault.split(": ")[1] for fault in faults(bomb)] == [
        "aliases (*name) are not allowed; write the value out, or put it in quotes if it is text"
    ] * 4


@each_row("text", ["a: !python/object:os.system x", "a: !other x", "a: !!binary x", "a: !<tag:x> y", "a: !x!y z"])
def test_unknown_tags_are_refused(text: str) -> None:
    (fault,) = faults(text + "\n")
    assert "this tag is not known; there are !secret, !env and !include" in fault


def test_a_misspelt_tag_is_recognised() -> None:
    assert faults("a: !secrt x\n")[0].endswith("did you mean !secret?")


def test_a_tag_that_may_be_a_password_is_not_repeated() -> None:
    assert "hunter2" not in faults("a: !hunter2\n")[0]


def test_a_tag_on_a_block_is_refused() -> None:
    assert "must be followed by a name" in faults("a: !secret {b: c}\n")[0]
    assert "not known" in faults("a: !x [b]\n")[0]


def test_a_key_that_is_no_plain_word_is_refused() -> None:
    assert all("a key must be a plain word" in fault for fault in faults("? [a, b]\n: c\n") + faults("? {a: b}\n: c\n"))
    assert "a key must be a plain word" in faults("!secret a: b\n")[0]
    assert "a key must be a plain word" in faults('"": b\n')[0]


def test_a_second_document_is_refused() -> None:
    assert faults("a: 1\n---\nb: 2\n") == ["sara.yaml:2:1: a second document begins here; remove the line ---"]


@each_row(
    ("text", "said"),
    [
        ("a:\n\tb: 1\n", "a tab is not allowed here"),
        ("a: b: c\n", "a colon is not allowed here"),
        ("a: 1\nb\nc: 2\n", "a colon and a value are missing here"),
        ('a: "b\nc: 2\n', "sara.yaml:1:4: this quotation mark is never closed"),
        ("a: [1, 2\nb: 3\n", "bracket"),
        ("a: @b\n", "text cannot begin with this character"),
        ("a: 1\n  b: 2\n", "a colon is not allowed here"),
        ('a: "\\q"\n', "this \\ escape does not exist"),
        ("a: \x07\n", "sara.yaml:1:4: a control character is not allowed here"),
        ('a: "\\UFFFFFFFF"\n', "names a character that does not exist"),
        ('a: "\\ud800"\n', "holds a character that does not exist"),
        ('a: "\\0"\n', "holds a character that does not exist"),
        ("%YAML 9.9\n---\na: 1\n", "this is not valid YAML"),
    ],
)
def test_broken_yaml_is_told_in_plain_words(text: str, said: str) -> None:
    assert said in faults(text)[0]


def test_the_two_halves_of_an_escaped_character_become_one() -> None:
    assert value('a: "\\ud83d\\ude00"\n') == {"a": "😀"}


def test_nesting_up_to_the_limit_is_fine() -> None:
    assert value("[" * DEEPEST + "]" * DEEPEST) is not None


@each_row("text",
    [
        "[" * 5_000, "{" * 5_000, "[\n" * 5_000, "- " * 5_000, "? " * 5_000, "- [{a: " * 2_000, "[" * 51 + "]" * 51,
        "\n".join(" " * depth + "a:" for depth in range(200)), "a:\n" + "".join("  " * n + "- b:\n" for n in range(60)),
    ])  # fmt: skip
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    (fault,) = faults(text)
    assert "nested more than 50 levels deep" in fault


@given(st.text() | st.text(alphabet="ab:-[]{}?!&*#|>'\"%@`,\\ \n\t0u~"))
@example("\ud800")
@example("\ufeff")
@example("!!str")
@example("&a")
@example("? ")
@example("a: |\n b\n c: d")
def test_no_text_makes_it_raise(text: str) -> None:
    source = parse(text, FILE)
    assert source.root is not None or source.findings
    for finding in source.findings:
        assert finding.line >= 1
        assert finding.column >= 1
