"""The sara.yaml that comes with SARA."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest

from sara.config.loader import Loaded, load
from sara.config.nodes import MapNode
from sara.config.yaml_parser import parse
from sara.domain.options import Duration, Options, Secret

HOME = Path(__file__).parents[3]
FILES = ("sara.yaml", "instructions.md", "secrets.yaml.example")


class WhatsApp(Options):
    """What the manual says a WhatsApp channel has."""

    webhook: str
    phone_number_id: str
    business_account_id: str
    app_id: str
    app_secret: Secret | tuple[Secret, ...]
    access_token: Secret
    verify_token: Secret
    graph_url: str
    api_version: str
    throughput: int
    typing: bool
    read_receipts: bool
    on_doubt: Literal["resend", "hold"]
    doubt_timeout: Duration


class OpenAI(Options):
    """What the manual says an OpenAI responder has."""

    model: str
    api_key: Secret | None
    base_url: str | None
    instructions: str
    timeout: Duration


class Sqlite(Options):
    path: str | None = None


MODELS: dict[str, type[Options]] = {"whatsapp": WhatsApp, "openai": OpenAI, "sqlite": Sqlite}


def options_of(kind: str, plugin: str) -> type[Options]:
    return MODELS[plugin]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, as a new user has it."""
    for name in FILES:
        shutil.copy(HOME / name, tmp_path / name)
    return tmp_path


def read(folder: Path, **environ: str) -> Loaded:
    return load(folder / "sara.yaml", options_of, environ=environ)


def names_of_secrets() -> set[str]:
    return set(re.findall(r"^[^#\n]*!secret (\w+)", (HOME / "sara.yaml").read_text(), re.MULTILINE))


def test_nothing_but_the_secrets_is_missing(folder: Path) -> None:
    loaded = read(folder)
    assert {finding.kind for finding in loaded.findings} == {"secret"}
    assert len(loaded.findings) == len(names_of_secrets()) == 4


def test_it_loads_once_the_secrets_are_there(folder: Path) -> None:
    loaded = read(folder, **{name.upper(): "x" for name in names_of_secrets()})
    assert loaded.findings == ()
    assert loaded.config is not None
    assert loaded.config.state == folder / "state"
    assert loaded.config.retry.send.max_duration == 86_400_000


def test_the_example_of_secrets_names_exactly_those_that_are_used(folder: Path) -> None:
    root = parse((HOME / "secrets.yaml.example").read_text(), HOME / "secrets.yaml.example").root
    assert isinstance(root, MapNode)
    assert set(root.entries) == names_of_secrets()


def test_secrets_that_were_copied_and_not_filled_in_are_missing(folder: Path) -> None:
    shutil.copy(folder / "secrets.yaml.example", folder / "secrets.yaml")
    assert {finding.kind for finding in read(folder).findings} == {"secret"}


def test_the_assistant_is_told_to_offer_a_person(folder: Path) -> None:
    config = read(folder, **{name.upper(): "x" for name in names_of_secrets()}).config
    assert config is not None
    options: Any = config.responders["assistant"].options
    assert "offer to let a\n  colleague take over" in options.instructions
