"""Does a comparison start what it says, count what it means, and refuse wrong results?"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import order_cpu, relayed
from bench.beside import BASE, MANY, compared
from bench.databases import POSTGRESQL, SQLITE, database, tree_cpu_s
from bench.harness import OURS, Bench, BenchFailed
from bench.orderer import Task
from bench.profiles import COMMON
from bench.rows import Goal
from bench.sides import COMMON_WAY, MICROSERVICES, MONOLITH, Side, sides
from collector import Collector
from postgresql import ABSENT, find_binaries
from programs import absent

SAME = f"{BASE}, again"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A quick one, which compares the working tree with itself."""
    return Bench(
        rounds=1, scale=0.01, long=False, seed=1, folder=tmp_path, step=lambda _: None,
        beside=replace(OURS, name=SAME), shapes=(MONOLITH,), databases=(SQLITE,),
    )  # fmt: skip  # one glance


@pytest.fixture
def burner() -> Iterator[int]:
    """A process whose two children used 0.1 s of CPU each: one lives on, one has ended."""
    burn = "import time\nwhile time.process_time() < 0.1: pass\nprint(flush=True)"
    stay = f"{burn}\nimport sys; sys.stdin.read()"
    family = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {burn!r}])\n"
        f"subprocess.run([sys.executable, '-c', {stay!r}])\n"
    )
    process = subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-c", family], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    yield process.pid
    process.communicate()


def test_cpu_of_a_server_includes_its_children(burner: int) -> None:
    """A child that has ended counts in hundredths of a second."""
    assert tree_cpu_s(burner) >= 0.19


async def test_side_places_orders_and_delivers_their_events(bench: Bench) -> None:
    """Through HTTP and the command line; the auditor is asked how many there are."""
    async with sides(replace(bench, beside=None), MICROSERVICES, SQLITE) as made:
        side = made["ours"]
        await side.start()
        await side.drive()
        before = side.cpu_s()
        said = await side.order(Task(seed=1, orders=5, in_flight=2))
        await side.drained()

        assert (said["placed"], said["failed"], await side.delivered()) == (5, 0, 5)
        assert side.cpu_s() > before
        await side.check(5)
        with pytest.raises(BenchFailed, match=r"6 placed; the auditor found \{'placed': 5\}"):
            await side.check(6)


async def test_common_side_traces_every_request_and_statement(bench: Bench) -> None:
    """An instrumentor that is not in effect would make it a cheap peer."""
    async with Collector() as collector:
        with database(SQLITE) as store:
            side = Side(
                bench, COMMON_WAY, OURS,
                profile=COMMON, shape=MONOLITH, store=store, otlp=collector.url,
            )  # fmt: skip  # one side
            await side.prepare()
            await side.start()
            await side.drive()
            await side.order(Task(seed=1, orders=5, in_flight=2))
            await side.drained()
            await side.stop()

    seen = Counter(span.name.split()[0] for span in collector.spans)
    links = [span.links for span in collector.spans if span.name == "relay"]
    assert (seen["POST"], len(links)) == (5, 5)
    assert all(links)
    assert seen["INSERT"] >= 5 * 5
    assert seen["SELECT"] > 0
    assert seen["connect"] > 0


async def test_failed_order_ends_the_bench(bench: Bench) -> None:
    """Errors are cheap: a side that is full of them would win."""
    async with sides(replace(bench, beside=None), MONOLITH, SQLITE) as made:
        side = made["ours"]
        await side.start(faults='{"inventory": {"error_rate": 1}}')
        await side.drive()

        with pytest.raises(
            BenchFailed, match=r"ours: not all orders were placed: .*'status 202': 3"
        ):
            await side.order(Task(seed=1, orders=3))
        paced = Task(seed=1, rate=20, seconds=0.2, probes=50)
        said = await side.order(paced, all_placed=False)

    assert said["failed"] > 0
    assert said["probe_p99_ms"] > 0


async def test_cpu_of_an_order_is_compared_with_the_commit_and_the_common_side(
    bench: Bench,
) -> None:
    """In the monolith; the goals stand at the rows they are about."""
    rows = await order_cpu.measure(bench)

    assert [(row.peer_name, row.goal) for row in rows] == [
        (SAME, "ratio <= 0.25"),
        (COMMON_WAY, "ratio <= 0.7"),
    ]
    assert all(row.ours > 0 and row.ratio is not None for row in rows)
    (samples,) = bench.samples.values()
    assert {len(values) for values in samples.values()} == {round(MANY)}


async def test_each_block_drains_a_copy_of_the_full_outbox(bench: Bench) -> None:
    """From a copy of the same store, in which the auditor finds nothing wrong at the end."""
    (row,) = await relayed.measure(replace(bench, scale=0.1), due_again_s=0)

    assert (row.peer_name, row.goal) == (SAME, "ratio >= 10")
    assert row.ours > 0


def test_copy_of_a_database_has_its_content() -> None:
    """And leaves the original as it is; PostgreSQL's server has CPU time, SQLite none."""
    if find_binaries() is None:
        absent(ABSENT)
    with database(POSTGRESQL) as store:
        copies = [store.copy("other").url for _ in range(2)]

        assert copies == [store.url.replace("/shop?", "/other?")] * 2
        assert store.cpu_s() > 0
    with database(SQLITE) as store:
        Path(store.url.removeprefix("sqlite:///"), "orders.db").write_text("content")
        copy = store.copy("other")

        assert Path(copy.url.removeprefix("sqlite:///"), "orders.db").read_text() == "content"
        assert store.cpu_s() == 0


def test_goal_is_shown_only_beside_its_commit() -> None:
    """Another commit is a fact; without one the row has no peer."""
    goal = Goal("ratio", "<=", 0.25)
    values = {"ours": [1.0, 2.0, 3.0], f"{BASE}fa6e5": [4.0, 8.0, 10.0], "0123456789ab": [1.0] * 3}

    base, other = compared("A row", "ms", values, base=goal)
    (alone,) = compared("A row", "ms", {"ours": [1.0]}, base=goal)

    assert (base.ratio, base.ratios, base.met) == (0.25, (0.25, 0.25, 0.3), True)
    assert (other.ratio, other.goal) == (2.0, None)
    assert (alone.ours, alone.ratio, alone.goal) == (1.0, None, None)
