"""`sara run`"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import gc
import os
import signal
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from sara.cli.context import EX_CONFIG, read, read_file
from sara.cli.identity import become_owner
from sara.cli.output import fail
from sara.domain.errors import ConfigError, SaraError
from sara.runtime import systemd
from sara.runtime.daemon import Daemon
from sara.runtime.logging import LEVELS, report_loop_error, set_up
from sara.runtime.process_exit import cancel_remaining_tasks, force_exit

if TYPE_CHECKING:
    from sara.config.loader import Loaded
    from sara.plugins.loader import Plugins

log = structlog.get_logger("sara")

BLOCKED_AFTER = 5.0
"""Seconds without a turn of the event loop after which the process ends; more on a machine that is busy with other programs."""

MOST_CROWDED = 12.0
"""Factor by which that time grows at most."""

GONE_WITHIN = 29.0
"""Seconds after the signal to stop within which the process ends, even if tasks hang."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's numbers for what `mallopt` sets."""


def run(config: Path, log_level: str) -> int:
    """Run until told to stop. 78 for a configuration that cannot be used, 75 where systemd should start it again."""
    if log_level not in LEVELS:
        return fail(f"--log-level is one of {', '.join(LEVELS)}", 2)
    set_up(log_level)
    _steady_memory()
    loaded, plugins = read(config)
    if loaded.config is None:
        return refuse(loaded)
    try:
        become_owner(loaded.config.state)
        return _run(_serve(config, loaded, plugins))
    except ConfigError as error:
        return fail(str(error), EX_CONFIG)
    except SaraError as error:
        return fail(str(error))


def _run(main: Coroutine[Any, Any, int]) -> int:
    """Run to the end. A plugin's own task that tries to end the process only ends itself: the loop goes on, and the plugin is
    named."""
    with asyncio.Runner() as runner:
        serving = runner.get_loop().create_task(main, name="main")
        while True:
            try:
                return runner.get_loop().run_until_complete(serving)
            except (SystemExit, KeyboardInterrupt) as error:
                pressed = isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
                if serving.done() or pressed:
                    raise
                log.error("task_exit_suppressed", error=type(error).__name__, plugin=_plugin_in(error), exc_info=error)


def _plugin_in(error: BaseException) -> str:
    """Return the plugin whose code raised an error, as far as its frames tell."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    plugins = [name.partition(".")[0].removeprefix("sara_") for name in names if name.startswith("sara_")]
    return plugins[-1] if plugins else "unknown"


def _steady_memory() -> None:
    """Fix the sizes from which glibc gives memory back. Left alone it raises them with every large block that is freed, and a
    process that runs for months then keeps what a busy moment took. Where there is no glibc nothing needs to be done."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, 128 * 1024)


def _shorten_collections(*, again: bool = False) -> None:
    """Exclude everything that exists after a start from garbage collection: a full collection stops every thread, for 50 ms and
    more with all modules and plugins in it. `again`: what was excluded at the former start is looked through once more, for what is
    left of the daemon that served then."""
    if again:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def refuse(loaded: Loaded) -> int:
    """Print all errors of a configuration."""
    for finding in loaded.errors:
        print(finding.render(), file=sys.stderr)
    return EX_CONFIG


async def _serve(config: Path, loaded: Loaded, plugins: Plugins) -> int:
    """Serve; each SIGHUP restarts the daemon with the file as it is then."""
    asyncio.get_running_loop().set_exception_handler(report_loop_error)
    signals = _Signals()
    watching = asyncio.create_task(_watch_loop(), name="loop-watch")
    try:
        code = await _serve_until_stopped(config, loaded, plugins, signals)
    finally:
        watching.cancel()
        faulthandler.cancel_dump_traceback_later()
    if stays := await cancel_remaining_tasks():
        log.warning("tasks_not_cancelled", tasks=stays)
        force_exit(code)
    return code


async def _watch_loop() -> None:
    """End a process whose event loop is blocked for long, and print where it hangs: systemd starts it again."""
    times, factor = (0, 0), 1.0
    while True:
        before, times = times, _processor_times()
        # It falls slowly: the next second may be as crowded as the last few.
        factor = max(crowding(before, times), 1 + (factor - 1) * 0.8)
        faulthandler.dump_traceback_later(BLOCKED_AFTER * factor, exit=True)
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=1)


def _processor_times() -> tuple[int, int]:
    """Return how long this thread has run, and how long it waited for a processor, in nanoseconds; zeros where Linux does not
    say."""
    try:
        run, waited, *_ = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
        return int(run), int(waited)
    except (OSError, ValueError):
        return 0, 0


def crowding(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return how many times longer than on an idle machine this thread takes, from its times of running and waiting; 1 to
    `MOST_CROWDED`."""
    run, waited = after[0] - before[0], after[1] - before[1]
    return min(MOST_CROWDED, 1 + waited / run) if run > 0 else 1.0


async def _serve_until_stopped(config: Path, loaded: Loaded, plugins: Plugins, signals: _Signals) -> int:
    daemon = Daemon(loaded, plugins)
    await daemon.start()
    _shorten_collections()
    while await signals.wait(daemon):
        systemd.reloading()
        # Read before anything is stopped: an error in the file must not take the service down.
        fresh, fresh_plugins = await asyncio.to_thread(read_file, config)
        if fresh.config is None:
            for finding in fresh.errors:
                log.error("reload_rejected", finding=finding.render().splitlines()[0])
            systemd.notify("READY=1")
            continue
        await daemon.stop()
        try:
            daemon = Daemon(fresh, fresh_plugins)
            await daemon.start()
            loaded, plugins = fresh, fresh_plugins
        except SaraError as error:
            log.error("reload_failed", error=str(error), now="the former configuration serves again")
            daemon = Daemon(loaded, plugins)
            await daemon.start()
        _shorten_collections(again=True)
    systemd.notify("STOPPING=1")
    await daemon.stop(daemon.grace)
    return daemon.exit_code


class _Signals:
    """SIGTERM and SIGINT stop, a second one at once; SIGHUP reads the file again."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._stop = False
        self._reload = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)

    async def wait(self, daemon: Daemon) -> bool:
        """Wait for the end; true if the daemon is to be restarted."""
        ended = asyncio.ensure_future(daemon.ended.wait())
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            changed.cancel()
        reload = self._reload and not self._stop and not daemon.ended.is_set()
        self._reload = False
        if reload:
            self._changed.clear()
        return reload

    def _on_stop(self) -> None:
        if self._stop:
            os._exit(130)
        self._stop = True
        self._changed.set()
        asyncio.get_running_loop().call_later(GONE_WITHIN, _too_late)

    def _on_reload(self) -> None:
        self._reload = True
        self._changed.set()


def _too_late() -> None:
    log.error("shutdown_timed_out", seconds=GONE_WITHIN)
    force_exit(0)
