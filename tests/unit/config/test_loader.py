"""sara.yaml → Config, or every reason why not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator, model_validator

from sara.config.loader import Loaded, load
from sara.config.settings import Listen
from sara.domain.errors import PluginError
from sara.domain.options import Duration, Options, Secret
from sara.policy.settings import RetryPolicy
from tests.rows import each_row


class Inner(Options):
    size: int = 1
    pin: Secret | None = None


class Chat(Options):
    """A channel with one of everything."""

    number: str
    token: Secret
    secrets: Secret | Annotated[tuple[Secret, ...], Field(min_length=1)] = ()
    version: str = "v1"
    level: str = Field(default="l1", pattern=r"^l[0-9]$", description="The level that the provider has granted.")
    mode: Literal["resend", "hold"] = "resend"
    wait: Duration = Field(default=1_000, ge=500)
    speed: int = Field(default=80, ge=1)
    ratio: float = 0.5
    loud: bool = False
    headers: dict[str, str] = Field(default={})
    extra: dict[str, Any] = Field(default={})
    tags: tuple[str, ...] = ()
    inner: Inner = Inner()
    folder: Path | None = None


class Ai(Options):
    model: str = "gpt"
    api_key: Secret | None = None
    instructions: str = ""


class Db(Options):
    path: str | None = None


class Talkative(Options):
    """A plugin whose validators repeat what they were given."""

    token: Secret
    note: str = ""

    @field_validator("token")
    @classmethod
    def _look(cls, value: Secret) -> Secret:
        raise ValueError(f"I do not like {value.reveal()}")

    @field_validator("note")
    @classmethod
    def _crash(cls, value: str) -> str:
        if value:
            raise KeyError(value)
        return value


class Whole(Options):
    left: Secret | None = None
    right: Secret | None = None

    @model_validator(mode="after")
    def _one(self) -> Whole:
        if self.left and self.right:
            raise ValueError(f"{self.left.reveal()} or {self.right.reveal()}, not both")
        return self


MODELS: Mapping[tuple[str, str], type[Options]] = {
    ("channel", "chat"): Chat, ("channel", "talkative"): Talkative, ("channel", "whole"): Whole,
    ("responder", "ai"): Ai, ("store", "sqlite"): Db, ("queue", "sqlite"): Db,
}  # fmt: skip


def options_of(kind: str, plugin: str) -> type[Options]:
    try:
        return MODELS[kind, plugin]
    except KeyError:
        raise PluginError(f"there is no plugin {plugin} for a {kind}; pip install sara-{plugin}") from None


Read = Callable[..., Loaded]

CHAT = "channels:\n  chat: {plugin: chat, number: a, token: t}\n"
AI = "responders:\n  ai: {plugin: ai}\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a text as sara.yaml."""

    def read(text: str | bytes, environ: Mapping[str, str] | None = None) -> Loaded:
        file = tmp_path / "sara.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(file, options_of, environ=environ or {})

    return read


def lines(loaded: Loaded, tmp_path: Path) -> list[str]:
    return [finding.render().splitlines()[0].replace(f"{tmp_path}/", "") for finding in loaded.findings]


def everything(loaded: Loaded) -> str:
    return repr(loaded) + "".join(finding.render() + repr(finding) + str(finding.as_json()) for finding in loaded.findings)


def chat(**keys: str) -> str:
    """A file with one channel, keys in YAML."""
    keys = {"number": "a", "token": "t"} | keys
    return AI + "channels:\n  chat:\n    plugin: chat\n" + "".join(f"    {key}: {value}\n" for key, value in keys.items())


def channel(loaded: Loaded) -> Chat:
    assert loaded.findings == ()
    assert loaded.config is not None
    options = loaded.config.channels["chat"].options
    assert isinstance(options, Chat)
    return options


# ── what a good file becomes ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_least_file_is_a_channel_and_a_responder(read: Read, tmp_path: Path) -> None:
    loaded = read(CHAT + AI)
    config = loaded.config
    assert loaded.findings == loaded.errors == ()
    assert config is not None
    assert config.state == tmp_path / "state"
    assert (config.store.name, config.store.plugin, config.queue.plugin) == ("store", "sqlite", "sqlite")
    assert config.server.listen == Listen("127.0.0.1", 8080)
    assert config.admin.listen == Listen("127.0.0.1", 8081)
    assert list(config.channels) == ["chat"]
    assert list(config.responders) == ["ai"]
    assert config.retry.send.max_duration == 86_400_000


def test_everything_in_the_file_arrives(read: Read) -> None:
    loaded = read(
        CHAT
        + AI
        + """
plugins: [metrics]
server: {listen: "[::1]:0", public_url: https://bot.example.org/}
admin: {listen: 0.0.0.0:9000}
store: {plugin: sqlite, path: x.db}
conversation: {responder: ai, debounce: 2s, debounce_max: 1m, max_age: 1d, history: {messages: 3}}
retry: {reply: {attempts: 2, factor: 1.5}, send: {max_delay: 10m}}
"""
    )
    config = loaded.config
    assert loaded.findings == ()
    assert config is not None
    assert config.plugins == ("metrics",)
    assert config.server.listen == Listen("::1", 0)
    assert config.server.public_url == "https://bot.example.org"
    assert config.store.options == Db(path="x.db")
    policy = config.conversation
    assert (policy.debounce, policy.debounce_max, policy.max_age) == (2_000, 60_000, 86_400_000)
    assert (policy.history.messages, policy.history.tokens) == (3, 8_000)
    assert config.retry.reply == RetryPolicy(attempts=2, factor=1.5)
    assert config.retry.send == RetryPolicy(max_delay=600_000, max_duration=86_400_000)


def test_loading_the_same_file_twice_gives_equal_configurations(read: Read) -> None:
    assert read(CHAT + AI).config == read(CHAT + AI).config


def test_a_block_of_which_every_line_is_commented_out_is_as_good_as_none(read: Read) -> None:
    assert read(CHAT + AI + "server:\nstore:\nconversation:\nretry:\n  # reply\nplugins:\n").findings == ()


def test_the_channels_cannot_be_changed_afterwards(read: Read) -> None:
    config = read(CHAT + AI).config
    assert config is not None
    with pytest.raises(TypeError):
        config.channels["x"] = config.store  # type: ignore[index]


@pytest.mark.parametrize(
    ("written", "environ", "state"),
    [
        ("", {}, "{here}/state"), ("", {"STATE_DIRECTORY": "/var/lib/sara:/other"}, "/var/lib/sara"),
        ("state: data/x\n", {"STATE_DIRECTORY": "/var/lib/sara"}, "{here}/data/x"), ("state: /srv/sara\n", {}, "/srv/sara"),
        ("state: ~/sara\n", {"HOME": "/home/me"}, "/home/me/sara"), ("state:\n", {"STATE_DIRECTORY": "/s"}, "/s"),
    ],
)  # fmt: skip
def test_the_state_is_where_the_file_says_or_systemd_or_beside_the_file(
    read: Read, tmp_path: Path, written: str, environ: dict[str, str], state: str
) -> None:
    config = read(CHAT + AI + written, environ).config
    assert config is not None
    assert config.state == Path(state.format(here=tmp_path))


def test_an_id_without_quotes_is_the_text_that_was_written(read: Read) -> None:
    keys = {"version": "1.10", "token": "007", "headers": "{X: 1}", "tags": "[1, a]", "folder": "5"}
    options = channel(read(chat(number="109000000000555", **keys)))
    assert (options.number, options.version, options.token.reveal()) == ("109000000000555", "1.10", "007")
    assert (options.headers, options.tags, options.folder) == ({"X": "1"}, ("1", "a"), Path("5"))


def test_numbers_stay_numbers_where_no_text_is_wanted(read: Read) -> None:
    options = channel(read(chat(speed="5", ratio="1", loud="true", extra="{a: 1, b: [0.5, true, null]}")))
    assert (options.speed, options.ratio, options.loud) == (5, 1.0, True)
    assert options.extra == {"a": 1, "b": [0.5, True, None]}


def test_a_secret_may_be_one_or_a_list(read: Read) -> None:
    one, many = channel(read(chat(secrets="x"))).secrets, channel(read(chat(secrets="[x, 5]"))).secrets
    assert isinstance(one, Secret)
    assert isinstance(many, tuple)
    assert [secret.reveal() for secret in (one, *many)] == ["x", "x", "5"]


# ── conversations ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TWO = "responders:\n  one: {plugin: ai}\n  two: {plugin: ai}\n"


def test_the_only_responder_answers_if_none_is_named(read: Read) -> None:
    config = read(CHAT + AI).config
    assert config is not None
    assert config.conversation.responder == "ai"
    assert config.channels["chat"].conversation == config.conversation
    assert config.responders["ai"].conversation is None


def test_with_several_responders_one_must_be_named(read: Read, tmp_path: Path) -> None:
    (line,) = lines(read(CHAT + "  more: {plugin: chat, number: b, token: t}\n" + TWO), tmp_path)
    assert line == (
        "sara.yaml: there are several responders (one, two) and nothing says which one answers; "
        "add conversation: {responder: NAME}"
    )  # fmt: skip


def test_a_channel_overrides_single_keys_of_the_conversation(read: Read) -> None:
    config = read(
        TWO
        + """
conversation: {responder: one, fallback: [two], debounce: 3s, history: {messages: 7, tokens: 70}}
channels:
  plain: {plugin: chat, number: a, token: t}
  other:
    plugin: chat
    number: b
    token: t
    conversation: {responder: two, max_age: 1h, history: {messages: 9}}
"""
    ).config
    assert config is not None
    plain, other = config.channels["plain"].conversation, config.channels["other"].conversation
    assert plain == config.conversation
    assert other is not None
    assert (other.responder, other.debounce, other.max_age) == ("two", 3_000, 3_600_000)
    assert (other.history.messages, other.history.tokens) == (9, 70)
    assert other.fallback == ()  # nobody stands in for himself


def test_channels_that_name_their_responders_need_no_common_one(read: Read) -> None:
    config = read(TWO + "channels: {c: {plugin: chat, number: a, token: t, conversation: {responder: two}}}\n").config
    assert config is not None
    assert config.conversation.responder is None


def test_a_responder_that_does_not_exist_is_told_with_the_nearest_name(read: Read, tmp_path: Path) -> None:
    text = TWO + "conversation:\n  responder: oen\n  fallback: [two, xyzzy]\n" + CHAT
    assert lines(read(text), tmp_path) == [
        "sara.yaml:5:14: conversation.responder: oen is not one of the responders; did you mean one?",
        "sara.yaml:6:19: conversation.fallback: xyzzy is not one of the responders; there is one, two",
    ]


def test_a_fault_in_the_common_conversation_is_told_once_though_channels_override_it(read: Read, tmp_path: Path) -> None:
    text = AI + "conversation: {debounce: 1x, bogus: 1}\n" + CHAT.replace("token: t", "token: t, conversation: {max_age: 1h}")
    subjects = [line.split(": ")[1].split(" ")[0] for line in lines(read(text), tmp_path)]
    assert subjects == ["conversation.debounce", "conversation.bogus"]


def test_a_fault_in_an_override_is_told_at_the_channel(read: Read, tmp_path: Path) -> None:
    text = chat(conversation="{debounce: 20s, histroy: {}}")
    assert lines(read(text), tmp_path) == [
        "sara.yaml:8:5: channels.chat.conversation: debounce_max (15s) must not be shorter than debounce (20s)",
        "sara.yaml:8:35: channels.chat.conversation.histroy is not an option; did you mean history?",
    ]


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    loaded = load(tmp_path / "sara.yaml", options_of, environ={})
    assert loaded.config is None
    assert lines(loaded, tmp_path) == [
        "sara.yaml: the configuration does not exist; create one, or say where it is with --config FILE"
    ]
    assert loaded.errors[0].kind == "file"


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert lines(load(tmp_path, options_of, environ={}), tmp_path)[0].endswith("the configuration is not a file")


def test_a_file_above_the_limit_is_refused(read: Read, tmp_path: Path) -> None:
    assert lines(read("#" * (256 * 1024 + 1)), tmp_path) == ["sara.yaml: the configuration is larger than 256 KiB"]


def test_a_file_that_is_not_utf_8_is_refused_with_the_position(read: Read, tmp_path: Path) -> None:
    assert lines(read(b"a: 1\nb: caf\xe9\n"), tmp_path) == [
        "sara.yaml:2:7: the configuration is not UTF-8 text; save it as UTF-8"
    ]  # fmt: skip


def test_an_empty_file_says_what_to_add(read: Read, tmp_path: Path) -> None:
    assert lines(read(""), tmp_path) == [
        "sara.yaml: there is no responder; at least one is needed; add responders: {assistant: {plugin: openai, …}}",
        "sara.yaml: there is no channel; at least one is needed; add channels: {whatsapp: {plugin: whatsapp, …}}",
    ]


@pytest.mark.parametrize("text", ["- a\n", "hello\n", "5\n"])
def test_a_file_must_be_keys_and_values(read: Read, tmp_path: Path, text: str) -> None:
    assert "the configuration must be keys and values" in lines(read(text), tmp_path)[0]


def test_a_missing_option_is_told_at_its_section_with_its_description(read: Read, tmp_path: Path) -> None:
    text = AI + "channels:\n  chat:\n    plugin: chat\n    token: t\n"
    assert lines(read(text), tmp_path) == ["sara.yaml:4:3: channels.chat.number is missing"]


def test_a_value_that_fits_no_pattern_is_told_with_what_the_option_is(read: Read, tmp_path: Path) -> None:
    [told] = lines(read(chat(level="highest")), tmp_path)
    assert told.endswith("channels.chat.level has the wrong form; The level that the provider has granted.")


def test_a_section_without_a_plugin_is_told(read: Read, tmp_path: Path) -> None:
    assert lines(read(AI + "channels: {chat: {number: a}}\n"), tmp_path) == [
        "sara.yaml:3:12: channels.chat.plugin is missing; say which plugin it is"
    ]


@pytest.mark.parametrize("section", ["channels: []\n", "channels: x\n", "channels: {a: }\n", "channels: {a: [b]}\n"])
def test_a_section_of_the_wrong_shape_is_told(read: Read, tmp_path: Path, section: str) -> None:
    assert "must be a block of" in lines(read(AI + section), tmp_path)[0]


# ── unknown keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_key_is_told_with_the_nearest_name_and_a_caret(read: Read, tmp_path: Path) -> None:
    loaded = read(chat(tokn="EAAG-misspelt-secret"))
    (finding,) = loaded.findings
    assert finding.render().replace(f"{tmp_path}/", "") == (
        "sara.yaml:8:5: channels.chat.tokn is not an option of the chat plugin; did you mean token?\n      tokn: ***\n      ^"
    )


def test_unknown_keys_stop_a_check_but_not_the_daemon(read: Read) -> None:
    loaded = read(chat(inner="{size: 2, colour: red}") + "servr: {}\nserver: {lisen: x}\nstore: {paht: y}\n")
    assert [finding.kind for finding in loaded.findings] == ["unknown_key"] * 4
    assert {finding.severity for finding in loaded.findings} == {"warning"}
    assert loaded.errors == ()
    assert loaded.config is not None
    options = loaded.config.channels["chat"].options
    assert isinstance(options, Chat)
    assert options.inner.size == 2


def test_an_unknown_key_at_the_top_may_be_a_misspelt_section(read: Read, tmp_path: Path) -> None:
    assert "sara.yaml:5:1: chanels is not an option; did you mean channels?" in lines(read(CHAT + AI + "chanels: {}\n"), tmp_path)


def test_where_no_name_comes_near_the_known_ones_are_listed(read: Read, tmp_path: Path) -> None:
    assert lines(read(chat(inner="{colour: red}")), tmp_path) == [
        "sara.yaml:8:13: channels.chat.inner.colour is not an option of the chat plugin; known here: pin, size"
    ]


@pytest.mark.parametrize("inner", ["{size:2}", "{size 2}"])
def test_a_value_without_a_colon_and_a_space_before_it_is_recognised(read: Read, tmp_path: Path, inner: str) -> None:
    assert lines(read(chat(inner=inner)), tmp_path) == ["sara.yaml:8:13: a colon with a space behind it is missing here"]


# ── wrong values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("key", "value", "said"),
    [
        ("version", "true", "must be text, but is true or false; put it in quotes if text is meant"),
        ("version", "[a]", "must be text, but is a list"),
        ("version", "", "must be text, but is empty"),
        ("speed", "fast", "must be a whole number, but is text"),
        ("speed", "1.5", "must be a whole number, but is a number"),
        ("speed", "0", "must be at least 1"),
        ("ratio", "{a: 1}", "must be a number, but is a block of keys and values"),
        ("loud", "maybe", "must be true or false, but is text"),
        ("mode", "resnd", "must be resend or hold; did you mean resend?"),
        ("wait", "60", ": a duration is a number with a unit: 250ms, 1s, 5m, 12h or 30d"),
        ("wait", "100ms", "must be at least 500ms"),
        ("tags", "x", "must be a list, but is text"),
        ("inner", "x", "must be a block of keys and values, but is text"),
        ("secrets", "[]", "needs at least 1 entry"),
        ("secrets", "{a: b}", "must be text or a list, but is a block of keys and values"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(read: Read, tmp_path: Path, key: str, value: str, said: str) -> None:
    (line,) = lines(read(chat(**{key: value})), tmp_path)
    assert line.startswith("sara.yaml:8:")
    assert said in line
    assert "pydantic" not in line


def test_an_entry_of_a_list_is_told_by_its_number(read: Read, tmp_path: Path) -> None:
    assert lines(read(chat(tags="[a, {b: c}]")), tmp_path) == [
        "sara.yaml:8:15: entry 2 of channels.chat.tags must be text, but is a block of keys and values"
    ]


def test_all_errors_are_told_at_once_in_the_order_of_the_file(read: Read, tmp_path: Path) -> None:
    text = "server: {listen: 8080}\nserver: {}\nx: *y\n" + chat(speed="0", token="[a]") + "retry: {send: {attempts: 0}}\n"
    places = [line.split(": ")[0] for line in lines(read(text), tmp_path)]
    assert places == ["sara.yaml:1:18", "sara.yaml:2:1", "sara.yaml:3:1", "sara.yaml:3:4", "sara.yaml:10:5", "sara.yaml:11:12",
                      "sara.yaml:12:26"]  # fmt: skip


def test_a_flood_of_findings_is_cut_and_counted_errors_first(read: Read) -> None:
    loaded = read(CHAT + "".join(f"x{number}: 1\n" for number in range(500)))
    assert len(loaded.findings) == 201
    assert loaded.findings[-1].message == "301 more findings are not listed"
    assert [finding.message for finding in loaded.errors] == ["there is no responder; at least one is needed"]


def test_server_and_admin_cannot_share_a_port(read: Read, tmp_path: Path) -> None:
    text = CHAT + AI + "admin: {listen: 127.0.0.1:8080}\n"
    assert lines(read(text), tmp_path) == [
        "sara.yaml:5:17: server and admin cannot both listen on 127.0.0.1:8080; give one of them another port"
    ]
    assert read(CHAT + AI + "server: {listen: a:0}\nadmin: {listen: a:0}\n").findings == ()


# ── plugins that cannot be had ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_channel_without_its_plugin_is_skipped_and_the_rest_runs(read: Read, tmp_path: Path) -> None:
    loaded = read(CHAT + "  tele: {plugin: telegram, token: hidden}\n" + AI)
    assert lines(loaded, tmp_path) == [
        "sara.yaml:3:18: channels.tele: there is no plugin telegram for a channel; pip install sara-telegram"
    ]
    (finding,) = loaded.findings
    assert (finding.kind, finding.severity, loaded.errors) == ("plugin", "warning", ())
    assert "hidden" not in everything(loaded)
    (skipped,) = loaded.skipped
    assert (skipped.kind, skipped.name, skipped.plugin) == ("channel", "tele", "telegram")
    assert "pip install sara-telegram" in skipped.reason
    assert loaded.config is not None
    assert list(loaded.config.channels) == ["chat"]


def test_a_responder_without_its_plugin_is_skipped_and_may_still_be_named(read: Read) -> None:
    loaded = read(CHAT + "responders: {ai: {plugin: claude}}\nconversation: {responder: ai}\n")
    assert loaded.errors == ()
    assert loaded.config is not None
    assert loaded.config.responders == {}
    assert loaded.config.conversation.responder == "ai"


@pytest.mark.parametrize("kind", ["store", "queue"])
def test_nothing_runs_without_the_plugin_of_the_store_or_the_queue(read: Read, kind: str) -> None:
    loaded = read(CHAT + AI + f"{kind}: {{plugin: postgres}}\n")
    assert loaded.config is None
    assert loaded.skipped == ()
    assert [finding.kind for finding in loaded.errors] == ["plugin"]


def test_other_sections_are_checked_though_a_plugin_is_missing(read: Read) -> None:
    loaded = read(chat(speed="0") + "  tele: {plugin: telegram}\n")
    assert [finding.kind for finding in loaded.findings] == ["value", "plugin"]


def test_a_plugin_whose_validator_crashes_is_named_and_nothing_more(read: Read, tmp_path: Path) -> None:
    loaded = read(AI + "channels: {c: {plugin: talkative, token: a, note: whisper}}\n")
    assert lines(loaded, tmp_path) == [
        "sara.yaml:3:12: channels.c: the talkative plugin could not check its options: it raised KeyError; this is a fault of the plugin"
    ]


# ── secrets never show ────────────────────────────────────────────────────────────────────────────────────────────────────

HUNTER = "hunter2-correct-horse"


@each_row(
    "text",
    [
        chat(token=HUNTER, speed="0"),
        chat(token=f"[{HUNTER}]"),
        chat(token=f"{{a: {HUNTER}}}"),
        chat(tokn=HUNTER),
        chat(token=f'"{HUNTER}\n'),
        chat(token=f"{HUNTER}: x"),
        chat(token=f"@{HUNTER}"),
        chat(token=f"*{HUNTER}"),
        chat(token=f"!{HUNTER}"),
        chat(token=f"!a!{HUNTER}"),
        chat(token=f"&{HUNTER} [a]"),
        chat(token=f"|\n      {HUNTER}\n    {HUNTER}"),
        chat(token=f"a\n    token: {HUNTER}"),
        chat(inner=f"{{pin: {HUNTER}, size: x}}"),
        chat(inner=f"{HUNTER}"),
        chat(inner=f"[{HUNTER}]"),
        chat(speed=f"0 # was {HUNTER}"),
        AI + f"channels: {{chat: {{plugin: chat, number: a, token: {HUNTER}, speed: 0, tokn: {HUNTER}}}}}\n",
        AI + f"channels: {{chat: {{plugin: chta, token: {HUNTER}}}}}\n",
        AI + f"channels: {{chat: {{plugin: talkative, token: {HUNTER}}}}}\n",
        AI + f"channels: {{chat: {{plugin: whole, left: {HUNTER}, right: b}}}}\n",
        AI + f"channels: {{chat: {HUNTER}}}\n",
        AI + f"channels: [{HUNTER}]\n",
        f"token: {HUNTER}\nchannels: {{\n",
        AI + f"channels: {{chat: {{plugin: chat, number: a, token:{HUNTER}}}}}\n",
        AI + f"channels: {{chat: {{plugin: chat, number: a, token {HUNTER}}}}}\n",
        AI + f"channels: {{chat: {{plugin: chat, token:{HUNTER}: a, token:{HUNTER}: a}}}}\n",
    ],
)
def test_a_secret_in_the_file_never_shows(read: Read, text: str) -> None:
    loaded = read(text)
    assert loaded.findings
    assert HUNTER not in everything(loaded)


def test_a_secret_never_shows_in_the_configuration_itself(read: Read) -> None:
    loaded = read(chat(token=HUNTER, inner=f"{{pin: {HUNTER}}}"))
    assert channel(loaded).token.reveal() == HUNTER
    assert HUNTER not in everything(loaded) + str(loaded.config)


def test_a_harmless_value_shows_beside_a_hidden_one_with_the_caret_in_place(read: Read) -> None:
    loaded = read(AI + f"channels: {{chat: {{plugin: chat, number: a, token: {HUNTER}, speed: 0}}}}\n")
    _, line, caret = loaded.findings[0].render().splitlines()
    assert line == "  channels: {chat: {plugin: chat, number: a, token: ***, speed: 0}}"
    assert line[caret.index("^")] == "0"


# ── whatever comes ────────────────────────────────────────────────────────────────────────────────────────────────────────

YAMLISH = st.text(alphabet="ab:-[]{}?!&*#|>'\"%@`,\\ \n\t01.~") | st.binary().map(lambda raw: raw.decode("latin-1"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["chat", "ai", "1s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            "channels", "responders", "store", "plugin", "conversation", "responder", "history", "retry", "send", "server",
            "listen", "number", "token", "secrets", "inner", "tags", "state", "plugins", "fallback", "headers",
        ]) | st.text(max_size=4),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(YAMLISH)
@example("channels: {a: {plugin: chat, conversation: {history: {messages: {}}}}}")
def test_no_text_makes_loading_raise(read: Read, text: str) -> None:
    loaded = read(text)
    assert (loaded.config is None) == bool(loaded.errors)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_no_structure_makes_loading_raise(read: Read, value: Any) -> None:
    loaded = read(json.dumps(value))
    assert (loaded.config is None) == bool(loaded.errors)
    for finding in loaded.findings:
        assert finding.render()


MARKS = st.sampled_from([*":-[]{}&*#|>'\"%@`,\\ \n\t0a~?", "", "\n  ", ": ", "- ", " #", "&a ", "!x "])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 400), gone=st.integers(0, 1), put=MARKS)
def test_no_slip_of_the_pen_makes_a_secret_show(read: Read, at: int, gone: int, put: str) -> None:
    text = chat(token="Qx7Zk9", secrets="[Qx7Zk9, 'Qx7Zk9']", inner="{pin: Qx7Zk9, size: 0}", speed="0", bogus="Qx7Zk9")
    assert "Qx7Zk9" not in everything(read(text[:at] + put + text[at + gone :]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_no_bytes_make_loading_raise(read: Read, raw: bytes) -> None:
    assert read(raw).findings
