"""kill -9 at every system call that gives a file its name or makes it last: no file outlives its row, and none is lost."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from sara.cli.context import open_store
from tests.faults.rig import Died, Fork, Point, Strace, at_each, built, killing, points, read_through
from tests.journeys.conftest import DEADLINE, Town

LASTING = "rename,renameat,renameat2,fsync,fdatasync,unlink,unlinkat"


async def complete(town: Town) -> bool:
    """Whether each row's file is there with its bytes, and nothing else is; false also where no database is yet."""
    with suppress(Exception):
        async with open_store(town.file, read_only=True) as house:
            found = [each for _, each in await house.store.attachments("c1", None, 10)]
        media = town.folder / "state" / "media"
        there = {path.name: path.stat().st_size for path in media.iterdir()}
        return [each.state for each in found] == ["fetched"] * 2 and there == {str(each.path): each.size for each in found}
    return False


async def test_a_kill_while_files_are_fetched_leaves_none_that_no_row_names(strace: Strace, tmp_path: Path) -> None:
    async def trip(point: Point | None, trace: Path = Path(os.devnull)) -> bool:
        folder = tmp_path / ("trace" if point is None else "-".join(map(str, point)))
        folder.mkdir()
        options = ("-f", "-e", f"trace={LASTING}") if point is None else ("-f", *killing(point))
        async with built(folder) as town:
            fork = await Fork.serving(town)
            async with strace.beside(fork.pid, *options, trace=trace):
                with suppress(Died):
                    await town.phone.say_picture("ana", b"a picture of a cat", caption="a cat")
                    await town.phone.say_document("ana", b"a menu", caption="a menu")
                    await fork.alive(read_through(town))
                    await fork.alive(town.until(lambda: complete(town), DEADLINE))
                    await fork.end()
                code = await fork.ended()
            assert code in (0, -signal.SIGKILL), fork.output()
            if code:
                fork = await Fork.serving(town)
                await fork.alive(town.until(lambda: complete(town), DEADLINE))
                assert await fork.end() == 0
            assert await complete(town)
        shutil.rmtree(folder)
        return code != 0

    assert not await trip(None, tmp_path / "calls")
    found = points(tmp_path / "calls")
    await at_each(found, trip, short=3, telling=[point for point in found if point[0] in ("rename", "fsync")])
