"""One line a record, to standard error, and nothing that a customer wrote."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog

from sara import logs

pytestmark = pytest.mark.usefixtures("own_logging")


def records(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = captured.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_record_is_one_line_of_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(colours=False)
    structlog.get_logger("sara.test").info("sent", part="out-1", note="two\nlines", attempts=2)
    [record] = records(capsys)
    assert record.pop("timestamp").endswith("Z")
    assert record == {"event": "sent", "level": "info", "part": "out-1", "note": "two\nlines", "attempts": 2}


def test_without_a_terminal_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()
    structlog.get_logger().info("sent")
    assert [record["event"] for record in records(capsys)] == ["sent"]


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_said(level: str, heard: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level, colours=False)
    log = structlog.get_logger()
    for each in ("debug", "info", "warning", "error"):
        log.log(logs.LEVELS[each], each)
    assert [record["event"] for record in records(capsys)] == heard


@pytest.mark.parametrize("colours", [True, False])
def test_a_traceback_names_frames_and_type_but_not_what_the_error_says(colours: bool, capsys: pytest.CaptureFixture[str]) -> None:
    number, name = str(15550001111), "".join(("A", "na"))
    logs.set_up(colours=colours)
    try:
        try:
            raise LookupError(number)
        except LookupError as error:
            raise ValueError(name) from error
    except ValueError:
        structlog.get_logger().exception("job_failed")
    err = capsys.readouterr().err
    assert "test_a_traceback_names_frames" in err
    assert "ValueError" in err
    assert number not in err
    assert name not in err


def test_an_error_may_be_handed_over_instead_of_being_handled(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(colours=False)
    structlog.get_logger().error("late", exc_info=ValueError("secret"))
    [record] = records(capsys)
    assert record["exception"] == "builtins.ValueError"


def test_half_characters_do_not_stop_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(colours=False)
    structlog.get_logger().info("odd", name="half \ud83d")
    [record] = records(capsys)
    assert record["name"] == "half \ud83d"


def test_libraries_speak_up_only_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", colours=False)
    logging.getLogger("aiohttp").info("chatter")
    logging.getLogger("aiohttp").warning("trouble")
    err = capsys.readouterr().err
    assert "chatter" not in err
    assert "trouble" in err
