"""Does the runner start, pin and stop parts as experiments and tests need it?"""

import asyncio
import gc
import os
import random
import signal
import socket
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import aiohttp
import pytest

from borough import shapes
from borough_bill.experiments.drill import Finding
from borough_bill.load.customers import (
    LOST,
    PLACED,
    Outcome,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.audit import Audit
from borough_bill.targets.processes import HOST, Ports
from borough_bill.targets.shapes import CommandFailed, LocalShape, read_shapes, shape_named
from borough_shop.app import APP
from waiting import becomes

RUNNER = """
import asyncio, pathlib, sys
from borough_bill.targets.shapes import LocalShape, shape_named

async def main():
    local = LocalShape(shape_named("monolith"), pathlib.Path(sys.argv[1]))
    (process,) = local.processes
    await process.start()
    print(process.ports.ops, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_runner_and_parts_read_the_same_shapes() -> None:
    """They share no code: what `borough shapes` prints says all that the parts read."""
    theirs = shapes.load(APP.calls, APP.shapes)
    assert {n: (s.parts, s.doors) for n, s in read_shapes().items()} == {
        name: (shape.parts, shape.doors) for name, shape in theirs.items()
    }
    extracted = shapes.named("extract:inventory", theirs, APP.calls)
    assert shape_named("extract:inventory").parts == extracted.parts


def test_peers_of_every_part_cover_its_calls() -> None:
    """The addresses that the runner passes cover `APP.calls`, in every shape."""
    for shape in read_shapes().values():
        for part, hosted in shape.parts.items():
            assert shapes.needed(hosted, APP.calls) <= set(shape.peers(part))


def test_shapes_are_read_from_a_given_file(tmp_path: Path) -> None:
    """The runner takes shapes from any file, and names the file where it holds none."""
    own = tmp_path / "own.toml"
    people = ["profiles", "notifications"]
    others = [name for name in APP.calls if name not in people]
    own.write_text(f"[pair.parts]\nshop = {others}\npeople = {people}\n")
    assert set(shape_named("pair", own).parts) == {"shop", "people"}
    assert set(shape_named("extract:payments", own).parts) == {"app", "payments"}
    own.write_text("pair = 2\n")
    with pytest.raises(CommandFailed, match=r"own\.toml: shape pair needs a table `parts`"):
        read_shapes(own)


async def test_part_of_a_given_shape_has_all_its_threads_pinned(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Parts read the file the runner read, and none of their threads runs on another core."""
    own = tmp_path / "own.toml"
    own.write_text(f"[whole.parts]\nall = {['gateway', *APP.contracts]}\n")
    core = min(os.sched_getaffinity(0))
    local = LocalShape(
        shape_named("whole", own), tmp_path, store=sqlite_url, cpu=core, shapes_file=own
    )
    async with local:
        (facts,) = await local.facts()
        assert facts["shape"] == "whole"
        (pid,) = local.pids.values()
        cores = cores_by_thread(pid)
    assert len(cores) > 1
    assert set().union(*cores.values()) == {core}


def test_unknown_shape_is_refused_by_name() -> None:
    """The sentence names what was asked for, and what there is."""
    with pytest.raises(CommandFailed, match=r"there is no shape extract:kitchen; .*microservices"):
        shape_named("extract:kitchen")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares a port between two sockets")
def test_port_stays_reserved_while_its_process_is_down() -> None:
    """From its end to its restart no other process can take the port; the part can listen again."""
    ports = Ports()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((HOST, ports.public))
        for _ in range(2):
            with socket.create_server((HOST, ports.public)):
                socket.create_connection((HOST, ports.public)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, ports.public))
    finally:
        ports.release()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what a process has open")
def test_dropped_shape_closes_the_sockets_that_hold_its_ports(tmp_path: Path) -> None:
    """One that was never started leaves no socket for a later test to be blamed for."""
    before = open_sockets()
    local = LocalShape(shape_named("monolith"), tmp_path)
    assert len(open_sockets() - before) == 3
    del local
    gc.collect()
    assert open_sockets() <= before


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals a child at its parent's end"
)
async def test_part_ends_with_a_killed_runner(tmp_path: Path) -> None:
    """Even SIGKILL of the runner leaves no part running."""
    runner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUNNER, str(tmp_path),
        env={name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip  # the command on one line, as one would type it
    assert runner.stdout is not None
    port = int(await runner.stdout.readline())
    async with aiohttp.ClientSession() as http:

        async def gone() -> bool:
            return not await answers(http, port)

        await becomes(lambda: answers(http, port))
        runner.send_signal(signal.SIGKILL)
        await runner.wait()
        await becomes(gone)


async def test_ctrl_c_does_not_reach_the_parts(tmp_path: Path) -> None:
    """A terminal sends it to a whole group of processes; a part that heard it would drain while
    the runner still asks it for its figures.
    """
    (process,) = LocalShape(shape_named("monolith"), tmp_path).processes
    await process.start()
    try:
        assert os.getpgid(process.pid) != os.getpgid(0)
    finally:
        await process.kill()
        process.ports.release()


def test_same_seed_repeats_the_errands_with_distinct_keys() -> None:
    """A drill can be repeated, and an Idempotency-Key stands for one order."""
    first, again = (
        list(islice(order_plans(random.Random(3), make_customers(4), ("a", "b", "c")), 500))
        for _ in range(2)
    )
    assert first == again
    assert len({errand.key for errand in first}) == 500


@pytest.mark.parametrize(
    ("orders", "violations", "clean"),
    [
        ({PLACED: 3, "payment-declined": 1}, (), True),
        ({PLACED: 3, LOST: 1}, (), False),
        ({PLACED: 3, "internal": 1}, (), False),
        ({PLACED: 4}, ("oversold: espresso",), False),
    ],
)
def test_drill_with_a_lost_order_or_a_complaint_is_not_clean(
    orders: dict[str, int], violations: tuple[str, ...], *, clean: bool
) -> None:
    """A lost order, an unexpected problem or any complaint spoils it."""
    finding = Finding(shape_named("monolith"), 1, Counter(), orders, "app-0", violations)
    assert finding.clean is clean


def test_answers_that_the_stores_contradict_are_reported() -> None:
    """Answers are compared with the stores, status by status."""
    errand = next(order_plans(random.Random(3), make_customers(1), ("a", "b")))
    words = (PLACED, PLACED, "out-of-stock", "abandoned")
    outcomes = [Outcome(errand, word, ()) for word in words]
    assert disagreements(outcomes, Audit({"orders": {"placed": 2, "rejected": 2}}, ())) == ()
    assert disagreements(outcomes, Audit({"orders": {"placed": 1, "rejected": 2}}, ())) == (
        "customers were answered 2 placed orders, the stores hold 1",
    )
    assert disagreements([], Audit({"orders": {"pending": 1}}, ())) == (
        "customers were answered 0 pending orders, the stores hold 1",
    )


def open_sockets() -> set[str]:
    """The sockets that this process has open."""
    links = (str(path.resolve()) for path in Path("/proc/self/fd").iterdir())
    return {link for link in links if "socket:" in link}


def cores_by_thread(pid: int) -> dict[int, set[int]]:
    """Where each thread of a process may run."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    return {thread: os.sched_getaffinity(thread) for thread in threads}


async def answers(http: aiohttp.ClientSession, port: int) -> bool:
    """Whether a process answers on that ops port."""
    try:
        async with http.get(f"http://{HOST}:{port}/livez") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
