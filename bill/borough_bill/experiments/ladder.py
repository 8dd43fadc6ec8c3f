"""E1: the cost of each component of a boundary, for one hop alone and for an order.

One hop alone is measured by the command `hop` of the application's module of rungs, which pins and
times both ends; an order's rungs are windows like any other, in the same blocks as the shapes. The
spans of the top rung go to a collector process. The critical path in them cross-checks the ladder:
it is the share of an order's latency that hops took.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import ValidationError

from borough_bill.analysis.paths import NoTrace, summarise
from borough_bill.experiments.blocks import Subject
from borough_bill.experiments.measured import MeasuredShapes
from borough_bill.results import RUNGS, CriticalPath, Frozen, HopRung
from borough_bill.targets.collector import read_spans
from borough_bill.targets.processes import die_with_parent, outside, pin
from borough_bill.targets.shapes import CommandFailed

NICE = 10
"""The niceness of the collector, which shares the generator's core."""


class HopLadder(Frozen):
    """The measurements of one hop, by block and rung."""

    rungs: tuple[HopRung, ...]


def subjects(running: MeasuredShapes) -> tuple[Subject, ...]:
    """The rungs of an order."""
    return tuple(Subject(*running.for_rung(rung), rung) for rung in RUNGS)


async def one_hop(  # noqa: PLR0913  # what may differ from one run to the next
    module: str,
    *,
    blocks: int,
    calls: int,
    pause_ms: float = 0.0,
    seed: int,
    otlp: str,
    caller_cpu: int | None,
    callee_cpu: int | None,
) -> HopLadder:
    """One call at a time on every rung, in blocks; a pause after each. Raises CommandFailed."""
    cpus = {"--caller-cpu": caller_cpu, "--callee-cpu": callee_cpu}
    pinned = [word for name, cpu in cpus.items() if cpu is not None for word in (name, str(cpu))]
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "hop", "--blocks", str(blocks), "--rungs", ",".join(RUNGS),
        "--calls", str(calls), "--in-flight", "1", "--pause-ms", str(pause_ms),
        "--seed", str(seed), "--otlp", otlp, *pinned,
        env=outside(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )  # fmt: skip  # the command on few lines, as it is typed
    try:
        out, err = await command.communicate()
    except asyncio.CancelledError:
        command.terminate()
        await command.wait()
        raise
    if command.returncode != 0:
        raise CommandFailed(
            f"{module} hop ended with {command.returncode}:\n{err.decode(errors='replace').strip()}"
        )
    try:
        return HopLadder(rungs=tuple(map(HopRung.model_validate_json, out.splitlines())))
    except ValidationError as error:
        raise CommandFailed(f"the output of {module} hop is not a rung: {error}") from None


def _below_generator() -> None:
    die_with_parent()
    os.nice(NICE)


@asynccontextmanager
async def collecting(keep: Path, cpu: int | None) -> AsyncIterator[str]:
    """A collector process that appends what it receives to `keep`; its OTLP address.

    Raises CommandFailed if it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.targets.collector", "--port", "0", "--keep", str(keep),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=_below_generator,
    )  # fmt: skip  # the command on one line, as it is typed
    try:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        line = await process.stdout.readline()
        if not line:
            raise CommandFailed(f"the collector ended with {await process.wait()}")
        if cpu is not None:
            pin(process.pid, cpu)
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def critical_path(kept: Path, root: str) -> CriticalPath | None:
    """The critical path of the traces in this file whose root span is `root`; None if no trace is
    complete. Raises BrokenSpans.
    """
    try:
        return summarise(read_spans(kept), root)
    except NoTrace:
        return None
