"""A draft of any kind becomes the best form that WhatsApp takes, and loses nothing on the way."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest
from sara_whatsapp.send.composer import KINDS, compose

from sara import OutgoingContent, utf16_length
from tests.plugins.whatsapp.drafts import EMOJI, URL, body_of
from tests.plugins.whatsapp.schema import faults_of_body
from tests.rows import each_row


def buttons(*titles: str, **more: Any) -> dict[str, Any]:
    return {"buttons": [{"id": f"b{number}", "title": title} for number, title in enumerate(titles)], **more}


def rows(*titles: str, **more: Any) -> dict[str, Any]:
    return {"title": "Teas", "rows": [{"id": f"r-{title}", "title": title, **more} for title in titles]}


def composed(kind: str, text: str = "Well?", reply_to: str | None = None, /, **content: Any) -> list[OutgoingContent]:
    return compose(OutgoingContent(text, kind, content, reply_to))


def only(kind: str, text: str = "Well?", reply_to: str | None = None, /, **content: Any) -> OutgoingContent:
    (part,) = composed(kind, text, reply_to, **content)
    return part


# text


def test_text_is_formatted_and_the_first_part_quotes() -> None:
    assert composed("text", "# Hi\n\n**you**", "m1") == [OutgoingContent("*Hi*\n\n*you*", reply_to="m1")]
    long = composed("text", "word " * 2_000, "m1")
    assert [part.reply_to for part in long] == ["m1", None, None]


def test_what_a_person_wrote_keeps_its_marks_in_every_form() -> None:
    """Whoever types on WhatsApp writes in WhatsApp's own marks; only the AI writes Markdown."""
    rows = [
        ("*Sale today*", "*Sale today*", "_Sale today_"),
        ("**Sale**", "**Sale**", "*Sale*"),
        ("_now_ ~9~ 7 €", "_now_ ~9~ 7 €", "_now_ ~9~ 7 €"),
        ("# 1 at the door", "# 1 at the door", "*1 at the door*"),
        ("2 * 3 * 4 = 24", "2 * 3 * 4 = 24", "2 * 3 * 4 = 24"),
        ("[menu](https://a.example.invalid)", "[menu](https://a.example.invalid)", "menu (https://a.example.invalid)"),
        ("a\nb", "a\nb", "a\nb"),
    ]
    for written, own, translated in rows:
        assert compose(OutgoingContent(written, markdown=False)) == [OutgoingContent(own)], written
        assert compose(OutgoingContent(written)) == [OutgoingContent(translated)], written
        for kind, content in (
            ("image", {"url": URL}),
            ("link", {"url": URL}),
            ("buttons", buttons("Yes")),
            ("ask_location", {}),
            ("poll", {}),
        ):
            assert compose(OutgoingContent(written, kind, content, markdown=False))[-1].text == own, (kind, written)
    long = compose(OutgoingContent("*word* " * 1_000, markdown=False))
    assert "".join(part.text.replace(" ", "") for part in long) == "*word*" * 1_000


@each_row("kind", [*sorted(KINDS - {"ask_location", "ask_contact"}), "poll"])
def test_a_draft_that_says_nothing_gives_no_parts(kind: str) -> None:
    assert compose(OutgoingContent(" \n", kind)) == []


def test_a_kind_that_whatsapp_does_not_have_becomes_text() -> None:
    assert composed("poll", "*Well?*") == [OutgoingContent("_Well?_")]


# files


@pytest.mark.parametrize("kind", ["image", "video", "document"])
def test_a_short_text_is_the_caption_of_a_file(kind: str) -> None:
    part = only(kind, "**Look**", "m1", url=URL)
    assert (part.kind, part.text, part.reply_to) == (kind, "*Look*", "m1")
    assert body_of(part)[kind]["caption"] == "*Look*"


def test_a_text_too_long_for_a_caption_goes_before_the_file() -> None:
    assert [(part.kind, part.text) for part in composed("image", "x" * 1_024, url=URL)] == [("image", "x" * 1_024)]
    text, image = composed("image", "x" * 1_025, "m1", url=URL)
    assert (text.kind, text.text, text.reply_to) == ("text", "x" * 1_025, "m1")
    assert (image.kind, image.text, image.reply_to) == ("image", "", None)


@pytest.mark.parametrize("kind", ["audio", "sticker"])
def test_sounds_and_stickers_have_no_caption(kind: str) -> None:
    assert [(part.kind, part.text) for part in composed(kind, "Listen", url=URL)] == [("text", "Listen"), (kind, "")]
    assert [part.kind for part in composed(kind, "", url=URL)] == [kind]


def test_a_document_has_a_name() -> None:
    assert only("document", url=URL).content["name"] == "price list.pdf"
    assert only("document", path="menus/tea.pdf").content["name"] == "tea.pdf"
    assert only("document", url=URL, name=" Our\nprices.pdf").content["name"] == "Our prices.pdf"
    assert "name" not in only("document", url="https://shop.example/").content


@each_row(
    ("kind", "mime", "becomes"),
    [
        ("image", "image/png", "image"),
        ("image", "IMAGE/JPEG; q=1", "image"),
        ("image", "image/webp", "document"),
        ("image", "", "image"),
        ("sticker", "image/webp", "sticker"),
        ("sticker", "image/png", "image"),
        ("sticker", "image/gif", "document"),
        ("video", "video/quicktime", "document"),
        ("audio", "audio/ogg; codecs=opus", "audio"),
        ("audio", "audio/flac", "document"),
        ("document", "application/zip", "document"),
    ],
)
def test_a_file_elsewhere_of_a_type_that_whatsapp_does_not_show_is_a_document(kind: str, mime: str, becomes: str) -> None:
    assert only(kind, "", url=URL, mime=mime).kind == becomes


def test_a_voice_note_is_one_only_as_ogg() -> None:
    assert only("audio", "", url=URL, voice=True).content["voice"] is True
    assert only("audio", "", url=URL, voice=True, mime="audio/ogg; codecs=opus").content["voice"] is True
    assert "voice" not in only("audio", "", url=URL, voice=True, mime="audio/mpeg").content
    assert "voice" not in only("audio", "", url=URL, voice="yes").content


def test_a_file_of_our_own_keeps_its_kind_until_it_is_looked_at() -> None:
    assert only("image", path=PurePath("a/b.bin"), mime="image/webp").content == {"path": "a/b.bin", "mime": "image/webp"}


@each_row("content", [{}, {"url": "ftp://x.com/a"}, {"url": "https://"}, {"url": 5}, {"path": ""}])
def test_a_file_that_is_nowhere_leaves_its_words(content: dict[str, Any]) -> None:
    parts = composed("image", "Look", name="tea.png", **content)
    assert [part.kind for part in parts] == ["text"]
    assert parts[0].text.startswith("Look\n\ntea.png")


# buttons and lists


def test_up_to_three_short_titles_are_buttons() -> None:
    part = only("buttons", "**Well?**", "m1", **buttons("Yes", "**No**", "x" * 20, header="# 1", footer="_small_"))
    assert part == OutgoingContent(
        "*Well?*",
        "buttons",
        {
            "buttons": [{"id": "b0", "title": "Yes"}, {"id": "b1", "title": "No"}, {"id": "b2", "title": "x" * 20}],
            "header": "# 1",
            "footer": "small",
        },
        "m1",
    )


def test_four_to_ten_buttons_are_a_list() -> None:
    part = only("buttons", **buttons(*"abcdefghij"))
    assert part.kind == "list"
    assert [row["id"] for row in part.content["sections"][0]["rows"]] == [f"b{number}" for number in range(10)]
    assert part.content["button"]


def test_more_choices_than_a_list_holds_are_numbered_text() -> None:
    part = only("buttons", **buttons(*"abcdefghijk", header="Top", footer="End"))
    assert (part.kind, part.text.split("\n")[0], part.text.split("\n")[-1]) == ("text", "Top", "End")
    assert "\n1. a\n" in part.text
    assert "\n11. k\n" in part.text
    eleven = only("list", sections=[rows(*"abcdef"), rows(*"ghijk")])
    assert eleven.kind == "text"
    assert "Teas\n7. g\n" in eleven.text


def test_a_title_too_long_for_a_button_is_shown_in_full_below_a_row() -> None:
    part = only("buttons", **buttons("Yes, and send me the bill", "No"))
    assert part.content["sections"] == [
        {
            "rows": [
                {"id": "b0", "title": "Yes, and send me the…", "description": "Yes, and send me the bill"},
                {"id": "b1", "title": "No"},
            ]
        }
    ]


def test_what_is_cut_in_a_row_stands_in_full_in_the_body() -> None:
    title, description = "A title of more than twenty-four letters", "described " * 8
    part = only("list", button="A label of more than twenty letters", sections=[rows(title, "Mint", description=description)])
    (section,) = part.content["sections"]
    assert section["rows"][0]["title"] == "A title of more than…"
    assert utf16_length(section["rows"][0]["description"]) <= 72
    assert part.text == (
        f"Well?\n\nA label of more than twenty letters\n- {title}: {description.strip()}\n- Mint: {description.strip()}"
    )


def test_a_long_header_and_a_long_footer_move_into_the_body() -> None:
    head, foot = "head " * 15, "foot " * 15
    part = only("buttons", **buttons("Yes", header=head, footer=foot))
    assert part.text == f"{head.strip()}\n\nWell?\n\n{foot.strip()}"
    assert part.content == buttons("Yes")


def test_a_form_without_words_gets_a_body_all_the_same() -> None:
    assert only("buttons", "", **buttons("Yes", header="Top", footer="End")).text == "Top"
    assert only("buttons", "", **buttons("Yes", footer="End")).text == "End"
    assert only("buttons", "", **buttons("Yes")).text
    assert only("ask_location", "").text
    assert only("ask_contact", "").text


def test_titles_are_never_the_same_and_never_empty() -> None:
    given = [{"id": "a", "title": "Yes"}, {"id": "b", "title": "**Yes**"}, {"id": "a", "title": "No"}]
    part = only("buttons", buttons=given)
    assert [(each["id"], each["title"]) for each in part.content["buttons"]] == [("a", "Yes"), ("b", "Yes (2)"), ("a-2", "No")]
    given = [
        {"id": "a", "title": "Yes"},
        {"id": "a", "title": "Yes"},
        {"id": "", "title": " "},
        {"id": "no"},
        {"title": "Or"},
        "So",
        5,
    ]
    part = only("buttons", buttons=given)
    found = [(each["id"], each["title"]) for each in part.content["sections"][0]["rows"]]
    assert found == [("a", "Yes"), ("no", "no"), ("Or", "Or"), ("So", "So"), ("5", "5")]


def test_rows_alike_in_title_may_differ_below_it() -> None:
    one, two = {"id": "1", "title": "Mint", "description": "hot"}, {"id": "2", "title": "Mint", "description": "iced"}
    part = only("list", button="Choose", sections=[{"rows": [one, two]}, {"title": "More", "rows": [one]}, {"title": "None"}])
    assert part.content == {"button": "Choose", "sections": [{"rows": [one, two]}]}


def test_sections_have_titles_where_there_are_several() -> None:
    part = only("list", sections=[{"rows": [{"title": "a"}]}, {"title": "x" * 25, "rows": [{"title": "b"}]}])
    assert [section["title"] for section in part.content["sections"]] == ["–", "x" * 23 + "…"]
    assert part.text == "Well?\n\n" + "x" * 25


def test_an_id_that_does_not_fit_is_not_cut() -> None:
    assert only("buttons", buttons=[{"id": "x" * 256, "title": "Yes"}]).kind == "buttons"
    assert only("buttons", buttons=[{"id": "x" * 257, "title": "Yes"}]) == OutgoingContent("Well?\n\n1. Yes")
    assert only("list", sections=[{"rows": [{"id": "x" * 201, "title": "Yes"}]}]).kind == "text"


def test_a_form_without_choices_is_text() -> None:
    assert only("buttons", header="Top", buttons=[]) == OutgoingContent("Top\n\nWell?")
    assert only("list", sections=[{"title": "Teas", "rows": []}], footer="End") == OutgoingContent("Well?\n\nTeas\n\nEnd")


def test_a_long_text_goes_before_and_the_form_carries_its_last_paragraphs() -> None:
    story = "\n\n".join(["word " * 100] * 6)
    first, form = composed("buttons", f"{story}\n\nWhich?\n\nWell?", "m1", **buttons("Yes"))
    assert (first.kind, first.reply_to, form.kind, form.reply_to) == ("text", "m1", "buttons", None)
    assert utf16_length(form.text) <= 1_024
    assert form.text.startswith("word")
    assert form.text.endswith("Which?\n\nWell?")
    assert f"{first.text} {form.text}".split() == f"{story} Which? Well?".split()


@pytest.mark.parametrize("gap", ["\n", " ", ". "])
def test_a_long_text_of_one_piece_is_parted_at_lines_sentences_or_words(gap: str) -> None:
    long = gap.join([*["word"] * 600, "Well?"])
    text, form = composed("buttons", long, **buttons("Yes"))
    assert form.text.endswith("Well?")
    assert utf16_length(form.text) > 1_000
    assert f"{text.text} {form.text}".split() == long.split()


def test_code_is_not_parted_for_a_form() -> None:
    code = "```\n" + "x = 1\n" * 200 + "```"
    text, form = composed("buttons", code, **buttons("Yes"))
    assert (text.text, form.kind) == (code, "buttons")
    assert form.text.strip()


# links and requests


def test_a_link_is_a_button() -> None:
    assert only("link", "**See**", title="Our shop", url=URL) == OutgoingContent(
        "*See*", "link", {"title": "Our shop", "url": URL}
    )
    assert only("link", "See", url=URL).content["title"] == "shop.example"
    assert only("link", "", title="Our shop", url=URL).text == "Our shop"


def test_a_long_title_of_a_link_stands_in_the_body() -> None:
    part = only("link", "See", title="Our shop with everything", url=URL)
    assert (part.text, part.content["title"]) == ("See\n\nOur shop with everything", "Our shop with…")


@each_row("url", ["tel:+1555", "mailto:a@b.com", "shop.example", "https://a b", "javascript:x"])
def test_a_link_that_is_no_web_address_is_text(url: str) -> None:
    assert only("link", "See", title="Here", url=url) == OutgoingContent(f"See\n\nHere: {url}")


def test_a_place_and_a_number_can_be_asked_for() -> None:
    assert only("ask_location", "**Where?**") == OutgoingContent("*Where?*", "ask_location")
    assert only("ask_contact", "Who?", "m1") == OutgoingContent("Who?", "ask_contact", reply_to="m1")
    assert [part.kind for part in composed("ask_contact", "word " * 300)] == ["text", "ask_contact"]


# the rest


def test_a_place_follows_its_text() -> None:
    text, place = composed("location", "Here", "m1", latitude="48.1", longitude=11, name="**Shop**", address="Road 1")
    assert text == OutgoingContent("Here", reply_to="m1")
    assert place == OutgoingContent("", "location", {"latitude": 48.1, "longitude": 11.0, "name": "Shop", "address": "Road 1"})
    assert only("location", "", "m1", latitude=0, longitude=0).reply_to == "m1"


@each_row("latitude", [None, "north", 91, -91, True, float("nan"), "1e400", 10**400])
def test_a_place_that_is_nowhere_is_text(latitude: Any) -> None:
    assert only("location", "Here", latitude=latitude, longitude=11, name="Shop").text.startswith("Here\n\nShop")


def test_a_card_has_a_name_and_a_number() -> None:
    assert only("contact", "", name="Ana", phones=["+49 30 1", 5, "", None]).content == {
        "name": "Ana",
        "phones": ["+49 30 1", "5"],
    }
    assert only("contact", "", phones=["+49 30 1"]).content["name"] == "+49 30 1"
    assert only("contact", "Call", name="Ana") == OutgoingContent("Call\n\nAna")


@each_row("emoji", EMOJI)
def test_a_reaction_is_one_emoji_to_a_message(emoji: str) -> None:
    assert only("reaction", "", "m1", emoji=emoji) == OutgoingContent("", "reaction", {"emoji": emoji}, "m1")
    assert only("reaction", emoji, "m1") == OutgoingContent("", "reaction", {"emoji": emoji}, "m1")


def test_a_reaction_can_be_taken_back() -> None:
    assert only("reaction", "", "m1", emoji="") == OutgoingContent("", "reaction", {"emoji": ""}, "m1")


@each_row("content", [{}, {"emoji": None}, {"emoji": " "}, {"emoji": ["👍"]}])
def test_a_reaction_is_not_taken_back_by_mistake(content: dict[str, Any]) -> None:
    assert composed("reaction", "", "m1", **content) == []


def test_words_with_a_reaction_are_said_beside_it() -> None:
    assert composed("reaction", "Fine", "m1", emoji="👍") == [
        OutgoingContent("Fine"),
        OutgoingContent("", "reaction", {"emoji": "👍"}, "m1"),
    ]


@each_row("emoji", ["ok", "👍👍", "👍 ok", "1"])
def test_what_is_not_one_emoji_is_text(emoji: str) -> None:
    assert only("reaction", "", "m1", emoji=emoji) == OutgoingContent(emoji, reply_to="m1")


def test_a_reaction_to_nothing_is_text() -> None:
    assert only("reaction", "", emoji="👍") == OutgoingContent("👍")


def test_a_template_is_named_and_its_parameters_stand_on_one_line() -> None:
    part = only("template", "Hi", name="order_ready", language="en-US", parameters=["Ana\nMaria", "  ", 5])
    assert part == OutgoingContent(
        "Hi", "template", {"name": "order_ready", "language": "en_US", "parameters": ["Ana Maria", "–", "5"]}
    )
    assert body_of(part)["template"] == {
        "name": "order_ready",
        "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": text} for text in ("Ana Maria", "–", "5")]}],
    }


def test_components_of_a_template_are_passed_on_as_they_are() -> None:
    components = [
        {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.com/a.png"}}]},
        {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "x"}]},
    ]
    part = only("template", "", name="a", language="de", components=components, parameters=["x"])
    assert body_of(part)["template"]["components"] == components
    assert faults_of_body(body_of(part)) == []


GOOD_BODY = {"type": "body", "parameters": [{"type": "text", "text": "Ana\nMaria"}, {"type": "text", "text": "5"}]}


@each_row(
    "wrong",
    [
        {"type": "nonsense"},
        {"type": "header", "parameters": "x"},
        {"type": "header", "parameters": [{"type": "image", "image": {}}]},
        {"type": "header", "parameters": [{"type": "image", "image": {"id": "1", "link": "https://x.com/a.png"}}]},
        {"type": "button", "parameters": [{"type": "payload", "payload": "x"}]},
        {"type": "button", "sub_type": "url", "index": "10", "parameters": [{"type": "text", "text": "x"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text"}]},
        {"type": "header", "parameters": [{"type": "currency", "currency": {"fallback_value": "5 €"}}]},
        "body",
    ],
)
def test_components_that_meta_would_refuse_give_way_to_the_texts_of_the_body(wrong: Any) -> None:
    part = only("template", "Hi", name="a", language="de", components=[wrong, GOOD_BODY])
    assert part.content == {"name": "a", "language": "de", "parameters": ["Ana Maria", "5"]}
    given = only("template", "Hi", name="a", language="de", components=[wrong, GOOD_BODY], parameters=["Kofi"])
    assert given.content["parameters"] == ["Kofi"]
    assert only("template", "Hi", name="a", language="de", components=[wrong]) == OutgoingContent("Hi")
    assert faults_of_body(body_of(part)) == []


def test_components_are_written_as_meta_wants_them() -> None:
    price = {"fallback_value": "5 €", "code": "EUR", "amount_1000": 5_000}
    components = [
        {
            "type": "BODY",
            "parameters": [
                {"type": "text", "parameter_name": "who", "text": "Ana\nMaria"},
                {"type": "currency", "currency": price},
            ],
        },
        {"type": "button", "sub_type": "URL", "index": 0, "parameters": [{"type": "text", "text": "order/5"}]},
        {"type": "header"},
    ]
    part = only("template", "", name="a", language="de", components=components)
    assert part.content["components"] == [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "parameter_name": "who", "text": "Ana Maria"},
                {"type": "currency", "currency": price},
            ],
        },
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "order/5"}]},
    ]
    assert faults_of_body(body_of(part)) == []


@each_row("content", [{}, {"name": "Order Ready", "language": "en"}, {"name": "a"}, {"name": "a", "language": "English"}])
def test_a_template_that_cannot_be_is_text(content: dict[str, Any]) -> None:
    assert only("template", "", parameters=["Ana", "5"], **content) == OutgoingContent("Ana\n\n5")
