"""`sara check`: what stands in nobody's way is a warning, and counts only where it is asked to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sara.cli.config import check

WHATSAPP = {
    "plugin": "whatsapp",
    "phone_number_id": "109000000000555",
    "app_secret": "!env SARA_TEST_NONE an invented app secret",
    "access_token": "!env SARA_TEST_NONE EAAinvented",
    "verify_token": "!env SARA_TEST_NONE an invented verify token",
}


def written(folder: Path, **more: Any) -> Path:
    file = folder / "sara.yaml"
    content: dict[str, Any] = {
        "channels": {"shop": WHATSAPP},
        "responders": {"ai": {"plugin": "openai", "api_key": "!env SARA_TEST_NONE sk-invented"}},
    }
    file.write_text(re.sub(r'"(![^"]+)"', r"\1", json.dumps({**content, **more})), encoding="utf-8")
    return file


def checked(capsys: pytest.CaptureFixture[str], file: Path, *, strict: bool = False) -> tuple[int, list[tuple[str, str]]]:
    """The exit code, and severity and message of each finding."""
    code = check(file, strict=strict, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] == (code == 0)
    return code, [(each["severity"], each["message"]) for each in document["findings"]]


def test_a_right_file_is_right_also_strictly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    for strict in (False, True):
        assert check(file, strict=strict, as_json=False) == 0
        assert capsys.readouterr().out == f"{file}: all is well\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"admin": {"listen": "0.0.0.0:8081"}}, "admin.listen: The admin listener listens on every address"),
        ({"server": {"public_url": "http://bot.lindenbaum-bakery.de"}}, "is not an https address"),
    ],
)
def test_what_works_and_is_not_as_it_should_be_is_an_error_only_strictly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], words: str
) -> None:
    file = written(tmp_path, **more)
    code, [(severity, message)] = checked(capsys, file)
    assert (code, severity) == (0, "warning")
    assert words in message
    assert checked(capsys, file, strict=True)[0] == 1
    assert check(file, strict=True, as_json=False) == 1
    printed = capsys.readouterr().out
    assert "warning: " in printed
    assert printed.endswith(": 1 warning\n")


def test_secrets_that_others_can_read_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text("", encoding="utf-8")
    secrets.chmod(0o644)
    assert checked(capsys, file) == (0, [("warning", "other users of this machine may read the secrets")])
    secrets.chmod(0o600)
    assert checked(capsys, file) == (0, [])


def test_an_unknown_key_is_an_error_here_though_the_daemon_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(capsys, written(tmp_path, serve={}))[0] == 1


def test_two_channels_of_one_account_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, channels={"shop": WHATSAPP, "again": {**WHATSAPP, "webhook": "/again"}})
    code, [(severity, message)] = checked(capsys, file)
    assert (code, severity) == (1, "error")
    assert message == "the channels shop and again serve the same account, whatsapp:109000000000555"


def test_a_mistyped_plugin_is_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, [(_, message)] = checked(capsys, written(tmp_path, channels={"shop": {**WHATSAPP, "plugin": "whatsap"}}))
    assert code == 1
    assert "there is no plugin whatsap; did you mean whatsapp? Those found are: " in message
