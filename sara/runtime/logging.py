"""Log set-up: one line a record, to standard error. No message text and no secret is ever logged by SARA itself; libraries
speak up only from WARNING on, and their words are taken over only where they cannot hold what somebody sent."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

from sara.domain.redaction import Redactor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

BAD_REQUESTS_EVERY_S = 60.0
"""Requests that are no HTTP are counted, and the count is logged once in this time: anybody can send them."""

_redactor = Redactor()


def redact_with(redactor: Redactor) -> None:
    """Replace these secrets in every record from now on, whoever logs it."""
    global _redactor  # logging is one for the process, and so is what must not stand in it
    _redactor = redactor


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
    processors.append(_without_secrets)
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
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryHandler()], force=True)


class LibraryHandler(logging.Handler):
    """Passes the log records of libraries to structlog.

    aiohttp quotes requests in its errors: of its records only the sentence without its values and the type of the error are kept.
    Requests that are no HTTP are counted instead of logged one by one, and so is every further error of one type in a minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: TID251  # logging begins before there is any other clock
        super().__init__(logging.WARNING)
        self._clock = clock
        self._bad: Counter[str] = Counter()
        self._told_at: float | None = None
        self._shown: dict[str, float] = {}
        self._flush: asyncio.TimerHandle | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record, or count it."""
        try:
            error = record.exc_info[1] if record.exc_info else None
            if record.name.startswith("aiohttp"):
                if error is not None and (_is_bad_request(error) or not self._is_new(error)):
                    self._count(type(error).__name__)
                else:
                    self._tell(record, str(record.msg), error)
            else:
                self._tell(record, record.getMessage(), error)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Log the count that is still to be told."""
        self._tell_count()
        super().close()

    def _tell(self, record: logging.LogRecord, said: str, error: BaseException | None) -> None:
        level = max(logging.WARNING, record.levelno)
        structlog.get_logger("libraries").log(
            level,
            "library_message",
            logger=record.name,
            message=said.partition("\n")[0],
            **({"exc_info": error} if error else {}),
        )

    def _is_new(self, error: BaseException) -> bool:
        """Return whether no error of this type was logged within the last minute."""
        kind, now = type(error).__qualname__, self._clock()
        if kind in self._shown and now - self._shown[kind] < BAD_REQUESTS_EVERY_S:
            return False
        self._shown[kind] = now
        return True

    def _count(self, kind: str) -> None:
        self._bad[kind] += 1
        now = self._clock()
        if self._told_at is None or now - self._told_at >= BAD_REQUESTS_EVERY_S:
            self._tell_count()
        elif self._flush is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._flush = loop.call_later(self._told_at + BAD_REQUESTS_EVERY_S - now, self._tell_count)

    def _tell_count(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._bad:
            self._told_at = self._clock()
            structlog.get_logger("sara.web").warning(
                "bad_requests_rejected",
                count=self._bad.total(),
                errors=dict(sorted(self._bad.items())),
                seconds=int(BAD_REQUESTS_EVERY_S),
            )
            self._bad.clear()


def report_loop_error(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Log what the event loop complains of, for `loop.set_exception_handler`: its own text may quote what a customer wrote."""
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else None
    structlog.get_logger("sara.loop").error(
        "loop_callback_failed",
        message=str(context.get("message", "")).partition("\n")[0],
        task=name,
        exc_info=context.get("exception"),
    )


def _is_bad_request(error: BaseException) -> bool:
    """Return whether the request itself was no HTTP, which is no fault of SARA or a plugin."""
    from aiohttp.http_exceptions import HttpProcessingError

    return isinstance(error, HttpProcessingError)


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets, whoever logs them: a library, a plugin, or an error whose text quotes an address."""
    for key, value in event.items():
        if key not in ("timestamp", "level"):
            event[key] = _redactor.deep(value)
    return event


def _traceback_without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep a traceback's frames and the error's type, but not its message, which may quote what a customer wrote."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = "".join(traceback.format_tb(error.__traceback__))
        event["exception"] = f"{frames}{type(error).__module__}.{type(error).__qualname__}"
    return event
