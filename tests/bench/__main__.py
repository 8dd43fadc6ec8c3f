"""`PYTHONPATH=tests python -m bench`: measure ours beside its peers, and write build/bench.json.

A goal that is missed is printed as missed and never fails the command: a bench reports.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import (
    generator,
    hop,
    isolated,
    kit,
    lag,
    local,
    one_core,
    order_cpu,
    orders,
    parsed,
    parts,
    price,
    relayed,
    scalers,
    scrape,
)
from bench.commits import build
from bench.databases import KINDS
from bench.harness import ROOT, Bench, BenchFailed
from bench.render import terminal
from bench.rows import Row, run_file, write
from bench.sides import SHAPES
from borough_bill.load.generator import JobFailed
from borough_bill.targets.machine import commit, machine
from borough_bill.targets.processes import PartDied
from borough_bill.targets.shapes import CommandFailed

SUBJECTS: Mapping[str, Callable[[Bench], Coroutine[None, None, list[Row]]]] = {
    "local": local.measure,
    "hop": hop.measure,
    "isolated": isolated.measure,
    "price": price.measure,
    "scrape": scrape.measure,
    "parsed": parsed.measure,
    "orders": orders.measure,
    "order-cpu": order_cpu.measure,
    "one-core": one_core.measure,
    "relayed": relayed.measure,
    "lag": lag.measure,
    "kit": kit.measure,
    "parts": parts.measure,
    "generator": generator.measure,
    "operator": scalers.measure,
}
BESIDE = ("order-cpu", "one-core", "relayed", "lag", "kit")
"""Those that compare with another commit: the usual ones where a commit is named, and no others."""
ROUNDS, QUICK_ROUNDS = 5, 1
QUICK_SCALE = 0.05
WIDTH = 160
"""Columns where there is no terminal to ask."""
PEERS = (
    "httpx",
    "opentelemetry-instrumentation-aiohttp-client",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-httpx",
    "opentelemetry-instrumentation-sqlalchemy",
    "prometheus-fastapi-instrumentator",
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def bench(  # noqa: PLR0913  # the options of a command
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SUBJECTS)}.")] = None,
    beside: Annotated[str, typer.Option(help="A commit to compare with.")] = "",
    shape: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SHAPES)}.")] = None,
    database: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(KINDS)}.")] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="See it run; believe no figure.")] = False,
    long: Annotated[bool, typer.Option("--long", help="The generator for ten minutes.")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat a run; random if unset.")] = None,
    out: Annotated[Path, typer.Option(help="Where the rows go.")] = ROOT / "build" / "bench.json",
) -> None:
    """Measure, print the rows, and write them after each subject, lest a failure lose what was
    measured before; beside them all samples they stand on.
    """
    usual = BESIDE if beside else tuple(name for name in SUBJECTS if name not in BESIDE)
    subjects = _of("subject", only, tuple(SUBJECTS), usual)
    shapes = _of("shape", shape, SHAPES, SHAPES)
    databases = _of("database", database, KINDS, KINDS)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="borough-bench-") as folder, console.status("") as line:
        run = Bench(
            rounds=QUICK_ROUNDS if quick else ROUNDS,
            scale=QUICK_SCALE if quick else 1.0,
            long=long,
            seed=random.SystemRandom().randrange(10_000) if seed is None else seed,
            folder=Path(folder),
            beside=build(beside) if beside else None,
            shapes=shapes,
            databases=databases,
            step=lambda what: line.update(f"{time.perf_counter() - began:4.0f} s  {what}"),
        )
        rows, facts = list[Row](), dict[str, str]()
        for name in subjects:
            rows += asyncio.run(SUBJECTS[name](run))
            facts = _facts(run, time.perf_counter() - began)
            write(rows, {"facts": facts, "samples": run.samples}, out)
            console.print(f"{time.perf_counter() - began:4.0f} s  {name} is measured")
    console.print(terminal(rows))
    console.print("\n".join(f"{name}: {value}" for name, value in facts.items()), highlight=False)
    console.print(f"The rows are in {out}, the samples they stand on in {run_file(out)}.")


def _of(
    what: str, asked: Sequence[str] | None, known: Sequence[str], usual: tuple[str, ...]
) -> tuple[str, ...]:
    """What was asked for, or the usual. Raises BadParameter where it is not known."""
    if unknown := sorted(set(asked or ()) - set(known)):
        raise typer.BadParameter(
            f"there is no {what} {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return tuple(asked or usual)


def _facts(run: Bench, seconds: float) -> dict[str, str]:
    """What a reader must know to judge the rows."""
    here = machine()
    packages = {**here.packages, **{name: version(name) for name in PEERS}}
    return {
        "Machine": f"{here.cpu}, {here.cores} cores, {here.memory_gib} GiB",
        "System": f"{here.kernel}, {here.python}",
        "Versions": ", ".join(f"{name} {found}" for name, found in sorted(packages.items())),
        "Commit": commit(),
        **({"Beside": run.beside.name} if run.beside else {}),
        "Run": f"seed {run.seed}, {run.rounds} blocks, {seconds:.0f} s",
    }


def main() -> None:
    """Run, and turn what went wrong into a message and exit status 2."""
    try:
        app()
    except (BenchFailed, CommandFailed, JobFailed, PartDied) as failure:
        typer.echo(f"\nbench: {failure}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
