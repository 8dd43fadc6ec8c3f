"""What every subject of the bench needs: pinned processes, and blocks in random order.

A machine drifts by tens of percent in minutes, so what is compared is interleaved: every candidate
once a block, in an order drawn anew, and a ratio is the median over blocks of the ratios within
them. CPU is read from process clocks, which count ended threads too.
"""

import asyncio
import json
import os
import random
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from borough_bill.targets.processes import die_with_parent

LAST_WORDS = 2_000
"""Characters of its log that a process which failed is quoted with."""
ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
"""Far above what anything here takes."""

Candidates = Mapping[str, Callable[[], Awaitable[float]]]
"""What is compared, by name: each measures itself once and answers one number."""


class BenchFailed(Exception):
    """A measured process ended or said nothing sensible; the message names and quotes it."""


@dataclass(frozen=True, slots=True)
class Build:
    """Code that can be started: its tree, and the interpreter that has its packages."""

    name: str
    tree: Path
    python: str


OURS = Build("ours", ROOT, sys.executable)
"""The working tree, in the environment the bench runs in."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One run. `scale` is the share of the full number of calls, `long` asks for the
    generator's ten minutes; `folder` is thrown away.
    """

    rounds: int
    scale: float
    long: bool
    seed: int
    folder: Path
    step: Callable[[str], None]
    """Prints what happens now."""
    beside: Build | None = None
    """The commit that ours is compared with."""
    shapes: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    """Those that an order is measured in."""
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """What each block said, by row and candidate: the ground the rows stand on."""

    def calls(self, number: int) -> int:
        """So many, or fewer in a quick run."""
        return max(20, round(number * self.scale))

    async def blocks(
        self, what: str, candidates: Candidates, *, share: float = 1.0
    ) -> dict[str, list[float]]:
        """Measure every candidate once a block; the values of each, in the order of the blocks.

        There are `share` times as many blocks as usual: a tail needs more, and fewer are enough for
        what hardly differs from one to the next.
        """
        rounds = max(1, round(self.rounds * share))
        chance = random.Random(f"{self.seed} {what}")
        values: dict[str, list[float]] = {name: [] for name in candidates}
        for number in range(1, rounds + 1):
            for name in chance.sample(sorted(candidates), len(candidates)):
                self.step(f"{what}: block {number} of {rounds}, {name}")
                values[name].append(await candidates[name]())
        self.samples[what] = values
        return values


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """The ratio within each block."""
    return [one / other for one, other in zip(of, to, strict=True)]


class Child:
    """A measured process; it answers a line with a line of JSON, see `bench.talk`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, words: str) -> dict[str, float]:
        """Tell it a line and wait for the answer. Raises BenchFailed."""
        assert self._process.stdin is not None
        with suppress(ConnectionError):  # the answer says it better
            self._process.stdin.write(f"{words}\n".encode())
            await self._process.stdin.drain()
        return await self.read()

    async def read(self) -> dict[str, float]:
        """Its next line. Raises BenchFailed."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
            facts: dict[str, float] = json.loads(line)
        except (TimeoutError, ValueError):
            words = self._log.read_text(errors="replace")[-LAST_WORDS:]
            raise BenchFailed(f"{self._name} gave no answer:\n{words}") from None
        return facts


@asynccontextmanager
async def child(
    bench: Bench, *words: str, cpu: int | None = None, build: Build = OURS
) -> AsyncIterator[Child]:
    """`python -m WORDS` with the packages of this build, on that core if one is named, until the
    context ends or the bench does.
    """
    name = " ".join(words)
    log = bench.folder / f"{re.sub('[^a-z0-9]+', '-', f'{build.name} {name}')[:100]}.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            build.python, "-m", *words, env=_environment(), preexec_fn=partial(settle_in, cpu),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=said,
        )  # fmt: skip  # what, with what, and where its words go
    try:
        yield Child(name, process, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def collector(bench: Bench) -> AsyncIterator[str]:
    """A process that takes spans and does nothing with them; its address."""
    keep = str(bench.folder / "spans")
    words = ("borough_bill.targets.collector", "--port", "0", "--keep", keep)
    async with child(bench, *words) as process:
        yield f"http://127.0.0.1:{(await process.read())['port']:.0f}"


def _environment() -> dict[str, str]:
    """Ours, without what would change how a stack behaves."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "BOROUGH_"))}
    return kept | {"PYTHONPATH": str(ROOT / "tests")}


def settle_in(cpu: int | None) -> None:
    """Between fork and exec: the core to run on, and the wish to end when the bench does."""
    die_with_parent()
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
