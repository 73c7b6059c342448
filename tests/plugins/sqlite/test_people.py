"""What is kept of people that no contract speaks of yet."""

from __future__ import annotations

import pytest
from sara_sqlite.store import SqliteStore

from sara import PreferenceChange
from sara.testing.store.scenario import ACCOUNT, ANA, StoreScenario


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "in reverse"])
async def test_the_latest_wish_about_marketing_stands_however_late_an_older_one_is_told(
    order: tuple[int, int], store: SqliteStore, shop: StoreScenario
) -> None:
    await shop.asked()
    wishes = (
        PreferenceChange(ACCOUNT, ANA, "marketing_messages", True, 7),
        PreferenceChange(ACCOUNT, ANA, "marketing_messages", False, 8),
    )
    for n in order:
        await shop.change(wishes[n])
    [row] = await store.database.read(lambda db: db.execute("SELECT marketing, marketing_at FROM contacts").fetchall())
    assert tuple(row) == (0, 8)
