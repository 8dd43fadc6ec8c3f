"""Does the bench compare fairly, and does it hear when a measured process fails?"""

from functools import partial
from pathlib import Path

import pytest

from bench.harness import Bench, BenchFailed, child, ratios


def a_bench(folder: Path, rounds: int = 4) -> Bench:
    return Bench(rounds=rounds, scale=1, long=False, seed=7, folder=folder, step=lambda _: None)


async def orders_of(bench: Bench) -> list[str]:
    """Who was measured, one after another."""
    seen = list[str]()

    async def measured(name: str) -> float:
        seen.append(name)
        return len(seen)

    await bench.blocks("a subject", {name: partial(measured, name) for name in "abc"})
    return seen


async def test_each_block_has_every_candidate_once_in_seeded_order(tmp_path: Path) -> None:
    """Or the drift of the machine would be counted for one of them."""
    seen = await orders_of(a_bench(tmp_path))
    blocks = [tuple(seen[at : at + 3]) for at in range(0, len(seen), 3)]

    assert [sorted(block) for block in blocks] == [["a", "b", "c"]] * 4
    assert len(set(blocks)) > 1
    assert await orders_of(a_bench(tmp_path)) == seen


async def test_samples_are_kept_by_block(tmp_path: Path) -> None:
    """A median can be checked only with its samples."""
    bench = a_bench(tmp_path, rounds=2)

    await orders_of(bench)

    kept = bench.samples["a subject"]
    assert sorted(value for values in kept.values() for value in values) == [1, 2, 3, 4, 5, 6]
    assert {len(values) for values in kept.values()} == {2}


def test_ratio_is_taken_within_blocks() -> None:
    """A machine that was slow in one block was slow for both."""
    assert ratios([1, 20, 3], [2, 40, 6]) == [0.5, 0.5, 0.5]


async def test_output_of_a_failed_process_is_quoted(tmp_path: Path) -> None:
    """Its last words, and its name."""
    async with child(a_bench(tmp_path), "json.tool", "nowhere.json") as process:
        with pytest.raises(BenchFailed, match=r"(?s)json\.tool nowhere\.json gave.*No such file"):
            await process.read()
