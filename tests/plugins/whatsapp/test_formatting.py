"""Markdown in, WhatsApp's own marks out; and the cut into parts."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.formatting import split, split_off_end, to_plain, to_whatsapp

from sara import OutgoingContent, utf16_length
from tests.rows import each_row

MARKS = [
    ("**x**", "*x*"),
    ("__x__", "*x*"),
    ("*x*", "_x_"),
    ("_x_", "_x_"),
    ("***x***", "*_x_*"),
    ("~~x~~", "~x~"),
    ("**a _b_ ~~c~~**", "*a _b_ ~c~*"),
    ("*a **b** c*", "_a *b* c_"),
    ("**Total:** 5 €", "*Total:* 5 €"),
    ("(**x**), **y**!", "(*x*), *y*!"),
    ("**one\ntwo**", "*one*\n*two*"),
    ("**a __b__ c**", "*a b c*"),
    ("wunder**bar** **Haus**tür", "wunderbar Haustür"),
    ("这是**重要**的", "这是重要的"),
    ("**5\\* hotel**", "5* hotel"),
    ("**Note:**text", "Note:text"),
    ("**注意：**这个 是**“重要”**的", "注意：这个 是“重要”的"),
    ("**use `x` now**", "*use* `x` *now*"),
]
HEADINGS = [
    ("# Title", "*Title*"),
    ("### Title ###", "*Title*"),
    ("# **Title** of *it*", "*Title of _it_*"),
    ("# Title\nText", "*Title*\nText"),
    ("Title\n=====\nText", "*Title*\nText"),
    ("#", ""),
]
CODE = [
    ("```python\nx = '**y**'\n```", "```\nx = '**y**'\n```"),
    ("```js {1,3}\nx\n```", "```\nx\n```"),
    ("```\n  x\n\n\n  y\n```", "```\n  x\n\n\n  y\n```"),
    ("```open\nx", "```\nx\n```"),
    ("```hello there\nx\n```", "```\nhello there\nx\n```"),
    ("Do:\n~~~\nx\n~~~\nDone", "Do:\n```\nx\n```\nDone"),
    ("````\n```\n````", "```\n``\u200b`\n```"),
    ("```\n\n```", ""),
    ("`a*b*c`", "`a*b*c`"),
    ("`` a`b ``", "a`b"),
    ("    four **spaces**", "four *spaces*"),
]
LISTS = [
    ("- a\n- b", "- a\n- b"),
    ("* a\n* b", "- a\n- b"),
    ("+ a\n+ b", "- a\n- b"),
    ("- a\n\n- b", "- a\n\n- b"),
    ("- a\n  - b\n    - c\n- d", "- a\n  – b\n    – c\n- d"),
    ("1. a\n   - b\n2. c", "1. a\n  – b\n2. c"),
    ("- a\n  1. b\n  2. c", "- a\n  1. b\n  2. c"),
    ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
    ("3. a\n4. b", "3. a\n4. b"),
    ("1) a\n2) b", "1) a\n2) b"),
    ("- [ ] a\n- [x] b\n- [X] c", "- ☐ a\n- ☑ b\n- ☑ c"),
    ("- **a**: b", "- *a*: b"),
    ("- a\n  ```sh\n  b\n  ```", "- a\n```\nb\n```"),
    ("Two:\n- a\n- b\n\nEnd", "Two:\n- a\n- b\n\nEnd"),
    ("- a\n-\n- b", "- a\n- b"),
]
LINKS = [
    ("[t](https://x.com)", "t (https://x.com)"),
    ('[t](https://x.com/a_b_c "title")', "t (https://x.com/a_b_c)"),
    ("[https://x.com](https://x.com/)", "https://x.com"),
    ("[x.com](https://x.com)", "https://x.com"),
    ("[](https://x.com)", "https://x.com"),
    ("[t]()", "t"),
    ("[t](#part)", "t"),
    ("[Mail](mailto:a@b.com)", "Mail (a@b.com)"),
    ("[a@b.com](mailto:a@b.com)", "a@b.com"),
    ("[+49 30 123-4](tel:+49301234)", "+49 30 123-4"),
    ("**[t](https://x.com)**", "*t* (https://x.com)"),
    ("[**t**](https://x.com)", "*t* (https://x.com)"),
    ("<https://x.com> <a@b.com>", "https://x.com a@b.com"),
    ("**https://x.com**", "https://x.com"),
    ("**See https://x.com now**", "*See* https://x.com *now*"),
    ("![alt](https://x.com/i.png)", "alt: https://x.com/i.png"),
    ("![](https://x.com/i.png)", "https://x.com/i.png"),
    ("[![alt](https://x.com/i.png)](https://x.com)", "alt: https://x.com/i.png (https://x.com)"),
    ("<a class='b' href='https://x.com/?a=1&amp;b=2'>t</a> u", "t (https://x.com/?a=1&b=2) u"),
    ("<A HREF=https://x.com>https://x.com</A>, <a>t</a>, <a href='https://x.com'>u", "https://x.com, t, u"),
    ("[<a href='https://x.com'>t</a>](https://y.com) u</a>", "t (https://x.com) (https://y.com) u"),
    ("[ü](https://x.com/ü?a=1&amp;b=2)", "ü (https://x.com/ü?a=1&b=2)"),
]
TABLES = [
    (
        "| Tea | Price |\n|---|--:|\n| Mint | 5 € |\n| *Oolong* | 12 € |",
        "```\nTea     Price\n------  -----\nMint      5 €\nOolong   12 €\n```",
    ),
    ("| a | b |\n|---|---|\n| 茶 | x |", "```\na   b\n--  -\n茶  x\n```"),
    (
        "| Name | What it is |\n|---|---|\n| Tea | leaves that were **not** in a bag |\n| Cup | |",
        "- *Name*: Tea; *What it is*: leaves that were *not* in a bag\n- *Name*: Cup; *What it is*: –",
    ),
    ("| a | b |\n|---|---|\n| [t](https://x.co) | y |", "- *a*: t (https://x.co); *b*: y"),
    ("| a | b |\n|---|---|\n| 1 | 2 | 3 |", "| a | b |\n|---|---|\n| 1 | 2 | 3 |"),
    ("| a | b |\n|---|---|", "- *a*; *b*"),
]
OTHERS = [
    ("a\n\n---\n\nb", "a\n\nb"),
    ("a\n---\nb", "a\n\nb"),
    ("---", ""),
    ("a<br>b <b>c</b> <!-- d -->e", "a\nb c e"),
    ("<p>a</p><p>b</p>", "a\nb"),
    ("<div>\n**a**\n</div>", "*a*"),
    ("&lt;3 &amp; &euro; &#9731;", "<3 & € ☃"),
    ("> a\n> b", "> a\n> b"),
    ("> a\n>\n> **b**\n\nc", "> a\n> *b*\n\nc"),
    ("> - a\n> - b", "> - a\n> - b"),
    ("> ```\n> a\n> b\n> ```", "> `a`\n> `b`"),
    ("a  \nb\\\nc\nd", "a\nb\nc\nd"),
    ("a\r\nb\r\n\r\n\r\n\r\nc", "a\nb\n\nc"),
    ("\\*a\\* 1\\. b", "*a* 1. b"),
]
PLAIN = [
    "2*3*4 = 24",
    "5*6 cm and 7*8 cm",
    "3*(4+5)*6",
    "2**3**4",
    "x**(2)**y",
    "5 * 3 * 2",
    "Dial *100*5#",
    "snake_case_name and other_name_here",
    "Pizza* 5 €, pasta* 6 €",
    "~5 to ~10 minutes",
    "f**k and s**t",
    "*_* :* ;_; T_T ^_^ -_- o_O :-* <3",
    ">_< hm",
    ">:( no",
    "¯\\_(ツ)_/¯",
    "$5 and $6, 7€",
    "+49 170 1234567",
    "+ 5 shipping",
    "+ 5 shipping\n+ 3 gift wrap\n= 8",
    "#5 is alive\n#tag",
    "1. May is a holiday\nsee you then",
    "24. 12. 2024 is fine",
    "5. - 7. May",
    "We open on\n24. December",
    "1.",
    "-5 °C",
    "https://x.com/a_b/__init__/c*d*e?f=~~g~~",
    "www.x.com/**a**/b example.com/__a__/b",
    "_a_@x.com john__q__x@x.com",
    "if a<b and c>d: <your name>",
    "[Note]: Monday",
    "[1]: https://x.com",
    "line\nline\n\nline",
    "--\nThe team",
    "a | b",
    "C:\\Users\\name",
    "AT&T and a&b=c",
]
ROWS = [*MARKS, *HEADINGS, *CODE, *LISTS, *LINKS, *TABLES, *OTHERS]


@each_row(("markdown", "text"), ROWS)
def test_markdown_becomes_what_whatsapp_shows(markdown: str, text: str) -> None:
    assert to_whatsapp(markdown) == text


@each_row("text", PLAIN)
def test_ordinary_text_comes_out_as_it_went_in(text: str) -> None:
    assert to_whatsapp(text) == text


@pytest.mark.parametrize("blank", ["", " \n\t\n", "&nbsp;", "<br>", "# \n\n> \n\n- \n\n---", "****", "```\n```", "<!-- a -->"])
def test_blank_text_gets_no_marks_and_no_parts(blank: str, channel: WhatsAppChannel) -> None:
    assert to_whatsapp(blank) == ""
    assert list(channel.compose(OutgoingContent(blank))) == []


def test_the_channel_turns_markdown_into_marks_before_it_cuts(channel: WhatsAppChannel) -> None:
    assert list(channel.compose(OutgoingContent("# Hi\n\n**you**"))) == [OutgoingContent("*Hi*\n\n*you*")]
    parts = channel.compose(OutgoingContent("```py\n" + "    x = 1\n" * 1000 + "```"))
    assert len(parts) > 1
    assert all(part.text.startswith("```\n    x") and part.text.endswith("x = 1\n```") for part in parts)


@each_row("deep", ["> " * 500 + "x", "- " * 500 + "x", "1. " * 500 + "x", "![" * 500 + "x" + "](u)" * 500, "*x **" * 500])
def test_no_nesting_is_too_deep(deep: str) -> None:
    assert "x" in to_whatsapp(deep)


_MARKS = ["*", "**", "_", "__", "~~", "`", "```", "[", "](", ")", "![", "<b>", "<br>", "</b>", "&amp;", "\\"]
_WORDS = ["https://x.com/a_b", "word", "é", "茶", "😀", "5", "\ud800"]
_LINES = ["\n", "\n\n", " ", "  ", "# ", "> ", "- ", "+ ", "* ", "1. ", "[ ] ", "---\n", "| ", "|\n|--|--|\n"]
CHUNKS = st.sampled_from([*_MARKS, *_WORDS, *_LINES])


@given(st.one_of(st.text(), st.lists(CHUNKS).map("".join)))
@example("```\ud800")
def test_nothing_makes_it_fail_or_leave_two_lines_empty(markdown: str) -> None:
    text = to_whatsapp(markdown)
    assert text == text.strip()
    assert "\n\n\n" not in re.sub(r"```.*?```", "code", text, flags=re.DOTALL)
    assert text.count("```") % 2 == 0


MARKED = [
    "{}",
    "**{}**",
    "*{}*",
    "~~{}~~",
    "`{}`",
    "# {}\n",
    "\n- {}",
    "\n  - {}",
    "\n1. {}\n",
    "\n> {}\n",
    "\n```\n{}\n```\n",
    "[{}](https://x.com)",
]
WORDS = st.text("abcdefghäß", min_size=1, max_size=8)


@given(st.lists(st.tuples(WORDS, st.sampled_from(MARKED), st.sampled_from([" ", "\n", "\n\n", ", "]))), st.integers(40, 200))
def test_no_word_is_lost(pieces: list[tuple[str, str, str]], limit: int) -> None:
    text = to_whatsapp("".join(form.format(word) + gap for word, form, gap in pieces))
    found = re.findall("[a-zäß]+", text.replace("https://x.com", ""))
    assert found == [word for word, _, _ in pieces]
    assert re.findall("[a-zäß]+", " ".join(split(text, limit)).replace("https://x.com", "")) == found


@given(st.text("ab *_~#+-.\n", max_size=60))
def test_marks_in_any_disorder_cost_no_letter(text: str) -> None:
    assert re.findall("[ab]", to_whatsapp(text)) == re.findall("[ab]", text)


# parts


@given(st.one_of(st.text(), st.lists(CHUNKS).map("".join)), st.integers(16, 90))
def test_no_part_is_blank_or_longer_than_the_limit(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(part.strip() and utf16_length(part) <= limit for part in parts)
    # White space and marks come and go at the cuts; nothing else does.
    assert re.sub(r"[\s`*_~>]", "", "".join(parts)) == re.sub(r"[\s`*_~>]", "", text)


@given(st.lists(st.text("ab \n.", max_size=80)), st.integers(32, 90))
def test_code_is_closed_in_every_part_and_keeps_its_lines(texts: list[str], limit: int) -> None:
    text = to_whatsapp("\n\n".join(f"```\n{body}\n```" if index % 2 else body for index, body in enumerate(texts)))
    parts = split(text, limit)
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert re.findall("[ab]", "".join(parts)) == re.findall("[ab]", text)


def test_code_keeps_its_indentation_across_a_cut() -> None:
    lines = [f"    line {number}" for number in range(20)]
    parts = split("```\n" + "\n".join(lines) + "\n```\n\nDone.", 80)
    bodies = [part.removesuffix("Done.").strip().removeprefix("```\n").removesuffix("\n```") for part in parts]
    assert "\n".join(bodies).split("\n") == lines
    assert parts[-1].endswith("Done.")


def test_a_code_block_that_fits_as_a_whole_is_not_cut() -> None:
    code = "```\n" + "x = 1\n" * 8 + "```"
    assert split("Some words go first. " * 3 + "\n\n" + code, 100) == [("Some words go first. " * 3).strip(), code]


def test_an_address_that_fits_is_not_cut() -> None:
    address = "https://x.com/" + "a" * 60
    assert split(f"See {address}", 75) == ["See", address]
    assert "".join(split("https://x.com/" + "a" * 200, 75)) == "https://x.com/" + "a" * 200


LONG = "word " * 30


@each_row(("text", "mark"), [(f"*{LONG}end*", "*"), (f"_{LONG}end_", "_"), (f"~{LONG}end~", "~"), (f"`{LONG}end`", "`")])
def test_emphasis_is_closed_in_every_part_and_opened_again(text: str, mark: str) -> None:
    parts = split(text, 60)
    assert len(parts) == 3
    for part in parts:
        assert part.startswith(mark + "w")
        assert part.endswith(mark)
        assert part.count(mark) == 2
        assert utf16_length(part) <= 60
    assert re.findall(r"\w+", " ".join(parts).replace("_", " ")) == [*LONG.split(), "end"]


def test_nested_emphasis_is_closed_and_opened_in_its_order() -> None:
    parts = split(f"Before it *some _{LONG}end_ more*", 60)
    assert [part[:7] for part in parts] == ["Before ", *["*_word "] * (len(parts) - 1)]
    assert [part[-2:] for part in parts[:-1]] == ["_*"] * (len(parts) - 1)
    assert parts[-1].endswith("end_ more*")


def test_a_quote_that_is_cut_goes_on_as_a_quote() -> None:
    parts = split("> " + LONG + "*" + LONG + "end*", 60)
    assert all(part.startswith("> ") for part in parts)
    assert next(part for part in parts if "end" in part).startswith("> *")
    assert all(part.count("*") % 2 == 0 for part in parts)


@each_row("text", ["2 * 3 * 4 " * 20, "snake_case_word " * 20, "https://x.com/a_b_c " * 12, "*" * 200, "a *b " * 60])
def test_what_is_no_emphasis_is_not_closed(text: str) -> None:
    parts = split(text, 60)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)


def test_the_end_that_is_parted_off_keeps_its_emphasis_and_its_quote() -> None:
    head, end = split_off_end(f"> *{LONG}end*", 60)
    assert head.endswith("word*")
    assert end.startswith("> *word")
    assert end.endswith("end*")
    assert utf16_length(end) <= 60


@given(st.lists(st.tuples(WORDS, st.sampled_from(MARKED), st.sampled_from([" ", "\n"]), st.integers(1, 12))), st.integers(40, 90))
def test_whatever_is_cut_each_part_wears_what_the_whole_wore(pieces: list[tuple[str, str, str, int]], limit: int) -> None:
    text = to_whatsapp("".join(form.format((word + " ") * times + "z") + gap for word, form, gap, times in pieces))
    for mark in "*_~`":
        if all(line.count(mark) % 2 == 0 for line in text.split("\n")) and "](" not in text:
            assert all(line.count(mark) % 2 == 0 for part in split(text, limit) for line in part.split("\n"))


# one line without marks


@each_row(
    ("markdown", "text"),
    [
        ("**Yes**, `please`", "Yes, please"),
        (" two\n lines ", "two lines"),
        ("[t](https://x.com)", "t (https://x.com)"),
        ("<b>x</b> &amp; y", "x & y"),
        ("- 1. # 5*3*2 snake_case *", "- 1. # 5*3*2 snake_case *"),
        ("", ""),
        ("[" * 500 + "x", "[" * 500 + "x"),
    ],
)
def test_a_title_is_shown_without_marks(markdown: str, text: str) -> None:
    assert to_plain(markdown) == text


@given(st.one_of(st.text(), st.lists(CHUNKS).map("".join)))
def test_a_title_is_always_one_line(markdown: str) -> None:
    assert to_plain(markdown) == " ".join(to_plain(markdown).split())


# the end of a text


@each_row(
    ("text", "end"),
    [
        ("one two", "one two"),
        ("one two three.\n\nfour. five\n\nsix", "six"),
        ("one two three.\n\nfour\n\nsix", "four\n\nsix"),
        ("one two three four\nfive six", "five six"),
        ("one two three four. Five six", "Five six"),
        ("one two three four five six", "five six"),
        ("one two three four 🙂🙂🙂🙂🙂🙂", ""),
        ("```\none two three\n```", ""),
        ("one two\n\n```\na b\n```", "```\na b\n```"),
    ],
)
def test_the_end_of_a_text_is_parted_off_at_the_best_place(text: str, end: str) -> None:
    assert split_off_end(text, 11) == (text.removesuffix(end).strip(), end)


@given(st.one_of(st.text(), st.lists(CHUNKS).map("".join)), st.integers(1, 60))
def test_only_white_space_is_lost_where_the_end_is_parted_off(text: str, limit: int) -> None:
    head, end = split_off_end(text, limit)
    assert utf16_length(end) <= limit
    assert re.sub(r"[\s`*_~>]", "", head + end) == re.sub(r"[\s`*_~>]", "", text)
