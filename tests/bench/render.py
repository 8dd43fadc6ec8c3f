"""Rows for a reader: a table on the terminal, and the Markdown of docs/bench.md.

    PYTHONPATH=tests python -m bench.render docs/results/bench.json

prints the page of a run's rows, and of the facts in bench-run.json beside them.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from bench.rows import Row, read

COLUMNS = ("Row", "Unit", "Ours", "Peer", "Ratio", "Goal", "Met")
RIGHT = {"Ours", "Ratio"}
MET = {True: "yes", False: "no", None: ""}


def terminal(rows: Sequence[Row]) -> Table:
    """The rows in colours."""
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in RIGHT else "left", overflow="fold")
    for row in rows:
        *plain, met = _cells(row)
        colour = {True: "green", False: "red", None: "default"}[row.met]
        table.add_row(*plain, f"[{colour}]{met}[/]")
    return table


def markdown(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """The page: the rows, under the facts of the run that made them."""
    judged = [row for row in rows if row.met is not None]
    lines = [
        "# What `make bench` measured",
        "",
        "Generated from `docs/results/bench.json` by `make generate`; `make bench` writes its like",
        "to `build/`. Every row is ours beside its peer in one run on one machine, in blocks, in",
        "random order; a ratio is the median over blocks of the ratios within them, of which the",
        "lowest and the highest are beside it.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        f"{sum(row.met is True for row in judged)} of {len(judged)} goals are met.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "|".join("---:" if column in RIGHT else "---" for column in COLUMNS) + "|",
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    peer = "" if row.peer is None else f"{_figures(row.peer)} ({row.peer_name})"
    ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
    if row.ratios:
        ratio += f" ({min(row.ratios):.3f} to {max(row.ratios):.3f})"
    return (row.name, row.unit, _figures(row.ours), peer, ratio, row.goal or "", MET[row.met])


def _figures(value: float) -> str:
    """Three significant figures, as a person writes them."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    rows, run = read(Path(sys.argv[1]))
    sys.stdout.write(markdown(rows, run["facts"]))
