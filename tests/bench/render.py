"""Rows for a reader: a table on the terminal, and the Markdown of docs/bench.md.

    PYTHONPATH=tests python -m bench.render docs/results/bench.json docs/results/bench-operator.json

prints the page of these runs' rows, and of the facts in the -run.json beside each.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from bench.rows import Row, interval, read

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


def page(runs: Mapping[str, tuple[Sequence[Row], Mapping[str, str]]]) -> str:
    """The rows of each run, under the facts of it, by the name of its file."""
    lines = [
        "# What `make bench` measured",
        "",
        "Generated from `docs/results/` by `make generate`; `make bench` writes the like to",
        "`build/`. Every row is ours beside its peer in one run on one machine, in blocks, in",
        "random order; a ratio is the median over blocks of the ratios within them. Beside it is",
        "the 95 % interval of that median by order statistics, which supposes nothing of how the",
        "ratios are spread; of fewer than six blocks, the lowest and the highest. The operator and",
        "its peer take their turns once.",
    ]
    for name, (rows, facts) in runs.items():
        judged = [row for row in rows if row.met is not None]
        lines += [
            "",
            f"## {name}",
            "",
            *(f"- {fact}: {value}" for fact, value in facts.items()),
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
        low, high = interval(row.ratios) or (min(row.ratios), max(row.ratios))
        ratio += f" ({low:.3f} to {high:.3f})"
    return (row.name, row.unit, _figures(row.ours), peer, ratio, row.goal or "", MET[row.met])


def _figures(value: float) -> str:
    """Three significant figures, as a person writes them."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    read_runs = {Path(path).name: read(Path(path)) for path in sys.argv[1:]}
    sys.stdout.write(page({name: (rows, run["facts"]) for name, (rows, run) in read_runs.items()}))
