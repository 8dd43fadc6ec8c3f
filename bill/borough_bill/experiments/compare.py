"""`borough-bill compare`: the same measurement for any two deployments, ours or anybody's.

All that is asked of them is a URL; a workload file says what is sent and what a right answer is.
Of two releases of our chart, k8s://NAMESPACE/RELEASE, the pods and the books are looked at too.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from borough_bill.experiments.folder import Folder, Intent
from borough_bill.experiments.foreign import (
    AGAIN,
    FIRST_S,
    NOTHING,
    A,
    B,
    Deployment,
    Site,
    Target,
    intend,
    introduce,
    measure,
)
from borough_bill.experiments.run import FREEZE, Tell
from borough_bill.experiments.scale import FREEZE_S
from borough_bill.load.frozen import freeze_check
from borough_bill.load.generator import Generator, JobFailed, read_keys
from borough_bill.load.wire import BadAddress
from borough_bill.load.workload import BadWorkload, Workload
from borough_bill.load.workload import workload as workload_of
from borough_bill.report.extras import need_report
from borough_bill.report.publish import publish
from borough_bill.report.screen import Screen
from borough_bill.results import Freeze, Plan, Result
from borough_bill.statuses import INTERRUPTED, status
from borough_bill.targets.attribution import ProcessGone
from borough_bill.targets.cluster import Kubectl
from borough_bill.targets.placement import Placement
from borough_bill.targets.release import SCHEME, ReleaseName
from borough_bill.targets.releases import opened

WARM_UP_S = 1.0
"""Before each window; no longer than the window itself."""
MOST = 3
"""Times the blocks that are measured at least, where nothing else is said."""


def compare(  # noqa: PLR0913  # the options of a command
    *,
    a: Annotated[str, typer.Option(help="The reference: http://host:port, or a release.")],
    b: Annotated[str, typer.Option(help="Compared with it. A release is k8s://NAMESPACE/RELEASE.")],
    workload: Annotated[str, typer.Option(help="A workload file: requests and right answers.")],
    keys: Annotated[
        Path | None,
        typer.Option(help="JSON: API keys of customers by name; unset, a release's own are used."),
    ] = None,
    pids_a: Annotated[
        str, typer.Option(help="Processes of a on this machine, for CPU and memory: 12,13.")
    ] = "",
    pids_b: Annotated[str, typer.Option(help="Processes of b.")] = "",
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each window.")] = 5,
    blocks: Annotated[int, typer.Option(min=2, help="At least; in each: a, a again and b.")] = 10,
    most_blocks: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Blocks are added until differences are told, up to so many; "
            "three times --blocks if unset.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat a run; any if unset.")] = None,
    folder: Annotated[Path, typer.Option(help="Takes every file; an interrupted run goes on.")] = (
        Path("build/bill/compare")
    ),
) -> None:
    """Measure two deployments under the same load; print what differs, and what cannot be told.

    The status is 0 where all that was measured is valid, and 3 where a family of lines is void.
    """
    need_report()
    work(workload)  # what is wrong with it is told before anything is begun
    customers = None if keys is None else _customers(keys)
    asked = (_asked(A, a, pids_a, customers), _asked(B, b, pids_b, customers))
    warm_up = min(WARM_UP_S, seconds)
    console, place, placement = Console(), Folder(folder), Placement.here()

    async def run(tell: Tell) -> Result:
        async with _opened(asked, customers, rate * (warm_up + seconds)) as (deployments, site):
            plan = planned(
                deployments,
                placement,
                site,
                workload=workload,
                rate=rate,
                seconds=seconds,
                blocks=blocks,
                most=most_blocks,
            )
            intent = intend(place, plan, seed)
            return await _run(place, intent, deployments, placement, site, tell)

    most = max(most_blocks or MOST * blocks, blocks)
    estimate = 2 * FIRST_S + FREEZE_S + most * 3 * (warm_up + seconds)
    try:
        with Screen(console, estimate) as screen:
            result = asyncio.run(run(screen.tell))
    except KeyboardInterrupt:
        there = f"{len(place.windows())} windows are in {folder}"
        typer.echo(
            f"\nborough-bill: interrupted. {there}; the same command goes on from there", err=True
        )
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(status(publish(result, folder, console)))


def work(name: str) -> Workload:
    """The workload of that name. Raises BadParameter."""
    try:
        return workload_of(name)
    except BadWorkload as error:
        raise typer.BadParameter(str(error), param_hint="--workload") from None


def planned(  # noqa: PLR0913  # the options of a command
    deployments: Mapping[str, Target],
    placement: Placement,
    site: Site = Site(),  # noqa: B008  # it is frozen
    *,
    workload: str,
    rate: float,
    seconds: float,
    blocks: int,
    most: int | None = None,
) -> Plan:
    """What the command measures. It names the processes, and the workload by what stands in it: an
    interrupted run goes on with the same only. Where all requests are of one class, they are called
    by its name.

    Raises BadParameter for a workload that is none.
    """
    sent = work(workload)
    core = "any core" if placement.generator is None else f"core {placement.generator}"
    a, b = (", ".join((deployments[name].url, *deployments[name].names)) for name in (A, B))
    return Plan(
        blocks=blocks,
        most=max(most or MOST * blocks, blocks),
        ladder=False,
        seconds=seconds,
        warm_up_s=min(WARM_UP_S, seconds),
        rate=rate,
        workload=workload,
        noun=sent.noun,
        reference=A,
        again=AGAIN,
        shapes=(B,),
        placement=f"the generator on {core}; {site.placement}",
        labels={
            A: a,
            AGAIN: f"{A}, a second time",
            B: b,
            "workload": f"SHA-256 {sent.digest}",
        },
        sources=site.sources,
    )


def _customers(keys: Path) -> dict[str, str]:
    """Raises BadParameter."""
    try:
        return read_keys(keys)
    except JobFailed as failure:
        raise typer.BadParameter(str(failure), param_hint="--keys") from None


def _asked(
    name: str, url: str, pids: str, keys: Mapping[str, str] | None
) -> Deployment | ReleaseName:
    """Raises BadParameter, which names the option."""
    try:
        numbers = [int(pid) for pid in pids.split(",") if pid.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"{pids!r} are no pids like 12,13", param_hint=f"--pids-{name}"
        ) from None
    try:
        if not url.startswith(SCHEME):
            return Deployment.at(url, numbers, keys or NOTHING)
        if numbers:
            raise typer.BadParameter(
                f"the pods of {url} tell of themselves", param_hint=f"--pids-{name}"
            )
        return ReleaseName.parse(url)
    except BadAddress as error:
        raise typer.BadParameter(str(error), param_hint=f"--{name}") from None
    except ProcessGone as error:
        raise typer.BadParameter(str(error), param_hint=f"--pids-{name}") from None


@asynccontextmanager
async def _opened(
    asked: tuple[Deployment | ReleaseName, ...], keys: Mapping[str, str] | None, requests: float
) -> AsyncIterator[tuple[Mapping[str, Target], Site]]:
    """What was asked for, by letter, ready to be measured with so many requests a window."""
    given = dict(zip((A, B), asked, strict=True))
    strangers = {name: place for name, place in given.items() if isinstance(place, Deployment)}
    releases = {name: place for name, place in given.items() if isinstance(place, ReleaseName)}
    if strangers and releases:
        raise typer.BadParameter(
            "a release is compared with a release: the way in would be part of the difference",
            param_hint="--a, --b",
        )
    if strangers:
        yield strangers, Site()
        return
    async with opened(Kubectl(), releases, keys, requests) as (found, site):
        yield found, site


async def _run(  # noqa: PLR0913, PLR0917  # all that makes a run
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, Target],
    placement: Placement,
    site: Site,
    tell: Tell,
) -> Result:
    async with Generator(placement.generator) as generator:
        await introduce(folder, intent, deployments, generator, tell)
        if folder.find(FREEZE, Freeze) is None:
            tell("a server that stands still", FREEZE_S)
            folder.put(FREEZE, await freeze_check(generator, placement.subjects))
        with placement.aside():
            return await measure(folder, intent, deployments, generator, tell, site.notes)
