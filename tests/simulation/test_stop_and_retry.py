"""What failed is tried again by hand although the customer wants no more messages: nothing leaves for them."""

from __future__ import annotations

from pathlib import Path

from tests.simulation.tale import Tale


class Retried(Tale):
    """An answer is refused, the customer says STOP, and an operator who does not know sets the answer going again."""

    async def tells(self) -> None:
        self.mishaps = {"refused"}
        self.says(0)
        await self.until(lambda: self.disk.ask("SELECT 1 FROM messages WHERE state = 'failed'"))
        self.mishaps.clear()
        self.says(0, "STOP")
        await self.until(lambda: self.taken and self._settled())
        assert self.process is not None
        daemon = self.process.daemon
        self.tally["revived"] += 1
        work = await self.process.run(daemon.store.retry_failed("c1", "deliver", self.clock()))
        assert work.deliver_due is not None
        await self.until(self._settled, within=90)


def test_an_answer_that_is_retried_by_hand_does_not_reach_who_wants_silence(tmp_path: Path) -> None:
    tale = Retried(tmp_path, Retried.tells)
    tale.run()
    assert len(tale.taken) == 1, "the confirmation alone"
