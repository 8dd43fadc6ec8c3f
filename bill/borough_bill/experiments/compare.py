"""`borough-bill compare`: the same measurement for any two deployments.

They need only a URL; a workload file says what is sent and which answers are expected. Of two
releases of the chart, k8s://NAMESPACE/RELEASE, the pods are measured and the stores audited too.
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
    GivenTarget,
    first_requests,
    intend,
    measure,
)
from borough_bill.experiments.run import OnStep, measure_freeze
from borough_bill.experiments.scale import FREEZE_S
from borough_bill.load.generator import Generator, JobFailed, read_keys
from borough_bill.load.wire import BadAddress
from borough_bill.load.workload import BadWorkload, Workload
from borough_bill.load.workload import workload as workload_of
from borough_bill.report.extras import need_report
from borough_bill.report.publish import publish
from borough_bill.report.screen import Screen
from borough_bill.results import Plan, Result
from borough_bill.statuses import INTERRUPTED, status
from borough_bill.targets.attribution import ProcessGone
from borough_bill.targets.cluster import Kubectl, Site
from borough_bill.targets.machine import Placement
from borough_bill.targets.release import SCHEME, ReleaseName, open_releases

WARM_UP_S = 1.0
"""Before each window, if the window itself is as long."""
MOST = 3
"""The upper limit of blocks, as a multiple of --blocks, if --most-blocks is unset."""


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
            help="Blocks are added until differences are resolved, up to this number; "
            "three times --blocks if unset.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat a run; any if unset.")] = None,
    folder: Annotated[Path, typer.Option(help="For all files; an interrupted run is resumed.")] = (
        Path("build/bill/compare")
    ),
) -> None:
    """Measure two deployments under the same load; print what differs, and what is not significant.

    The status is 0 if all that was measured is valid, and 3 if a family of lines is void.
    """
    need_report()
    checked_workload(workload)  # an error is reported before the run begins
    customers = None if keys is None else _customers(keys)
    given = (_target(A, a, pids_a, customers), _target(B, b, pids_b, customers))
    warm_up = min(WARM_UP_S, seconds)
    console, files, placement = Console(), Folder(folder), Placement.here()

    async def run(on_step: OnStep) -> Result:
        async with _opened(given, customers, rate * (warm_up + seconds)) as (deployments, site):
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
            intent = intend(files, plan, seed)
            return await _run(files, intent, deployments, placement, site, on_step)

    most = max(most_blocks or MOST * blocks, blocks)
    estimate = 2 * FIRST_S + FREEZE_S + most * 3 * (warm_up + seconds)
    try:
        with Screen(console, estimate) as screen:
            result = asyncio.run(run(screen.begin))
    except KeyboardInterrupt:
        measured = f"{len(files.windows())} windows are in {folder}"
        typer.echo(
            f"\nborough-bill: interrupted. {measured}; the same command resumes the run", err=True
        )
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(status(publish(result, folder, console)))


def checked_workload(name: str) -> Workload:
    """The workload of that name. Raises BadParameter."""
    try:
        return workload_of(name)
    except BadWorkload as error:
        raise typer.BadParameter(str(error), param_hint="--workload") from None


def planned(  # noqa: PLR0913  # the options of a command
    deployments: Mapping[str, GivenTarget],
    placement: Placement,
    site: Site = Site(),  # noqa: B008  # it is frozen
    *,
    workload: str,
    rate: float,
    seconds: float,
    blocks: int,
    most: int | None = None,
) -> Plan:
    """The plan of the command. It contains the names of the processes and the digest of the
    workload, since an interrupted run is resumed only with the same ones.

    Raises BadParameter for an invalid workload.
    """
    sent = checked_workload(workload)
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
        labels={A: a, AGAIN: f"{A}, a second time", B: b, "workload": f"SHA-256 {sent.digest}"},
        sources=site.sources,
    )


def _customers(keys: Path) -> dict[str, str]:
    """Raises BadParameter."""
    try:
        return read_keys(keys)
    except JobFailed as failure:
        raise typer.BadParameter(str(failure), param_hint="--keys") from None


def _target(
    name: str, url: str, pids: str, keys: Mapping[str, str] | None
) -> Deployment | ReleaseName:
    """Raises BadParameter, which names the option."""
    try:
        numbers = [int(pid) for pid in pids.split(",") if pid.strip()]
    except ValueError:
        raise typer.BadParameter(
            f"{pids!r} are not pids like 12,13", param_hint=f"--pids-{name}"
        ) from None
    try:
        if not url.startswith(SCHEME):
            return Deployment.at(url, numbers, keys or NOTHING)
        if numbers:
            raise typer.BadParameter(
                f"the pods of {url} expose their own CPU and memory", param_hint=f"--pids-{name}"
            )
        return ReleaseName.parse(url)
    except BadAddress as error:
        raise typer.BadParameter(str(error), param_hint=f"--{name}") from None
    except ProcessGone as error:
        raise typer.BadParameter(str(error), param_hint=f"--pids-{name}") from None


@asynccontextmanager
async def _opened(
    given: tuple[Deployment | ReleaseName, ...], keys: Mapping[str, str] | None, requests: float
) -> AsyncIterator[tuple[Mapping[str, GivenTarget], Site]]:
    """The targets by letter, ready to be measured; `requests` are those of a window."""
    named = dict(zip((A, B), given, strict=True))
    urls = {name: target for name, target in named.items() if isinstance(target, Deployment)}
    releases = {name: target for name, target in named.items() if isinstance(target, ReleaseName)}
    if urls and releases:
        raise typer.BadParameter(
            "a release is compared with a release: the route to it would be part of the difference",
            param_hint="--a, --b",
        )
    if urls:
        yield urls, Site()
        return
    async with open_releases(Kubectl(), releases, keys, requests) as (found, site):
        yield found, site


async def _run(  # noqa: PLR0913, PLR0917  # the facts of a run
    folder: Folder,
    intent: Intent,
    deployments: Mapping[str, GivenTarget],
    placement: Placement,
    site: Site,
    on_step: OnStep,
) -> Result:
    async with Generator(placement.generator) as generator:
        await first_requests(folder, intent, deployments, generator, on_step)
        await measure_freeze(folder, generator, placement.subjects, on_step)
        with placement.runner_pinned():
            return await measure(folder, intent, deployments, generator, on_step, site.notes)
