"""`python -m borough_bill`: measure the shapes and print the bill, or see them at work."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from borough_bill.experiments.application import PREFIX, SHOP, CannotMeasure, Options, pairs, select
from borough_bill.experiments.compare import compare
from borough_bill.experiments.drill import drill as show
from borough_bill.experiments.folder import RESULT, Folder, WrongFolder
from borough_bill.experiments.foreign import CannotCompare
from borough_bill.experiments.run import Run
from borough_bill.experiments.scale import DEMO, FULL, QUICK, Scale
from borough_bill.experiments.up import up as start
from borough_bill.load.command import load
from borough_bill.load.customers import NotServed, customers
from borough_bill.load.generator import JobFailed
from borough_bill.load.recording import BrokenRecording
from borough_bill.load.workload import BadWorkload
from borough_bill.report.publish import MissingExtra, need_report, publish
from borough_bill.report.screen import Screen
from borough_bill.results import BrokenResult, read
from borough_bill.statuses import FAILED, INTERRUPTED, LOST, status
from borough_bill.targets.attribution import NotExposed, ProcessGone
from borough_bill.targets.audit import NotCounted
from borough_bill.targets.cluster import Unreachable
from borough_bill.targets.collector import BrokenSpans
from borough_bill.targets.processes import PartDied
from borough_bill.targets.shapes import CommandFailed

WIDTH = 120
"""Columns where there is no terminal to ask."""

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
app.command()(compare)
app.command()(load)
app.command()(customers)

Blocks = Annotated[
    int | None, typer.Option(min=1, help="At least so many, however long they take.")
]
Window = Annotated[float | None, typer.Option(min=0.1, help="Seconds of each window.")]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="Requests a second; chosen by what one costs, and what the core gives, if unset.",
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Repeat a run; random if unset.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Ask for every family of lines: 3 where one is void.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin anew, whatever an interrupted run left.")
]
Where = Annotated[Path, typer.Option("--folder", help="Where everything is written.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Too little to be believed, in half a minute: status 3.")
]
App = Annotated[str | None, typer.Option(help="MODULE:NAME, as of borough; the shop if unset.")]
WorkloadFile = Annotated[
    str | None, typer.Option("--workload", help="What is sent, and what a right answer is.")
]
Compared = Annotated[
    str | None, typer.Option("--shapes", help="Names with commas; every shape there is, if unset.")
]
Reference = Annotated[
    str | None, typer.Option(help="What the others are compared with; a shape of one part.")
]
Keys = Annotated[Path | None, typer.Option(help="JSON: API keys of customers by name.")]
Setting = Annotated[
    list[str] | None, typer.Option(help="NAME=VALUE of every part; borough config lists them.")
]
SeedWith = Annotated[list[str] | None, typer.Option(help="NAME=VALUE for borough seed.")]


def _measuring(scale: Scale, default: Path) -> Callable[..., None]:
    """The command that measures at this scale, and writes into `default` if no folder is given."""

    def measure(  # noqa: PLR0913, PLR0917  # typer reads options from arguments
        blocks: Blocks = None,
        window: Window = None,
        rate: Rate = None,
        seed: Seed = None,
        folder: Where = default,
        quick: Quick = False,
        fresh: Fresh = False,
        strict: Strict = False,
        app: App = None,
        workload: WorkloadFile = None,
        shapes: Compared = None,
        reference: Reference = None,
        keys: Keys = None,
        setting: Setting = None,
        seed_with: SeedWith = None,
    ) -> None:
        need_report()
        given = QUICK if quick else scale
        application, chosen = select(
            Options(app, workload, reference, shapes, keys, setting, seed_with),
            replace(
                given,
                blocks=blocks or given.blocks,
                most=max(given.most, blocks or 0) if given.most else None,
                within_s=None if blocks else given.within_s,
                seconds=window or given.seconds,
                rate=rate,
                seed=seed,
            ),
        )
        console, files = _console(), Folder(folder)
        try:
            with Screen(console, chosen.estimate_s, chosen.bound_s) as screen:
                run = Run(files, chosen, screen.begin, app=application, fresh=fresh)
                result = asyncio.run(run.measure())
        except KeyboardInterrupt:
            left = "Nothing was measured yet."
            if files.unfinished:
                kept = f"{len(files.windows())} windows are in {folder}"
                left = f"{kept}; the same command goes on from there"
            typer.echo(f"\nborough-bill: interrupted. {left}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        raise typer.Exit(status(publish(result, folder, console), strict=strict))

    return measure


app.command(
    "demo",
    help="""Measure what the shapes cost, in at most five minutes, and print a preliminary bill.

    The status is 0 if CPU, memory, hops and books are valid, 3 if one of them is void, and 1 if
    the stores have a violation or lack an answered row.
    """,
)(_measuring(DEMO, Path("build/bill/demo")))
app.command(
    "run",
    help="""Measure what the shapes cost, at length, and print the bill.

    The status is 0 if every family of lines is valid, 3 if one is void, and 1 if the stores have a
    violation or lack an answered row.
    """,
)(_measuring(FULL, Path("build/bill/full")))


@app.command()
def report(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder that holds it.")],
    strict: Strict = False,
) -> None:
    """Print the bill of a stored result again, and write its page anew."""
    need_report()
    path = result / RESULT if result.is_dir() else result
    raise typer.Exit(status(publish(read(path), path.parent, _console()), strict=strict))


@app.command()
def drill(
    seed: Annotated[int | None, typer.Option(help="Repeat a drill; random if unset.")] = None,
) -> None:
    """Place orders in four shapes of the shop, kill a process in each, and run the auditor."""
    chosen = random.SystemRandom().randrange(10_000) if seed is None else seed
    raise typer.Exit(0 if show(chosen, _console(), os.path.relpath(sys.executable)) else LOST)


@app.command()
def up(  # noqa: PLR0913, PLR0917  # as above
    shape: Annotated[str, typer.Argument(help="monolith, roles, apis, ... or extract:NAME")],
    replicas: Annotated[int, typer.Option(min=1, help="Processes of each part.")] = 1,
    shapes_file: Annotated[Path | None, typer.Option(help="A file of shapes of your own.")] = None,
    app: App = None,
    setting: Setting = None,
    seed_with: SeedWith = None,
) -> None:
    """Start a shape on empty stores, say where its doors are, and stop it on Ctrl-C."""
    asyncio.run(
        start(
            shape,
            _console(),
            app=app or SHOP.name,
            replicas=replicas,
            settings=pairs("--setting", setting, PREFIX),
            seed=pairs("--seed-with", seed_with),
            shapes_file=shapes_file,
        )
    )


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def main() -> None:
    """Run, and turn what went wrong into a message and exit status 2.

    SIGTERM ends it as Ctrl-C does: the first process of a container would ignore it otherwise.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except (
        BadWorkload, BrokenRecording, BrokenResult, BrokenSpans, CannotCompare, CommandFailed,
        JobFailed, MissingExtra, NotCounted, NotExposed, NotServed, PartDied, ProcessGone,
        Unreachable, CannotMeasure, WrongFolder,
    ) as failure:  # fmt: skip  # a list of names
        typer.echo(f"\nborough-bill: {failure}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
