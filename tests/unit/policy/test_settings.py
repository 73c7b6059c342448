"""How conversations are held, as the file says it: what is good, what is not, and how that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sara.config.loader import Loaded, load
from sara.config.settings import Config
from sara.domain.options import Options
from sara.i18n.data import LANGUAGES
from sara.policy.settings import ConversationSettings
from tests.rows import each_row

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


class Plugin(Options):
    """Has no options of its own."""


CHANNELS = "channels:\n  chat: {plugin: chat}\n  team: {plugin: chat}\nresponders: {ai: {plugin: ai}}\n"
"""Four lines; what a test writes begins in the fifth."""

Read = Callable[[str], Loaded]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a text as sara.yaml."""

    def read(text: str) -> Loaded:
        file = tmp_path / "sara.yaml"
        file.write_text(text, encoding="utf-8")
        return load(file, lambda kind, plugin: Plugin, environ={})

    return read


def good(loaded: Loaded) -> Config:
    assert [finding.render() for finding in loaded.findings] == []
    assert loaded.config is not None
    return loaded.config


def told(loaded: Loaded) -> list[str]:
    """Place, message and hint of each finding, without the folder."""
    lines = (finding.render().splitlines()[0].removeprefix(str(finding.file)) for finding in loaded.findings)
    return [f"sara.yaml{line}" for line in lines]


# ── what is good ──────────────────────────────────────────────────────────────────────────────────────────────────────────

WORKDAY = ((540, 1_020),)
LUNCH = ((540, 750), (840, 1_080))


@each_row(
    ("written", "of", "value"),
    [
        ("history: {summarise: true}", "history.summarise", True),
        ("on_new_message: restart", "on_new_message", "restart"),
        ("on_new_message: queue", "on_new_message", "queue"),
        ("too_old: store", "too_old", "store"),
        ("too_old: apologise", "too_old", "apologise"),
        ("too_old: answer", "too_old", "answer"),
        ("language: pt", "language", "pt"),
        ("language: pt-BR", "language", "pt-BR"),
        ("language: DE", "language", "DE"),
        ("limits: {person: {minute: 10, day: 200}}", "limits.person.day", 200),
        ("limits: {person: {minute: null}}", "limits.person.minute", None),
        ("limits: {channel: {minute: 1}}", "limits.channel.minute", 1),
        ("handoff: {words: false}", "handoff.words", False),
        ("handoff: {words: no}", "handoff.words", False),
        ("handoff: {return_after: 90s}", "handoff.return_after", 90 * SECOND),
        ("handoff: {return_after: null}", "handoff.return_after", None),
        ("handoff: {late_after: 5m}", "handoff.late_after", 5 * MINUTE),
        ('handoff: {notify: {channel: team, to: "+49 170 1234"}}', "handoff.notify.to", "+49 170 1234"),
        ("handoff: {notify: {channel: team, to: +491701234}}", "handoff.notify.to", "+491701234"),
        ("handoff: {notify: {channel: chat, to: 00491701234}}", "handoff.notify.to", "00491701234"),
        ("tools: [handoff, order_state]", "tools", ("handoff", "order_state")),
        ("opening_hours: {mon: 9:00-17:00}", "opening_hours.mon", WORKDAY),
        ("opening_hours: {mon: 09:00 - 17:00}", "opening_hours.mon", WORKDAY),
        ("opening_hours: {mon: 9:00–17:00}", "opening_hours.mon", WORKDAY),
        ("opening_hours: {mon: '9:00-12:30, 14:00-18:00'}", "opening_hours.mon", LUNCH),
        ("opening_hours: {mon: '14:00-18:00,9:00-12:30'}", "opening_hours.mon", LUNCH),
        ("opening_hours: {mon: '9:00-12:30,12:30-13:00'}", "opening_hours.mon", ((540, 750), (750, 780))),
        ("opening_hours: {mon: 0:00-24:00}", "opening_hours.mon", ((0, 1_440),)),
        ("opening_hours: {mon: 9:00-17:00, tue: closed}", "opening_hours.tue", ()),
        ("opening_hours: {mon: 9:00-17:00, tue: Closed}", "opening_hours.tue", ()),
        ("opening_hours: {mon: 9:00-17:00, tue: ''}", "opening_hours.tue", ()),
        ("opening_hours: {mon: 9:00-17:00, tue: }", "opening_hours.tue", ()),
        ("opening_hours: {mon: 9:00-17:00}", "opening_hours.timezone", "UTC"),
        ("opening_hours: {mon: 9:00-17:00, timezone: Asia/Kathmandu}", "opening_hours.timezone", "Asia/Kathmandu"),
        ("opening_hours: {mon: 9:00-17:00, answer: true}", "opening_hours.answer", True),
        ("follow_up: {after: 2h}", "follow_up.after", 2 * HOUR),
        ("follow_up: {after: 2h, text: 'Still there?'}", "follow_up.text", "Still there?"),
        ("session_timeout: 30d", "session_timeout", 30 * DAY),
        ("session_timeout: null", "session_timeout", None),
        ("alert_after: 90s", "alert_after", 90 * SECOND),
    ],
)
def test_what_the_file_says_is_what_the_policy_holds(read: Read, written: str, of: str, value: Any) -> None:
    found: Any = good(read(f"{CHANNELS}conversation:\n  {written}\n")).conversation
    for step in of.split("."):
        found = getattr(found, step)
    assert found == value


def test_left_out_nothing_is_limited_closed_asked_or_handed_to_a_tool() -> None:
    policy = ConversationSettings()
    assert policy.limits.model_dump(exclude_none=True) == {"person": {}, "channel": {}}
    assert (policy.opening_hours, policy.follow_up, policy.session_timeout, policy.tools) == (None, None, None, ())
    assert (policy.on_new_message, policy.too_old, policy.language) == ("queue", "store", "en")
    assert (policy.handoff.words, policy.handoff.notify, policy.handoff.return_after) == (True, None, 12 * HOUR)
    assert not policy.history.summarise


# ── what is not ───────────────────────────────────────────────────────────────────────────────────────────────────────────

HOURS = "opening hours are written 9:00-18:00, or 9:00-12:30, 14:00-18:00, or closed"
LATER = "opening hours end later on the same day; write the hours after midnight with the next day"
DURATION = "a duration is a number with a unit: 250ms, 1s, 5m, 12h or 30d"
SPOKEN = f"there is {', '.join(sorted(LANGUAGES))}; another language needs its texts under `texts`"
NEVER = "these hours never open; name at least one day, e.g. mon: 9:00-18:00, or leave out `opening_hours`"

BAD = [
    ("history: {summarise: 7}", "history.summarise must be true or false, but is a number"),
    ("on_new_message: wait", "on_new_message must be queue or restart"),
    ("on_new_message: re-start", "on_new_message must be queue or restart; did you mean restart?"),
    ("too_old: apologize", "too_old must be store, apologise or answer; did you mean apologise?"),
    ("language: e", "language must have at least 2 characters"),
    ("language: Português", "language must have at most 8 characters"),
    ("language: xx", f"language: SARA has no texts in xx; {SPOKEN}"),
    ("language: no", f"language: SARA has no texts in no; {SPOKEN}"),
    ("language: German", f"language: SARA has no texts in German; {SPOKEN}"),
    ("limits: {person: {minute: 0}}", "limits.person.minute must be at least 1"),
    ("limits: {person: {day: 1.5}}", "limits.person.day must be a whole number, but is a number"),
    ("limits: {person: 5}", "limits.person must be a block of keys and values, but is a number"),
    ("limits: {channel: {day: many}}", "limits.channel.day must be a whole number, but is text"),
    ("limits: {person: {hour: 5}}", "limits.person.hour is not an option; known here: day, minute"),
    ("handoff: {words: maybe}", "handoff.words must be true or false, but is text"),
    ("handoff: {return_after: 5}", f"handoff.return_after: {DURATION}"),
    ("handoff: {return_after: 10ms}", "handoff.return_after must be at least 1s"),
    ("handoff: {late_after: 0s}", "handoff.late_after must be at least 1s"),
    ("handoff: {notify: rita}", "handoff.notify must be a block of keys and values, but is text"),
    (
        "handoff: {notify: {channel: chat}}",
        "handoff.notify.to is missing; Phone number with country code, in quotes, or id on that channel.",
    ),
    ("handoff: {notify: {channel: chat, to: ''}}", "handoff.notify.to must have at least 1 character"),
    ("handoff: {notify: {channel: tema, to: x}}", "handoff.notify.channel: tema is not one of the channels; did you mean team?"),
    (
        "handoff: {notify: {channel: nowhere, to: x}}",
        "handoff.notify.channel: nowhere is not one of the channels; there is chat, team",
    ),
    ("tools: handoff", "tools must be a list, but is text"),
    ("opening_hours: {mon: 9}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: true}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: [9:00-17:00]}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: {from: 9:00}}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: 9-17}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: 25:00-26:00}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: '9:00-17:00,'}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: 9:00-17:60}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: 9am-5pm}", f"opening_hours.mon: {HOURS}"),
    ("opening_hours: {mon: 20:00-2:00}", f"opening_hours.mon: {LATER}"),
    ("opening_hours: {mon: 9:00-9:00}", f"opening_hours.mon: {LATER}"),
    ("opening_hours: {mon: 9:00-24:01}", f"opening_hours.mon: {LATER}"),
    ("opening_hours: {mon: '9:00-12:00, 11:00-13:00'}", "opening_hours.mon: these opening hours overlap"),
    ("opening_hours: {mon: closed}", f"opening_hours: {NEVER}"),
    ("opening_hours: {timezone: Europe/Berlin}", f"opening_hours: {NEVER}"),
    (
        "opening_hours: {mon: 9:00-17:00, timezone: Berlin}",
        "opening_hours.timezone: this is no time zone; write one such as Europe/Berlin, America/Sao_Paulo or UTC",
    ),
    (
        "opening_hours: {mon: 9:00-17:00, timezone: ../../etc/passwd}",
        "opening_hours.timezone: this is no time zone; write one such as Europe/Berlin, America/Sao_Paulo or UTC",
    ),
    ("opening_hours: {mon: 9:00-17:00, answer: sometimes}", "opening_hours.answer must be true or false, but is text"),
    ("opening_hours: {mon: 9:00-17:00, tuesday: closed}", "opening_hours.tuesday is not an option; did you mean tue?"),
    ("follow_up: {}", "follow_up.after is missing; Time after the last answer."),
    ("follow_up: 2h", "follow_up must be a block of keys and values, but is text"),
    ("follow_up: {after: 10s}", "follow_up.after must be at least 1m"),
    ("follow_up: {after: 2h, text: ''}", "follow_up.text must have at least 1 character"),
    ("session_timeout: 10s", "session_timeout must be at least 1m"),
    ("session_timeout: never", f"session_timeout: {DURATION}"),
    ("alert_after: 0s", "alert_after must be at least 1s"),
    ("on_new_mesage: restart", "on_new_mesage is not an option; did you mean on_new_message?"),
]


@each_row(("written", "message"), BAD)
def test_what_is_wrong_is_told_with_its_place_and_what_to_do(read: Read, written: str, message: str) -> None:
    [line] = told(read(f"{CHANNELS}conversation:\n  {written}\n"))
    place, _, said = line.partition(": ")
    assert place.startswith("sara.yaml:6:")
    assert said == f"conversation.{message}"


@each_row(("written", "message"), BAD)
def test_the_same_in_a_channels_own_policy_is_told_there(read: Read, written: str, message: str) -> None:
    text = CHANNELS.replace("  team: {plugin: chat}\n", f"  team:\n    plugin: chat\n    conversation:\n      {written}\n")
    [line] = told(read(text))
    place, _, said = line.partition(": ")
    assert place.startswith("sara.yaml:6:")
    assert said == f"channels.team.conversation.{message}"


def test_hours_that_are_written_with_another_words_for_the_days_are_told_twice(read: Read) -> None:
    assert [
        line.partition(": ")[2] for line in told(read(f"{CHANNELS}conversation: {{opening_hours: {{monday: 9:00-17:00}}}}\n"))
    ] == [f"conversation.opening_hours: {NEVER}", "conversation.opening_hours.monday is not an option; did you mean mon?"]


# ── a channel's own policy ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_channel_overrides_key_by_key_however_deep(read: Read) -> None:
    text = (
        "channels:\n  chat: {plugin: chat, conversation: {language: pt, limits: {person: {minute: 3}}, opening_hours: {mon: closed},"
        " handoff: {notify: null}, follow_up: {text: 'Oi?'}, session_timeout: null}}\n  team: {plugin: chat}\n"
        "responders: {ai: {plugin: ai}}\n"
        "conversation: {language: de, limits: {person: {minute: 9, day: 90}}, opening_hours: {mon: 9:00-17:00, tue: 9:00-17:00},"
        " handoff: {return_after: 1h, notify: {channel: team, to: rita}}, follow_up: {after: 2h}, session_timeout: 1d}\n"
    )
    config = good(read(text))
    chat, team = (config.channels[name].conversation for name in ("chat", "team"))
    assert chat is not None
    assert chat.opening_hours is not None
    assert chat.follow_up is not None
    assert (chat.language, chat.limits.person.minute, chat.limits.person.day) == ("pt", 3, 90)
    assert (chat.opening_hours.mon, chat.opening_hours.tue) == ((), WORKDAY)
    assert (chat.handoff.notify, chat.handoff.return_after) == (None, HOUR)
    assert (chat.follow_up.after, chat.follow_up.text, chat.session_timeout) == (2 * HOUR, "Oi?", None)
    assert team == config.conversation
    assert team.language == "de"


# ── words, texts and the budget ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_language_of_ones_own_may_be_spoken_once_it_has_all_its_words(read: Read) -> None:
    words = json.dumps(dict(LANGUAGES["en"].texts))
    for name in ("nl", "NL"):
        config = good(read(f"{CHANNELS}conversation: {{language: nl}}\ntexts: {{{name}: {words}}}\n"))
        assert config.conversation.language == "nl"


@each_row(("written", "said"),
    [
        ("budget: {day: {money: 5}}", "5:1: budget: a limit of money needs `prices`, e.g. prices: {gpt-5-mini: {input: 0.25, output: 2}}"),
        ("budget: {day: {calls: 0}}", "5:23: budget.day.calls must be at least 1"),
        ("budget: {month: {tokens: x}}", "5:26: budget.month.tokens must be a whole number, but is text"),
        ("budget: {month: {money: 0}, prices: {m: {input: 1, output: 1}}}", "5:25: budget.month.money must be more than 0.0"),
        ("budget: {prices: {gpt: {input: -1, output: 2}}}", "5:32: budget.prices.gpt.input must be at least 0.0"),
        ("budget: {prices: {gpt: {input: 1}}}", "5:19: budget.prices.gpt.output is missing; Price of output tokens."),
        ("budget: {prices: [a]}", "5:10: budget.prices must be a block of keys and values, but is a list"),
        ("budget: {week: {calls: 5}}", "5:10: budget.week is not an option; known here: day, month, prices"),
        ("words: {opt_out: halt}", "5:18: words.opt_out must be a list, but is text"),
        ("words: {opt_uot: [halt]}", "5:9: words.opt_uot is not an option; did you mean opt_out?"),
        ("texts: {en: {opted_uot: x}}", "5:25: texts.en.opted_uot is none of SARA's texts; did you mean opted_out?"),
        ("texts: {en: {limit: ''}}", "5:21: texts.en.limit is empty; write a text, or leave the line out to keep SARA's own"),
        ("texts: {en: {away: closed}}", "5:20: texts.en.away lacks {opens}; put it where its value is to stand"),
        ("texts: {en: {limit: 'x {name}'}}", "5:21: texts.en.limit has {name}, which is never filled in; take it out"),
        ("texts: {english: {limit: x}}", "5:9: texts.english is no language code; did you mean en?"),
        ("texts: {en: [a]}", "5:9: texts.en must be a block of keys and values, but is a list"),
        ("texts: {en: {limit: [x]}}", "5:14: texts.en.limit must be text, but is a list"),
    ])  # fmt: skip
def test_what_is_wrong_with_words_texts_and_the_budget_is_told_with_its_place(read: Read, written: str, said: str) -> None:
    assert told(read(f"{CHANNELS}{written}\n")) == [f"sara.yaml:{said}"]


def test_a_language_that_lacks_words_is_told_which(read: Read) -> None:
    [line] = told(read(f"{CHANNELS}texts: {{nl: {{limit: x}}}}\n"))
    assert line.startswith("sara.yaml:5:9: texts.nl.opted_out, nl.opted_in, ")
    assert line.endswith(": missing; a language that SARA does not know needs every text")


@each_row(
    "written",
    [
        "budget: {day: {calls: 500, tokens: 1000000, money: 2.5}, month: {money: 50}, prices: {gpt-5-mini: {input: 0.25, output: 2}}}",
        "budget: {prices: {llama: {input: 0, output: 0}}}",
        "budget: {day: {calls: 1}}",
        "budget: {day: {calls: null}}",
        "words: {opt_out: [halt, 1], opt_in: [weiter], handoff: [Chef]}",
        "texts: {en: {limit: Slow down}, pt-BR: {limit: Calma}}",
    ],
)
def test_good_words_texts_and_budgets_are_taken(read: Read, written: str) -> None:
    good(read(f"{CHANNELS}{written}\n"))


def test_an_operators_number_that_cannot_be_right_is_a_warning_wherever_it_stands(read: Read) -> None:
    rows = {
        "0170 1234567": "conversation.handoff.notify.to: 0170 1234567 begins with 0 and so lacks the country code",
        "(011) 91234-5678": "lacks the country code",
        "+49": "has 2 digits",
        "+49 170 Rita": "is no telephone number",
        "+55 (11) 91234-5678": None,
        "00 55 11 91234 5678": None,
        "5511912345678": None,
        "rita": None,
        "US.13491208655302741918": None,
    }
    for written, said in rows.items():
        common = read(f"{CHANNELS}conversation:\n  handoff: {{notify: {{channel: chat, to: '{written}'}}}}\n")
        assert [finding.severity for finding in common.findings] == (["warning"] if said else []), written
        assert common.config is not None, "it starts all the same"
        assert said is None or said in common.findings[0].message, written
    of_a_channel = "channels: {team: {plugin: x, conversation: {handoff: {notify: {channel: team, to: '0170 12345'}}}}}"
    messages = [each.message for each in read(of_a_channel).findings if each.severity == "warning"]
    assert [each.partition(" begins")[0] for each in messages] == ["channels.team.conversation.handoff.notify.to: 0170 12345"]
