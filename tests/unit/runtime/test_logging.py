"""One line a record, to standard error, and nothing that a customer wrote."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine, InvalidHeader

from sara.domain.redaction import Redactor
from sara.runtime import logging as logs

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


SECRET = "123456:AAE-x/y z"
FORMS = (SECRET, "123456%3AAAE-x%2Fy%20z", "123456:AAE-x/y%20z", "123456%3AAAE-x%2Fy+z")


def test_a_secret_stands_in_no_record_whoever_logs_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(colours=False)
    logs.redact_with(Redactor([SECRET, "abcde", "x"]))
    try:
        for form in FORMS:
            structlog.get_logger().info(
                "asked", url=f"https://example.org/bot{form}/send", more=[{"deep": form}], error=OSError(form)
            )
            logging.getLogger("somebody").error("no answer from %s", form)
            logging.getLogger("aiohttp.client").error("no answer from %s", form)
        structlog.get_logger().info("abcde", word="abcdef", short="x is kept")
    finally:
        logs.redact_with(Redactor())
    told = records(capsys)
    assert not any(form in json.dumps(record) for record in told for form in FORMS)
    assert told[0]["url"] == "https://example.org/bot…/send"
    assert {record["message"] for record in told if record["event"] == "library_message"} == {
        "no answer from …", "no answer from %s",
    }  # fmt: skip
    assert (told[-1]["event"], told[-1]["word"], told[-1]["short"]) == ("…", "abcdef", "x is kept")


def test_what_is_no_request_is_counted_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    logs.set_up(colours=False)
    handler = logs.LibraryHandler(lambda: now)
    logging.getLogger().handlers = [handler]
    server = logging.getLogger("aiohttp.server")
    for error in (BadStatusLine(b"secret"), InvalidHeader(b"secret"), BadStatusLine(b"secret")):
        server.error("Error handling request from %s", "192.0.2.1", exc_info=error)
    for _ in range(3):
        server.error("Error handling request", exc_info=ValueError("secret"))
    now = 61.0
    server.error("Error handling request from %s", "192.0.2.1", exc_info=BadStatusLine(b"secret"))
    handler.close()
    told = records(capsys)
    assert not any("secret" in json.dumps(record) for record in told)
    assert [(record["event"], record.get("errors")) for record in told] == [
        ("bad_requests_rejected", {"BadStatusLine": 1}),
        ("library_message", None),
        ("bad_requests_rejected", {"BadStatusLine": 2, "InvalidHeader": 1, "ValueError": 2}),
    ]


def test_what_the_loop_complains_of_is_logged_without_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(colours=False)

    words = "what a customer wrote"

    async def broken() -> None:
        raise ValueError(words)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(logs.report_loop_error)
        task = asyncio.create_task(broken(), name="of a plugin")
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(main())
    [record] = records(capsys)
    assert (record["event"], record["task"]) == ("loop_callback_failed", "of a plugin")
    assert record["exception"].endswith("builtins.ValueError")
    assert "customer" not in json.dumps(record)
