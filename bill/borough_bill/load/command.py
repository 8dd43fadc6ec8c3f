"""`borough-bill load`: send a workload to any address, and say how long its answers took.

The one tool for looking at one deployment; what differs between two is for `compare`, which knows
how much of a difference is noise.
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
    url: Annotated[str, typer.Argument(help="Where it is sent: http://host:port.")],
    *,
    workload: Annotated[str, typer.Option(help="A workload file, or: orders, shop, probe.")],
    share: Annotated[
        list[str] | None,
        typer.Option(help="CLASS=SHARE of all requests; the other classes share the rest."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Takes every request's record; else none is kept.")
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, no table.")] = False,
) -> None:
    """Send requests at their times, whatever the answers, and measure these from the times.

    The status is 1 where a request failed. A late generator voids what was measured, and says so.
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


def _shares(words: Iterable[str]) -> dict[str, float]:
    """The shares by class. Raises JobFailed for a word that is no CLASS=SHARE, or says it again."""
    shares: dict[str, float] = {}
    for word in words:
        name, _, share = word.partition("=")
        try:
            number = float(share)
        except ValueError:
            raise JobFailed(f"--share {word}: it is CLASS=SHARE, like order=0.6") from None
        if name in shares:
            raise JobFailed(f"--share {word}: {name} has a share already")
        shares[name] = number
    return shares


async def _run(job: Job, cpu: int | None, console: Console, *, quiet: bool) -> Recording:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
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


def _table(found: LoadResult) -> Table:
    table = Table(title="Milliseconds")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("from the intended time", *_row(found.latency_ms))
    table.add_row("from the actual sending", *_row(found.from_sent_ms))
    table.add_row("slip: sent so late", *_row(found.slip_ms))
    for name, tally in found.classes.items() if len(found.classes) > 1 else ():
        table.add_row(f"{name}, from intended", *_row(tally.latency_ms))
    return table


def _row(times: Milliseconds) -> list[str]:
    """A dash where there are too few requests to have such a quantile."""
    return ["-" if value is None else f"{value:.2f}" for _, value in times]


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
    return said
