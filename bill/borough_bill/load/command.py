"""`borough-bill load`: attack one address with a workload, and print the latencies.

It measures one deployment. `compare` measures the difference between two, with its interval.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from borough_bill.load import Data, generator
from borough_bill.load.generator import Generator, Job, JobFailed, read_keys
from borough_bill.load.recording import (
    SLIP_LIMIT_S,
    Failure,
    Recording,
    Requests,
    Seconds,
    slip_check,
)
from borough_bill.load.schedule import POISSON

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
HEADINGS = ("mean", "median", "90 %", "99 %", "99.9 %", "longest")


class Milliseconds(Data):
    """A distribution of times; None where there are too few times for that quantile."""

    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    p999: float | None = None
    longest: float | None = None

    @classmethod
    def of(cls, times: Seconds) -> Self:
        """Summarise times given in seconds."""
        if not times.size:
            return cls()
        quantiles = {
            name: float(np.quantile(times, q)) * 1e3
            for name, q in QUANTILES.items()
            if times.size * (1 - q) >= 1
        }
        return cls(mean=float(times.mean()) * 1e3, longest=float(times.max()) * 1e3, **quantiles)


class Tally(Data):
    """How some requests were answered, and the latency of those that were served.

    `statuses` counts requests by status, 0 for no whole answer. `latency_ms` counts from the
    intended send time.
    """

    requests: int
    served: int
    failed: int
    statuses: dict[int, int]
    latency_ms: Milliseconds

    @classmethod
    def of(cls, requests: Requests) -> Self:
        served = requests[requests["ok"]]
        return cls(
            requests=len(requests),
            served=len(served),
            failed=len(requests) - len(served),
            statuses=dict(sorted(Counter(requests["status"].tolist()).items())),
            latency_ms=Milliseconds.of(served["done"] - served["intended"]),
        )


class LoadResult(Tally):
    """The requests of the window, all together and by class; `seconds` is the window's length.

    `warm_up` are the requests before it. `from_sent_ms` counts from the actual send time, `slip_ms`
    from the intended to the actual one; `void` says that slip was above its limit. `reasons` counts
    failures by reason, warm-up included, and `first_failures` are the first few. `cpu_s` are CPU
    seconds by process. `held_back` counts requests that had to wait for one of `connections`.
    """

    seconds: float
    classes: dict[str, Tally]
    warm_up: Tally
    reasons: dict[str, int]
    first_failures: tuple[Failure, ...]
    from_sent_ms: Milliseconds
    slip_ms: Milliseconds
    void: bool
    connections: int
    held_back: int
    cpu_s: dict[str, float]
    generator_cpu_s: float

    @classmethod
    def from_recording(cls, recording: Recording) -> Self:
        header, measured = recording.header, recording.measured
        return cls(
            **dict(Tally.of(measured)),
            seconds=header.window_s,
            classes={
                name: Tally.of(measured[measured["klass"] == number])
                for number, name in enumerate(header.classes)
            },
            warm_up=Tally.of(recording.requests[recording.requests["warm"]]),
            reasons=header.reasons,
            first_failures=header.first_failures,
            from_sent_ms=Milliseconds.of(recording.from_sent()),
            slip_ms=Milliseconds.of(recording.slips()),
            void=slip_check([recording]).void,
            connections=header.connections,
            held_back=header.held_back,
            cpu_s=header.cpu,
            generator_cpu_s=header.generator_cpu_s,
        )


def load(  # noqa: PLR0913  # the options of a command
    url: Annotated[str, typer.Argument(help="The address: http://host:port.")],
    *,
    workload: Annotated[str, typer.Option(help="A workload file, or: orders, shop, probe.")],
    share: Annotated[
        list[str] | None,
        typer.Option(help="CLASS=SHARE of all requests; the other classes share the rest."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the record of every request; none is kept without it."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second.")] = 50,
    seconds: Annotated[float, typer.Option(min=0, help="Seconds of the window.")] = 30,
    warm_up: Annotated[
        float, typer.Option(min=0, help="Seconds of warm-up before the window.")
    ] = 2,
    arrivals: Annotated[
        str, typer.Option(help="poisson, constant, or a file of times in seconds.")
    ] = POISSON,
    seed: Annotated[int, typer.Option(min=0, help="Seed of schedule and data.")] = 0,
    keys: Annotated[
        Path | None, typer.Option(help="JSON: the API keys of customers by name.")
    ] = None,
    pid: Annotated[
        list[int] | None, typer.Option(help="A local process whose CPU is measured.")
    ] = None,
    cpu: Annotated[int | None, typer.Option(help="The core the generator is pinned to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, no table.")] = False,
) -> None:
    """Send requests at scheduled times, and measure latency from these times (open loop).

    The exit status is 1 where a request failed. Where the generator was late, the output says VOID.
    """
    console = Console()
    with tempfile.TemporaryDirectory(prefix="borough-load-") as folder:
        try:
            job = Job(
                doors={"": (url,)},
                workload=workload,
                shares=_shares(share or ()),
                out=out or Path(folder, "records.npz"),
                seconds=seconds,
                rate=rate,
                arrivals=arrivals,
                warm_up_s=warm_up,
                seed=seed,
                customers={} if keys is None else read_keys(keys),
                pids={f"process {number}": number for number in pid or ()},
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise JobFailed(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        recording = asyncio.run(_run(job, cpu, console, quiet=as_json))
    if as_json:
        typer.echo(LoadResult.from_recording(recording).model_dump_json())
    else:
        console.print(_table(LoadResult.from_recording(recording)))
        kept = [] if out is None else [f"Every request's record is in {out}."]
        for sentence in (*sentences(recording), *kept):
            console.print(sentence, highlight=False, markup=False)
    raise typer.Exit(1 if recording.failed else 0)


def _shares(options: Iterable[str]) -> dict[str, float]:
    """The shares by class. Raises JobFailed for a wrong or repeated CLASS=SHARE."""
    shares: dict[str, float] = {}
    for option in options:
        name, _, share = option.partition("=")
        try:
            number = float(share)
        except ValueError:
            raise JobFailed(f"--share {option}: it is CLASS=SHARE, like order=0.6") from None
        if name in shares:
            raise JobFailed(f"--share {option}: {name} has a share already")
        shares[name] = number
    return shares


async def _run(job: Job, cpu: int | None, console: Console, *, quiet: bool) -> Recording:
    with Progress(console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("starting", total=job.warm_up_s + job.seconds)

        def show(progress: generator.Progress) -> None:
            bar.update(
                task,
                completed=job.warm_up_s + job.seconds - progress.left_s,
                description=f"{progress.served:,} served, {progress.failed:,} failed",
            )

        async with Generator(cpu) as process:
            return await process.run(job, show)


def _table(found: LoadResult) -> Table:
    times = (Column(name, justify="right") for name in HEADINGS)
    table = Table(Column("", no_wrap=True), *times, title="Milliseconds")
    rows = {
        "from intended send": found.latency_ms,
        "from actual send": found.from_sent_ms,
        "slip: sent late by": found.slip_ms,
    }
    if len(found.classes) > 1:
        rows |= {f"{name}, from intended": each.latency_ms for name, each in found.classes.items()}
    for name, values in rows.items():  # a dash: there are too few requests for that quantile
        table.add_row(name, *("-" if value is None else f"{value:.2f}" for _, value in values))
    return table


def sentences(recording: Recording) -> Iterator[str]:
    """What happened besides latency, and what voids the latencies."""
    header, slip = recording.header, slip_check([recording])
    requests = len(recording.measured)
    pace = f"{requests / header.window_s:,.0f} a second over {header.window_s:.1f} s"
    yield f"{recording.served:,} of {requests:,} served, {pace}, {header.connections} connections."
    for what, number in header.reasons.items():
        yield f"{number:,} times, warm-up included: {what}"
    if header.held_back:
        yield f"{header.held_back:,} requests had to wait: every connection was busy."
    for name, seconds in header.cpu.items() if recording.served else ():
        yield f"{name}: {seconds / recording.served * 1e6:,.0f} us of CPU a served request."
    yield f"The generator used {header.generator_cpu_s / requests * 1e6:,.0f} us of CPU a request."
    if slip.void:
        yield (
            f"VOID: 99 % of slip is {slip.p99_s * 1e3:.1f} ms, above {SLIP_LIMIT_S * 1e3:.0f} ms: "
            "the generator was late, so the latencies are not those of the server."
        )
