"""`borough-bill compare`: the same measurement for any two deployments, ours or anybody's.

All that is asked of them is a URL; a workload file says what is sent and what a right answer is.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from borough_bill.attribution import ProcessGone
from borough_bill.experiments import validity
from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.foreign import (
    AGAIN,
    FIRST_S,
    A,
    B,
    Deployment,
    intend,
    introduce,
    measure,
)
from borough_bill.generator import Generator
from borough_bill.placement import Placement
from borough_bill.publish import publish
from borough_bill.results import Freeze, Plan, Result
from borough_bill.run import FREEZE, FREEZE_S, Tell
from borough_bill.screen import Screen
from borough_bill.wire import BadAddress
from borough_bill.workload import BadWorkload
from borough_bill.workload import workload as workload_of

WARM_UP_S = 1.0
"""Before each window; no longer than the window itself."""
INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def compare(  # noqa: PLR0913  # the options of a command
    *,
    a: Annotated[str, typer.Option(help="A base URL, that of the reference: http://host:port.")],
    b: Annotated[str, typer.Option(help="A base URL, compared with the reference.")],
    workload: Annotated[str, typer.Option(help="A workload file: requests and right answers.")],
    pids_a: Annotated[
        str, typer.Option(help="Processes of a on this machine, for CPU and memory: 12,13.")
    ] = "",
    pids_b: Annotated[str, typer.Option(help="Processes of b.")] = "",
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each window.")] = 5,
    blocks: Annotated[int, typer.Option(min=2, help="In each: a, a again and b.")] = 10,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat a run; any if unset.")] = None,
    folder: Annotated[Path, typer.Option(help="Takes every file; an interrupted run goes on.")] = (
        Path("build/bill/compare")
    ),
) -> None:
    """Measure two deployments under the same load; print what differs, and what cannot be told."""
    deployments = {A: _deployment(A, a, pids_a), B: _deployment(B, b, pids_b)}
    placement = Placement.here()
    plan = planned(
        deployments, placement, workload=workload, rate=rate, seconds=seconds, blocks=blocks
    )
    console, place = Console(), Folder(folder)
    intent = intend(place, plan, seed)
    estimate = 2 * FIRST_S + FREEZE_S + blocks * 3 * (plan.warm_up_s + seconds)
    try:
        with Screen(console, estimate) as screen:
            result = asyncio.run(_run(place, intent, deployments, placement, screen.tell))
    except KeyboardInterrupt:
        there = f"{len(place.windows())} windows are in {folder}"
        typer.echo(
            f"\nborough-bill: interrupted. {there}; the same command goes on from there", err=True
        )
        raise typer.Exit(INTERRUPTED) from None
    publish(result, folder, console)


def planned(  # noqa: PLR0913  # the options of a command
    deployments: Mapping[str, Deployment],
    placement: Placement,
    *,
    workload: str,
    rate: float,
    seconds: float,
    blocks: int,
) -> Plan:
    """What the command measures. It names the processes, and the workload by what stands in it: an
    interrupted run goes on with the same only.

    Raises BadParameter for a workload that is none.
    """
    try:
        text = workload_of(workload).model_dump_json()
    except BadWorkload as error:
        raise typer.BadParameter(str(error), param_hint="--workload") from None
    core = "any core" if placement.generator is None else f"core {placement.generator}"
    a, b = (", ".join((deployments[name].url, *deployments[name].pids)) for name in (A, B))
    return Plan(
        blocks=blocks,
        seconds=seconds,
        warm_up_s=min(WARM_UP_S, seconds),
        rate=rate,
        workload=workload,
        reference=A,
        again=AGAIN,
        shapes=(B,),
        placement=f"the generator on {core}; the deployments wherever they were started",
        labels={
            A: a,
            AGAIN: f"{a}, a second time",
            B: b,
            "workload": f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}",
        },
    )


def _deployment(name: str, url: str, pids: str) -> Deployment:
    """Raises BadParameter, which names the option."""
    try:
        numbers = [int(pid) for pid in pids.split(",") if pid.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"{pids!r} are no pids like 12,13", param_hint=f"--pids-{name}"
        ) from None
    try:
        return Deployment.at(url, numbers)
    except BadAddress as error:
        raise typer.BadParameter(str(error), param_hint=f"--{name}") from None
    except ProcessGone as error:
        raise typer.BadParameter(str(error), param_hint=f"--pids-{name}") from None


async def _run(
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, Deployment],
    placement: Placement,
    tell: Tell,
) -> Result:
    async with Generator(placement.generator) as generator:
        await introduce(folder, intent, deployments, generator, tell)
        if folder.find(FREEZE, Freeze) is None:
            tell("a server that stands still", FREEZE_S)
            folder.put(FREEZE, await validity.freeze(generator, placement.subjects))
        with placement.aside():
            return await measure(folder, intent, deployments, generator, tell)
