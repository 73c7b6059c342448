"""`!secret`, `!env` and `!include`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sara.config.loader import Loaded, load
from sara.domain.options import Options, Secret
from tests.rows import each_row


class Chat(Options):
    token: Secret = Secret("")
    speed: int = 1
    text: str | None = None
    tags: tuple[str, ...] = ()


class Any(Options):
    """Takes nothing."""


def options_of(kind: str, plugin: str) -> type[Options]:
    return Chat if kind == "channel" else Any


Read = Callable[..., Loaded]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a file whose only channel has these keys."""

    def read(keys: str, environ: Mapping[str, str] | None = None) -> Loaded:
        file = tmp_path / "sara.yaml"
        file.write_text(f"responders: {{ai: {{plugin: ai}}}}\nchannels:\n  chat:\n    plugin: chat\n{keys}\n")
        return load(file, options_of, environ=environ or {})

    return read


def chat(loaded: Loaded) -> Chat:
    assert loaded.findings == ()
    assert loaded.config is not None
    options = loaded.config.channels["chat"].options
    assert isinstance(options, Chat)
    return options


def fault(loaded: Loaded, tmp_path: Path) -> str:
    assert loaded.config is None
    (finding,) = loaded.findings
    return finding.render().splitlines()[0].replace(f"{tmp_path}/", "")


# ── !secret ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

TOKEN = "    token: !secret my_token"


def test_a_secret_comes_from_the_file_beside(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text('my_token: "s3cret"\nother: 0012\n')
    assert chat(read(TOKEN)).token.reveal() == "s3cret"
    assert chat(read("    token: !secret other")).token.reveal() == "0012"


def test_a_secret_may_be_given_as_systemd_credentials(read: Read, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "MY_TOKEN": "from environment"}
    (credentials / "my_token").write_text("from a file\n")
    assert chat(read(TOKEN, environ)).token.reveal() == "from a file"
    (credentials / "secrets.yaml").write_text("my_token: from the credentials\n")
    assert chat(read(TOKEN, environ)).token.reveal() == "from the credentials"
    (tmp_path / "secrets.yaml").write_text("my_token: from beside\n")
    assert chat(read(TOKEN, environ)).token.reveal() == "from beside"


def test_a_secret_may_come_from_the_environment(read: Read) -> None:
    assert chat(read(TOKEN, {"MY_TOKEN": "e"})).token.reveal() == "e"
    assert chat(read("    token: !secret my.tok-en", {"MY_TOK_EN": "e"})).token.reveal() == "e"


def test_a_missing_secret_says_its_name_and_where_to_put_it(read: Read, tmp_path: Path) -> None:
    loaded = read(TOKEN)
    assert loaded.errors[0].kind == "secret"
    assert fault(loaded, tmp_path) == (
        'sara.yaml:5:12: the secret my_token is missing; write `my_token: "…"` into secrets.yaml, '
        "or set the environment variable MY_TOKEN, or give it as a systemd credential of that name"
    )


@pytest.mark.parametrize("value", ['""', "", "~"])
def test_an_empty_secret_is_missing_and_the_next_place_is_asked(read: Read, tmp_path: Path, value: str) -> None:
    (tmp_path / "secrets.yaml").write_text(f"my_token: {value}\n")
    assert "the secret my_token is empty" in fault(read(TOKEN), tmp_path)
    assert chat(read(TOKEN, {"MY_TOKEN": "e"})).token.reveal() == "e"


def test_nobody_complains_twice_about_a_missing_secret(read: Read, tmp_path: Path) -> None:
    assert "the secret x is missing" in fault(read("    speed: !secret x"), tmp_path)


@pytest.mark.parametrize("name", ["../passwords", "a/b", "", "a b", "/etc/passwd", "x" * 200])
def test_the_name_of_a_secret_is_no_path(read: Read, tmp_path: Path, name: str) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    assert "!secret needs the name of a secret" in fault(read(f'    token: !secret "{name}"', environ), tmp_path)


@each_row(
    "text",
    ["hunter2", "- hunter2", "my_token: [hunter2]", "my_token: {hunter2: hunter2}", "my_token: !hunter2", "my_token: *hunter2",
     "my_token: !secret hunter2", 'my_token: "hunter2', "my_token: hunter2: x", "my_token: @hunter2",
     "my_token: a\nhunter2\nb: c", "my_token: a\nmy_token: hunter2\n  x: y", "hunter2\x07", "my_token: !hun!ter2 hunter2"],
)  # fmt: skip
def test_a_broken_file_of_secrets_is_told_without_a_word_of_it(read: Read, tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.yaml").write_text(text)
    loaded = read(TOKEN)
    assert loaded.config is None
    assert any(finding.file.name == "secrets.yaml" for finding in loaded.errors)
    assert "hunter2" not in repr(loaded) + "".join(map(str, loaded.findings))


def test_a_file_of_secrets_that_cannot_be_read_makes_no_secret_missing(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").mkdir()
    assert fault(read(TOKEN), tmp_path) == "secrets.yaml: secrets.yaml is not a file"


def test_a_secret_never_shows_where_it_is_of_the_wrong_type(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("x: hunter2\n")
    loaded = read("    speed: !secret x\n    tags: !secret x")
    assert len(loaded.findings) == 2
    assert "hunter2" not in repr(loaded) + "".join(map(str, loaded.findings))


# ── !env ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_comes_from_the_environment_and_means_what_it_would_in_the_file(read: Read) -> None:
    options = chat(read("    speed: !env SPEED\n    text: !env TEXT", {"SPEED": "5", "TEXT": "007"}))
    assert (options.speed, options.text) == (5, "007")
    assert chat(read("    text: !env TEXT", {"TEXT": "12"})).text == "12"
    assert chat(read("    text: !env TEXT", {"TEXT": "null"})).text is None


def test_a_default_stands_in_for_a_variable_that_is_not_set(read: Read) -> None:
    assert chat(read("    text: !env TEXT good morning")).text == "good morning"
    assert chat(read("    text: !env TEXT good morning", {"TEXT": "x"})).text == "x"


def test_a_variable_that_is_not_set_is_told(read: Read, tmp_path: Path) -> None:
    loaded = read("    speed: !env SPEED")
    assert loaded.errors[0].kind == "env"
    assert fault(loaded, tmp_path) == (
        "sara.yaml:5:12: the environment variable SPEED is not set; set it, or write a default behind it: !env SPEED default"
    )


@pytest.mark.parametrize("name", ["", "=", "A=B", "-x"])
def test_a_variable_needs_a_name(read: Read, tmp_path: Path, name: str) -> None:
    assert "!env needs the name of an environment variable" in fault(read(f'    text: !env "{name}"'), tmp_path)


def test_bytes_in_the_environment_that_are_no_text_are_told(read: Read, tmp_path: Path) -> None:
    environ = {"TEXT": os.fsdecode(b"\xff")}
    assert "does not hold plain text" in fault(read("    text: !env TEXT", environ), tmp_path)
    assert "is not plain text" in fault(read("    token: !secret text", environ), tmp_path)


# ── !include ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_file_is_included_as_it_is(read: Read, tmp_path: Path) -> None:
    (tmp_path / "hello.md").write_text("# Hello: {world}\n")
    assert chat(read("    text: !include hello.md")).text == "# Hello: {world}\n"


def test_a_yaml_file_is_included_with_positions_of_its_own(read: Read, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "tags.yaml").write_text("- a\n- {b: 5}\n")
    loaded = read("    tags: !include more/tags.yaml")
    assert fault(loaded, tmp_path) == (
        "more/tags.yaml:2:3: entry 2 of channels.chat.tags must be text, but is a block of keys and values"
    )
    assert loaded.findings[0].source == "- {b: 5}"
    (tmp_path / "more" / "tags.yaml").write_text("- a\n- b\n")
    assert chat(read("    tags: !include more/tags.yaml")).tags == ("a", "b")


def test_an_included_file_includes_from_where_it_is(read: Read, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "tags.yml").write_text("[!include a.txt, !env X y]\n")
    (tmp_path / "more" / "a.txt").write_text("a")
    assert chat(read("    tags: !include more/tags.yml")).tags == ("a", "y")


@pytest.mark.parametrize("name", ["../out.md", "more/../../out.md", "/etc/hostname", "link.md", "linked/out.md", "x/../../a"])
def test_nothing_outside_the_folder_of_the_configuration_is_included(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / "more").mkdir(parents=True)
    (tmp_path / "out.md").write_text("outside")
    (home / "link.md").symlink_to(tmp_path / "out.md")
    (home / "linked").symlink_to(tmp_path)
    (home / "sara.yaml").write_text(
        f"responders: {{ai: {{plugin: ai}}}}\nchannels: {{chat: {{plugin: chat, text: !include {name}}}}}\n"
    )
    loaded = load(home / "sara.yaml", options_of, environ={})
    (finding,) = loaded.findings
    assert finding.kind == "include"
    assert "is outside the folder of the configuration" in finding.message


def test_links_within_the_folder_are_followed(read: Read, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.md").write_text("a")
    (tmp_path / "a.md").symlink_to("data/a.md")
    assert chat(read("    text: !include a.md")).text == "a"


def test_files_that_include_one_another_are_refused(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[!include b.yaml]\n")
    (tmp_path / "b.yaml").write_text("[!include a.yaml]\n")
    loaded = read("    tags: !include a.yaml")
    (finding,) = [finding for finding in loaded.errors if finding.kind == "include"]
    assert finding.render().startswith(f"{tmp_path}/b.yaml:1:2: a.yaml includes itself\n")
    assert fault(read("    tags: !include sara.yaml"), tmp_path) == "sara.yaml:5:11: sara.yaml includes itself"


def test_an_include_bomb_is_refused(read: Read, tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.yaml").write_text("[" + ", ".join([f"!include {number + 1}.yaml"] * 10) + "]\n")
    (tmp_path / "10.yaml").write_text("x\n")
    loaded = read("    tags: !include 0.yaml")
    assert any("more than 100 files are included" in finding.message for finding in loaded.errors)


def test_includes_cannot_nest_deeper_than_the_file_may(read: Read, tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.yaml").write_text("[" * 20 + f"!include {number + 1}.yaml" + "]" * 20)
    assert any("nested more than 50 levels" in finding.message for finding in read("    tags: !include 0.yaml").errors)


def test_secrets_are_not_included(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("x: hunter2\n")
    (tmp_path / "link.yaml").symlink_to("secrets.yaml")
    assert "secrets.yaml cannot be included; use !secret NAME" in fault(read("    tags: !include secrets.yaml"), tmp_path)
    assert "secrets.yaml cannot be included; use !secret NAME" in fault(read("    tags: !include link.yaml"), tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.md", "gone.md does not exist"), ("folder", "folder is not a file"), ("pipe.md", "pipe.md is not a file"),
        ("latin.md", "latin.md is not UTF-8 text; save it as UTF-8 (line 1, column 4)"),
        ("large.md", "large.md is larger than 256 KiB"), ("zero.md", "zero.md is not a text file"),
        ("''", "!include needs the name of a file"), ('"a\\u0001b.md"', "does not exist"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_cannot_be_included_says_why(read: Read, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "large.md").write_bytes(b"x" * (256 * 1024 + 1))
    (tmp_path / "zero.md").write_bytes(b"\0")
    assert said in fault(read(f"    text: !include {name}"), tmp_path)


def test_broken_yaml_in_an_included_file_is_told_there(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: b: c\n")
    assert fault(read("    tags: !include a.yaml"), tmp_path).startswith("a.yaml:1:5: a colon is not allowed here")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tag=st.sampled_from(["secret", "env", "include"]), text=st.text(max_size=30))
def test_no_argument_of_a_tag_makes_loading_raise(read: Read, tag: str, text: str) -> None:
    quoted = "".join(f"\\U{ord(letter):08x}" for letter in text)
    loaded = read(f'    text: !{tag} "{quoted}"')
    assert (loaded.config is None) == bool(loaded.errors)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text(min_size=1, max_size=20))
def test_whatever_is_in_the_file_of_secrets_nothing_of_it_shows(read: Read, tmp_path: Path, secret: str) -> None:
    marked = f"Qx7{secret}"
    try:
        (tmp_path / "secrets.yaml").write_text(f"my_token: {marked}\n{marked}\nb: [{marked}")
    except UnicodeEncodeError:
        return
    loaded = read(TOKEN + "\n    tags: !secret my_token")
    assert "Qx7" not in repr(loaded) + "".join(map(str, loaded.findings))
