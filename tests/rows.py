"""Tables of data looped over within one test, where an item for each row would only cost time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])


def each_row(names: str | Sequence[str], rows: Iterable[Any]) -> Callable[[T], T]:
    """Call the test once per row, as `pytest.mark.parametrize` would, but as one item.

    All rows are tried; the failure names each row that failed. For tests without fixtures, as no fixture is made anew for a row.
    """
    wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [dict(zip(wanted, _values(row, len(wanted)), strict=True)) for row in rows]

    def decorate(test: T) -> T:
        signature = inspect.signature(test)
        others = [parameter for name, parameter in signature.parameters.items() if name not in wanted]

        if inspect.iscoroutinefunction(test):

            @functools.wraps(test)
            async def run(**given: Any) -> None:
                failures: list[Exception] = []
                for row in table:
                    with _noted(row, failures):
                        await test(**given, **row)
                _tell(failures)

        else:

            @functools.wraps(test)
            def run(**given: Any) -> None:
                failures: list[Exception] = []
                for row in table:
                    with _noted(row, failures):
                        test(**given, **row)
                _tell(failures)

        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # what pytest asks for fixtures
        del run.__wrapped__  # type: ignore[attr-defined]  # pytest would look for the fixtures of the test within
        return run  # type: ignore[return-value]  # it stands for the test

    return decorate


def _values(row: Any, count: int) -> Sequence[Any]:
    """The values of a row, which may be one of `pytest.param`."""
    values = getattr(row, "values", None)
    if isinstance(values, tuple):
        return values
    return row if count > 1 else (row,)


@contextmanager
def _noted(row: dict[str, Any], failures: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"row: {row!r}")
        failures.append(error)


def _tell(failures: list[Exception]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{len(failures)} rows failed", failures)
