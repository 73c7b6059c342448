"""Log set-up: one line a record, to standard error. No message text and no secret is ever logged by SARA itself; libraries
speak up only from WARNING on."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(level: str = "info", *, colours: bool | None = None) -> None:
    """Log from `level` on: coloured for a terminal, JSON lines otherwise."""
    pretty = sys.stderr.isatty() if colours is None else colours
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.UnicodeDecoder(),
    ]
    processors.append(_traceback_without_values)
    if pretty:
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors.append(structlog.processors.JSONRenderer(ensure_ascii=True))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True
    )


def _traceback_without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep a traceback's frames and the error's type, but not its message, which may quote what a customer wrote."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = "".join(traceback.format_tb(error.__traceback__))
        event["exception"] = f"{frames}{type(error).__module__}.{type(error).__qualname__}"
    return event
