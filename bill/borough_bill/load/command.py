"""`borough-bill load`: attack one address with a workload, and print the latencies.

It measures one deployment. `compare` measures the difference between two, with its interval.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from borough_bill.load import generator
from borough_bill.load.generator import Generator, Job, JobFailed, read_keys
from borough_bill.load.recording import SLIP_LIMIT_S, Recording, slip_check
from borough_bill.load.result import LoadResult, Milliseconds
from borough_bill.load.schedule import POISSON

HEADINGS = ("", "mean", "median", "90 %", "99 %", "99.9 %", "longest")


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
        for sentence in sentences(recording):
            console.print(sentence, highlight=False, markup=False)
        if out is not None:
            console.print(f"Every request's record is in {out}.", highlight=False, markup=False)
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
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("starting", total=job.warm_up_s + job.seconds, left="")

        def show(progress: generator.Progress) -> None:
            bar.update(
                task,
                completed=job.warm_up_s + job.seconds - progress.left_s,
                description=f"{progress.served:,} served, {progress.failed:,} failed",
                left=f"{progress.left_s:.0f} s left",
            )

        async with Generator(cpu) as process:
            return await process.run(job, show)


def _table(found: LoadResult) -> Table:
    table = Table(title="Milliseconds")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("from the intended send time", *_row(found.latency_ms))
    table.add_row("from the actual send time", *_row(found.from_sent_ms))
    table.add_row("slip: sent late by", *_row(found.slip_ms))
    for name, tally in found.classes.items() if len(found.classes) > 1 else ():
        table.add_row(f"{name}, from intended", *_row(tally.latency_ms))
    return table


def _row(times: Milliseconds) -> list[str]:
    """The times as texts; a dash where there are too few requests for that quantile."""
    return ["-" if value is None else f"{value:.2f}" for _, value in times]


def sentences(recording: Recording) -> list[str]:
    """What happened besides latency, and what voids the latencies."""
    header, slip = recording.header, slip_check([recording])
    requests = len(recording.measured)
    pace = f"{requests / header.window_s:,.0f} a second over {header.window_s:.1f} s"
    found = [
        f"{recording.served:,} of {requests:,} served, {pace}, {header.connections} connections."
    ]
    found += [
        f"{number:,} times, warm-up included: {what}" for what, number in header.reasons.items()
    ]
    if header.held_back:
        found.append(f"{header.held_back:,} requests had to wait: every connection was busy.")
    found += [
        f"{name}: {seconds / recording.served * 1e6:,.0f} us of CPU a served request."
        for name, seconds in header.cpu.items()
        if recording.served
    ]
    found.append(
        f"The generator used {header.generator_cpu_s / requests * 1e6:,.0f} us of CPU a request."
    )
    if slip.void:
        found.append(
            f"VOID: 99 % of slip is {slip.p99_s * 1e3:.1f} ms, above {SLIP_LIMIT_S * 1e3:.0f} ms: "
            "the generator was late, so the latencies are not those of the server."
        )
    return found
