"""`borough-bill load`: send a workload to any address, and say how long its answers took.

The one tool for looking at one deployment; what differs between two is for `compare`, which knows
how much of a difference is noise.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from borough_bill import generator
from borough_bill.generator import Generator, Job, JobFailed
from borough_bill.recording import SLIP_LIMIT_S, Recording, Seconds, slip_check
from borough_bill.schedule import POISSON

QUANTILES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "99.9 %": 0.999}


def load(  # noqa: PLR0913  # the options of a command
    url: Annotated[str, typer.Argument(help="Where it is sent: http://host:port.")],
    *,
    out: Annotated[Path, typer.Option(help="Takes every request's record.")],
    workload: Annotated[str, typer.Option(help="A workload file, or: orders, shop, probe.")],
    rate: Annotated[float, typer.Option(min=0, help="Requests a second.")] = 50,
    seconds: Annotated[float, typer.Option(min=0, help="Of measuring.")] = 30,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before that.")] = 2,
    arrivals: Annotated[
        str, typer.Option(help="poisson, constant, or a file of times in seconds.")
    ] = POISSON,
    seed: Annotated[int, typer.Option(min=0, help="Of times and choices.")] = 0,
    keys: Annotated[
        Path | None, typer.Option(help="JSON: the API keys of customers by name.")
    ] = None,
    pid: Annotated[
        list[int] | None, typer.Option(help="Of a process here whose CPU is measured too.")
    ] = None,
    cpu: Annotated[int | None, typer.Option(help="The core the generator stays on.")] = None,
) -> None:
    """Send requests at their times, whatever the answers, and measure these from the times."""
    console = Console()
    try:
        job = Job(
            doors={"": (url,)},
            workload=workload,
            out=out,
            seconds=seconds,
            rate=rate,
            arrivals=arrivals,
            warm_up_s=warm_up,
            seed=seed,
            customers={} if keys is None else _customers(keys),
            pids={f"process {number}": number for number in pid or ()},
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise JobFailed(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    recording = asyncio.run(_run(job, cpu, console))
    console.print(_table(recording))
    for sentence in sentences(recording):
        console.print(sentence, highlight=False, markup=False)
    raise typer.Exit(1 if recording.failed or slip_check([recording]).void else 0)


def _customers(keys: Path) -> dict[str, str]:
    """Raises JobFailed for a file that is not what it should be."""
    try:
        return TypeAdapter(dict[str, str]).validate_python(json.loads(keys.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise JobFailed(f"{keys} does not hold API keys by name: {error}") from error


async def _run(job: Job, cpu: int | None, console: Console) -> Recording:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=job.warm_up_s + job.seconds, left="")

        def tell(progress: generator.Progress) -> None:
            bar.update(
                task,
                completed=job.warm_up_s + job.seconds - progress.left_s,
                description=f"{progress.served:,} served, {progress.failed:,} failed",
                left=f"{progress.left_s:.0f} s left",
            )

        async with Generator(cpu) as process:
            return await process.run(job, tell)


def _table(recording: Recording) -> Table:
    table = Table(title="Milliseconds")
    for heading in ("", "mean", *QUANTILES, "longest"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("from the intended time", *_row(recording.latencies()))
    table.add_row("from the actual sending", *_row(recording.from_sent()))
    table.add_row("slip: sent so late", *_row(recording.slips()))
    for name in recording.header.classes if len(recording.header.classes) > 1 else ():
        table.add_row(f"{name}, from intended", *_row(recording.latencies(name)))
    return table


def _row(times: Seconds) -> list[str]:
    """Milliseconds; a dash where there are too few requests to have such a quantile."""
    if not times.size:
        return ["-"] * (len(QUANTILES) + 2)
    quantiles = [
        f"{np.quantile(times, q) * 1e3:.2f}" if times.size * (1 - q) >= 1 else "-"
        for q in QUANTILES.values()
    ]
    return [f"{times.mean() * 1e3:.2f}", *quantiles, f"{times.max() * 1e3:.2f}"]


def sentences(recording: Recording) -> list[str]:
    """What happened besides latency, and what voids the run."""
    header, slip = recording.header, slip_check([recording])
    requests = len(recording.measured)
    pace = f"{requests / header.window_s:,.0f} a second over {header.window_s:.1f} s"
    said = [
        f"{recording.served:,} of {requests:,} served, {pace}, {header.connections} connections."
    ]
    said += [
        f"{number:,} times, warm-up included: {what}" for what, number in header.reasons.items()
    ]
    if header.held_back:
        said.append(f"{header.held_back:,} requests had to wait: every connection was busy.")
    said += [
        f"{name}: {seconds / recording.served * 1e6:,.0f} us of CPU a served request."
        for name, seconds in header.cpu.items()
        if recording.served
    ]
    said.append(
        f"The generator used {header.generator_cpu_s / requests * 1e6:,.0f} us of CPU a request."
    )
    if slip.void:
        said.append(
            f"VOID: 99 % of slip is {slip.p99_s * 1e3:.1f} ms, above {SLIP_LIMIT_S * 1e3:.0f} ms: "
            "the generator was late, and what it found says more of it than of the server."
        )
    said.append(f"Every request's record is in {recording.path}.")
    return said
