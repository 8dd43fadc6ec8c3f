"""E1: what each thing that a boundary does costs, for one hop alone and for an order.

A hop alone is the command `hop` of the application's module of rungs, which pins and times both
ends; an order's rungs are windows like any other, in the same blocks as the shapes.
"""

import asyncio
import sys
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from borough_bill.experiments.blocks import Subject
from borough_bill.experiments.towns import Towns
from borough_bill.results import RUNGS, HopRung
from borough_bill.targets.processes import die_with_parent, outside
from borough_bill.targets.shapes import CommandFailed


class HopLadder(BaseModel):
    """What one hop costs, by block and rung."""

    model_config = ConfigDict(frozen=True)

    rungs: tuple[HopRung, ...]


def subjects(towns: Towns) -> tuple[Subject, ...]:
    """The rungs of an order."""
    found = []
    for rung in RUNGS:
        name, town = towns.for_rung(rung)
        found.append(Subject(name, town, rung))
    return tuple(found)


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
    """One call at a time on every rung, in blocks; a rest after each. Raises CommandFailed."""
    cpus = {"--caller-cpu": caller_cpu, "--callee-cpu": callee_cpu}
    pinned = [word for name, cpu in cpus.items() if cpu is not None for word in (name, str(cpu))]
    said = await _run(
        module, "hop", "--blocks", str(blocks), "--rungs", ",".join(RUNGS), "--calls", str(calls),
        "--in-flight", "1", "--pause-ms", str(pause_ms), "--seed", str(seed), "--otlp", otlp,
        *pinned,
    )  # fmt: skip  # the command on one line, as one would type it
    try:
        return HopLadder(rungs=tuple(HopRung.model_validate_json(line) for line in said))
    except ValidationError as error:
        raise CommandFailed(f"{module} hop says what is no rung: {error}") from None


async def _run(module: str, *words: str) -> Sequence[bytes]:
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words,
        env=outside(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )  # fmt: skip  # the command on one line, as one would type it
    try:
        out, err = await command.communicate()
    except asyncio.CancelledError:
        command.terminate()
        await command.wait()
        raise
    if command.returncode != 0:
        raise CommandFailed(
            f"{module} {words[0]} ended with {command.returncode}:\n"
            f"{err.decode(errors='replace').strip()}"
        )
    return out.splitlines()
