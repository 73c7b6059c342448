"""What a person of the business does with a conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sara import Contact, OutgoingContent, SaraError
from sara.engines import Handoff, NotFound, TimerView
from sara.operations.operator_actions import LONGEST, OperatorActions
from sara.pipeline.bindings import ChannelBindings
from sara.policy.settings import ConversationSettings, HandoffSettings
from tests.fakes import ACCOUNT, CONVERSATION, NOW, House

HOUR = 3_600_000
BOT = TimerView(
    CONVERSATION, ACCOUNT, Contact("p1"), False, "bot", None, 0, 0, NOW, NOW, NOW, False, False, None, 0, None
)  # fmt: skip


@pytest.fixture
def house() -> House:
    house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(return_after=HOUR)))
    house.store.timing = BOT
    return house


def acting(house: House) -> OperatorActions:
    return OperatorActions(house.store, house.routes, house.texts, house.clock)


def handed(house: House) -> Handoff:
    [(conversation, change, now)] = house.store.called("hand_over")
    assert (conversation, now) == (CONVERSATION, NOW)
    assert isinstance(change, Handoff)
    return change


# ── handing over and back ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, Handoff("operator", "", "human", NOW + HOUR)),
        ({"reason": "I know her\x00"}, Handoff("operator", "I know her", "human", NOW + HOUR)),
        ({"for_": 5}, Handoff("operator", "", "human", NOW + 5)),
        ({"pause": True}, Handoff("operator", "", "paused", None)),
        ({"pause": True, "for_": 5, "reason": "x"}, Handoff("operator", "x", "paused", NOW + 5)),
    ],
)
async def test_a_person_takes_a_conversation_or_pauses_it(house: House, arguments: dict[str, Any], expected: Handoff) -> None:
    work = await acting(house).hand_over(CONVERSATION, **arguments)
    assert [each.conversation for each in work] == [CONVERSATION]
    assert handed(house) == expected


async def test_a_hand_over_without_an_end_in_the_file_has_none() -> None:
    house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(return_after=None)))
    await acting(house).hand_over(CONVERSATION)
    assert handed(house).until is None


@pytest.mark.parametrize("quietly", [False, True])
async def test_a_conversation_is_handed_back_and_the_customer_told_unless_quietly(house: House, quietly: bool) -> None:
    notices: list[Any] = []
    back = house.store.hand_back

    async def handing_back(conversation: str, by: str, now: int, notice: Any = None) -> Any:
        notices.append(notice)
        return await back(conversation, by, now)

    house.store.hand_back = handing_back  # type: ignore[method-assign]  # the same, and looks at the notice
    await acting(house).hand_back(CONVERSATION, quietly=quietly)
    assert house.store.called("hand_back") == [(CONVERSATION, "operator", NOW)]
    [notice] = notices
    assert notice == {} if quietly else notice["es"] == OutgoingContent(house.texts.render("hand_back", "es"))


# ── consent and notes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("how", "kept"), [("", "noted by hand"), ("by phone\x00", "by phone")])
async def test_consent_is_noted_with_how_it_was_given(house: House, how: str, kept: str) -> None:
    await acting(house).opt_out(CONVERSATION, how)
    await acting(house).opt_in(CONVERSATION, how)
    assert house.store.called("consent") == [
        (CONVERSATION, True, "operator", kept, NOW),
        (CONVERSATION, False, "operator", kept, NOW),
    ]


async def test_a_note_is_added_to_the_former_or_takes_their_place(house: House) -> None:
    """Nothing is cut in silence: what is too long is refused."""
    rows = [
        ("Allergic\x00 to nuts", False, ("Allergic to nuts", True)),
        ("Allergic to nuts ", True, ("Allergic to nuts", False)),
        ("", True, ("", False)),
        ("x" * (LONGEST - 1), False, ("x" * (LONGEST - 1), True)),
        (" ", False, "nothing to note"),
        ("x" * LONGEST, False, "longer than 20000"),
        ("x" * LONGEST, True, "longer than 20000"),
    ]
    for text, is_replacing, expected in rows:
        house.store.calls.clear()
        if isinstance(expected, str):
            with pytest.raises(SaraError, match=expected):
                await acting(house).note(CONVERSATION, text, is_replacing=is_replacing)
            assert house.store.called("note") == []
        else:
            await acting(house).note(CONVERSATION, text, is_replacing=is_replacing)
            kept, append = expected
            assert house.store.called("note") == [(CONVERSATION, kept, "operator", NOW, append)]


# ── own words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_own_words_go_through_the_channels_form_at_once_or_at_their_time(house: House) -> None:
    house.channel.text_limit = 8
    await acting(house).send(CONVERSATION, "  one two three\x00 ")
    await acting(house).send(CONVERSATION, "later", NOW + HOUR)
    assert house.store.called("enqueue_messages") == [
        (CONVERSATION, (OutgoingContent("one two"), OutgoingContent("three")), "operator", "operator", NOW, None),
        (CONVERSATION, (OutgoingContent("later"),), "operator", "operator", NOW, NOW + HOUR),
    ]
    assert house.store.called("hand_over") == []


async def test_own_words_are_in_the_channels_own_marks_unless_they_are_markdown(house: House) -> None:
    """`*Sale today*` is what a person types on WhatsApp for bold; in Markdown it would be italic."""
    given: list[tuple[str, bool]] = []

    def compose(draft: OutgoingContent) -> list[OutgoingContent]:
        given.append((draft.text, draft.markdown))
        return [OutgoingContent(draft.text)]

    house.channel.compose = compose  # type: ignore[method-assign]  # the same, and looks at what it is given
    to = acting(house)
    await to.send(CONVERSATION, "*Sale today*")
    await to.send(CONVERSATION, "*Sale today*", NOW + HOUR)
    await to.send(CONVERSATION, "**Sale today**", markdown=True)
    assert given == [("*Sale today*", False), ("*Sale today*", False), ("**Sale today**", True)]


@pytest.mark.parametrize("text", ["", "  \n", "\x00"])
async def test_there_must_be_something_to_say(house: House, text: str) -> None:
    with pytest.raises(SaraError, match="there is nothing to say"):
        await acting(house).send(CONVERSATION, text)
    assert house.store.called("enqueue_messages") == []


async def test_there_is_an_end_to_what_can_be_said(house: House) -> None:
    with pytest.raises(SaraError, match="longer than 20000 characters"):
        await acting(house).send(CONVERSATION, "x" * (LONGEST + 1))
    await acting(house).send(CONVERSATION, "x" * LONGEST)
    assert len(house.store.called("enqueue_messages")) == 1


@pytest.mark.parametrize(
    ("mode", "until", "longer"),
    [
        ("human", NOW + HOUR - 1, True),
        ("human", NOW - 1, True),
        ("human", NOW + HOUR, False),
        ("human", NOW + 24 * HOUR, False),
        ("human", None, False),
        ("paused", NOW + 1, False),
        ("bot", None, False),
    ],
)
async def test_who_goes_on_answering_keeps_the_conversation_for_longer_and_never_for_less(
    house: House, mode: Any, until: int | None, longer: bool
) -> None:
    house.store.timing = replace(BOT, mode=mode, mode_until=until)
    await acting(house).send(CONVERSATION, "I am still here.")
    expected = [(CONVERSATION, Handoff("operator", "", "human", NOW + HOUR), NOW)] if longer else []
    assert house.store.called("hand_over") == expected


async def test_where_only_a_hand_gives_it_back_own_words_change_nothing_about_that() -> None:
    house = House(policy=ConversationSettings(responder="assistant", handoff=HandoffSettings(return_after=None)))
    house.store.timing = replace(BOT, mode="human", mode_until=NOW + 5)
    await acting(house).send(CONVERSATION, "I am still here.")
    assert house.store.called("hand_over") == []


# ── what cannot be acted upon ─────────────────────────────────────────────────────────────────────────────────────────────

ACTS = [("hand_over", ()), ("hand_back", ()), ("opt_out", ()), ("opt_in", ()), ("send", ("hello",)), ("note", ("x",))]


@pytest.mark.parametrize(("act", "arguments"), ACTS, ids=[act for act, _ in ACTS])
async def test_an_unknown_conversation_is_not_found_and_nothing_is_written(
    house: House, act: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(NotFound, match="there is nothing by that id"):
        await getattr(acting(house), act)("c99", *arguments)
    assert house.store.wrote() == ["conversation"]


@pytest.mark.parametrize(("act", "arguments"), ACTS, ids=[act for act, _ in ACTS])
async def test_a_conversation_whose_channel_is_gone_says_what_to_do(house: House, act: str, arguments: tuple[Any, ...]) -> None:
    house.routes = ChannelBindings([])
    with pytest.raises(SaraError, match="no channel in the file serves test:1; put it back to act on c1"):
        await getattr(acting(house), act)(CONVERSATION, *arguments)
    assert house.store.wrote() == ["conversation"]
