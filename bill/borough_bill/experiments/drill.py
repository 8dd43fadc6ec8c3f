"""The drill on the screen: the shop in four shapes, with one process killed in each.

It measures neither speed nor size; the bill does.
"""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from borough_bill.experiments.shape_drill import CUSTOMERS, ORDERS, Finding, drill_shape
from borough_bill.load.customers import Outcome
from borough_bill.targets.shapes import shape_named

SHAPES = ("monolith", "apis", "extract-payments", "microservices")
WHAT_NEXT = """
To place orders yourself: [bold]{python} -m borough_bill up microservices[/] starts a shape, prints
the addresses of its doors, and stops it on Ctrl-C. Every shape answers alike.
"""


def drill(seed: int, console: Console, python: str) -> bool:
    """Show every shape; whether all are clean. `python` is the command that a user would type."""
    console.print(
        f"\n[bold]Borough[/]: one code base, {len(SHAPES)} shapes. In each, {CUSTOMERS} customers "
        f"place {ORDERS} orders; half way\nthrough, one process is killed and restarted. "
        f"Seed {seed}.\n"
    )
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    findings = []
    with _progress(console) as progress, tempfile.TemporaryDirectory(prefix="borough-") as folder:
        for name in SHAPES:
            home = Path(folder, name)
            home.mkdir()
            findings.append(
                asyncio.run(drill_shape(shape_named(name), home, chance, _Line(progress, name)))
            )
    console.print(_table(findings))
    for finding in findings:
        for violation in finding.violations:
            console.print(f"[red]{finding.shape.name}[/]: {violation}", highlight=False)
    clean = all(finding.clean for finding in findings)
    if clean:
        console.print(
            "The auditor read every store: no order lost, charged twice or oversold.\n"
            "The stores hold exactly the orders that the customers were answered."
        )
    console.print(WHAT_NEXT.format(python=python))
    return clean


class _Line:
    """The progress of a shape, as a line on the screen."""

    def __init__(self, progress: Progress, shape: str) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=ORDERS, shape=shape)

    def step(self, what: str) -> None:
        self._progress.update(self._task, description=what)

    def settled(self, outcome: Outcome) -> None:
        self._progress.advance(self._task)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[shape]:17}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=console,
    )


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(show_lines=True)
    for heading in ("Shape", "Parts", "Hops of an order", f"{ORDERS} orders", "Killed", "Auditor"):
        table.add_column(heading)
    for finding in findings:
        noun = "process" if finding.processes == 1 else "processes"
        table.add_row(
            f"[bold]{finding.shape.name}[/]\n{finding.processes} {noun}",
            "\n".join(_part(part, hosted) for part, hosted in finding.shape.parts.items()),
            "\n".join((f"[bold]{finding.hops.total()}[/]", *sorted(finding.hops.elements()))),
            "\n".join(f"{number:3} {word}" for word, number in finding.orders.items()),
            finding.killed,
            "[green]clean[/]" if finding.clean else "[red]violations[/]",
        )
    return table


def _part(part: str, hosted: tuple[str, ...]) -> str:
    return part if hosted == (part,) else f"{part}: {', '.join(hosted)}"
