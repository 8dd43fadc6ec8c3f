"""`borough-bill compare`: the same measurement for any two deployments.

They need only a URL; a workload file says what is sent and which answers are expected. Of two
releases of the chart, k8s://NAMESPACE/RELEASE, the pods are measured and the stores audited too.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from borough_bill.experiments.folder import Folder
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
from borough_bill.load.workload import BadWorkload
from borough_bill.load.workload import workload as workload_of
from borough_bill.report.publish import need_report, publish
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
    with _refused("--workload", BadWorkload):
        workload_of(workload)  # an error is reported before the run begins
    with _refused("--keys", JobFailed):
        customers = None if keys is None else read_keys(keys)
    given = (_target(A, a, pids_a, customers), _target(B, b, pids_b, customers))
    warm_up = min(WARM_UP_S, seconds)
    console, files, placement = Console(), Folder(folder), Placement.here()

    async def run(on_step: OnStep) -> Result:
        async with (
            _opened(given, customers, rate * (warm_up + seconds)) as (deployments, site),
            Generator(placement.generator) as generator,
        ):
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
            await first_requests(files, intent, deployments, generator, on_step)
            await measure_freeze(files, generator, placement.subjects, on_step)
            with placement.runner_pinned():
                return await measure(files, intent, deployments, generator, on_step, site.notes)

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


@contextmanager
def _refused(option: str, wrong: type[Exception]) -> Iterator[None]:
    """Turns the error of a wrong value into a BadParameter that names the option."""
    try:
        yield
    except wrong as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


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
    workload, since an interrupted run is resumed only with the same ones. Raises BadWorkload.
    """
    sent = workload_of(workload)
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


def _target(
    name: str, url: str, pids: str, keys: Mapping[str, str] | None
) -> Deployment | ReleaseName:
    """Raises BadParameter, which names the option."""
    option = f"--pids-{name}"
    try:
        numbers = [int(pid) for pid in pids.split(",") if pid.strip()]
    except ValueError:
        raise typer.BadParameter(f"{pids!r} are not pids like 12,13", param_hint=option) from None
    with _refused(f"--{name}", BadAddress), _refused(option, ProcessGone):
        if not url.startswith(SCHEME):
            return Deployment.at(url, numbers, keys or NOTHING)
        if numbers:
            raise typer.BadParameter(
                f"the pods of {url} expose their own CPU and memory", param_hint=option
            )
        return ReleaseName.parse(url)


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
