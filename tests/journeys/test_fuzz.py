"""A short run of bench/fuzz.py: mutated signed bodies through the real listener into the real store."""

from __future__ import annotations

from bench.fuzz import body_of, send

from .conftest import Town

SEED, BODIES = 1, 400


async def test_no_mutated_signed_body_is_refused(town: Town) -> None:
    daemon = await town.start()
    result = await send(f"{daemon.public_url}/webhook/messages", town.phone.settings.app_secret, SEED, range(BODIES))
    assert result.refused == [], f"python bench/fuzz.py --seed {SEED} --first {result.refused[0]} --bodies 1"
    assert result.statuses == {200: BODIES}
    assert not [
        problem.key
        for problem in daemon.problems
        if problem.key.startswith("store:") or problem.key.endswith(":webhook_unreadable")
    ]
    counts = await daemon.store.counts()
    assert counts["unparsed_payloads"] > 10, "the mutations reach what is not understood"
    assert sum(value for name, value in counts.items() if name.startswith("in.")) > 10, "and what is"


def test_a_body_depends_on_seed_and_number_alone() -> None:
    assert [body_of(3, number) for number in range(50)] == [body_of(3, number) for number in range(50)]
    assert body_of(3, 1) != body_of(4, 1)
    assert len({body_of(1, number) for number in range(300)}) > 250
