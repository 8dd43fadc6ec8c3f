"""The bill: whether to believe the measurement first, and what everything cost only then.

A void bill has no lines at all, so that nobody can print or quote them.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.checks.check import Check
from borough_bill.checks.every import checks
from borough_bill.lines.cpu import PartCost, cpu_lines, parts
from borough_bill.lines.hops import Edge, edges, hop_lines
from borough_bill.lines.ladder import Ladder, cpu_ladder, hop_ladders, latency_ladder, telemetry
from borough_bill.lines.latency import latency
from borough_bill.lines.line import Line
from borough_bill.lines.memory import memory
from borough_bill.lines.runs import Runs, pooled
from borough_bill.lines.saga import saga
from borough_bill.results import CriticalPath, Machine, Plan, Result
from borough_bill.statistics import holm

PERCENTILES = tuple(range(100))
"""What a curve of latencies has a point for."""


class Curve(BaseModel):
    """All latencies of one subject, all blocks together: ms at each of PERCENTILES, and the mean;
    and the mean from the actual sending on, which is shorter by how late the generator was.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    ms: tuple[float, ...]
    mean: float
    from_sent: float


class Bill(BaseModel):
    """What one result says. All but `checks` is empty where it is void."""

    model_config = ConfigDict(frozen=True)

    kind: str
    created: datetime
    seed: int
    commit: str
    machine: Machine
    plan: Plan
    notes: tuple[str, ...]
    checks: tuple[Check, ...]
    lines: tuple[Line, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    hop_ladders: tuple[Ladder, ...] = ()
    edges: tuple[Edge, ...] = ()
    parts: tuple[PartCost, ...] = ()
    curves: tuple[Curve, ...] = ()
    critical_path: CriticalPath | None = None

    @property
    def valid(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def headlines(self) -> int:
        """How many differences were tested together, for Holm."""
        return sum(len(line.cells) for line in self.lines if line.headline)


def bill(result: Result) -> Bill:
    """Check everything; and where all is well, compute every line that the result has data for."""
    runs = Runs(result)
    void = Bill(
        kind=result.kind,
        created=result.created,
        seed=result.seed,
        commit=result.commit,
        machine=result.machine,
        plan=result.plan,
        notes=result.notes,
        checks=checks(runs),
    )
    if not void.valid:
        return void
    families = (latency, hop_lines, cpu_lines, memory, telemetry, saga)
    made = chain.from_iterable(family(runs) for family in families)
    ladders = (latency_ladder(runs), cpu_ladder(runs))
    return void.model_copy(
        update={
            "lines": _tested(tuple(line for line in made if line is not None)),
            "ladders": tuple(ladder for ladder in ladders if ladder is not None),
            "hop_ladders": tuple(hop_ladders(result.hop_ladder)),
            "edges": edges(runs),
            "parts": parts(runs),
            "curves": tuple(_curves(runs)),
            "critical_path": result.critical_path,
        }
    )


def _tested(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines, with all headlines tested at once: with nine at 5 % each, luck alone would make
    one in every third run.
    """
    p_values = {
        (line.id, cell.subject): cell.p for line in lines if line.headline for cell in line.cells
    }
    held = holm(p_values)
    return tuple(
        line.model_copy(
            update={
                "cells": tuple(
                    cell.model_copy(
                        update={"holds": bool(cell.visible) and (line.id, cell.subject) in held}
                    )
                    for cell in line.cells
                )
            }
        )
        if line.headline
        else line
        for line in lines
    )


def _curves(runs: Runs) -> Iterator[Curve]:
    for subject in runs.plan.subjects:
        pool = pooled(runs.windows(subject), "latency")
        if pool is not None and subject != runs.plan.again:
            at = (np.array(PERCENTILES) / 100).tolist()
            yield Curve(
                subject=subject,
                ms=tuple(pool.quantile(p) for p in at),
                mean=_mean(runs, subject, "latency"),
                from_sent=_mean(runs, subject, "from_sent"),
            )


def _mean(runs: Runs, subject: str, kind: Literal["latency", "from_sent"]) -> float:
    """Over all served requests, in ms."""
    windows = [window for window in runs.windows(subject) if getattr(window, kind) is not None]
    times = [getattr(window, kind).mean for window in windows]
    weights = [window.served for window in windows]
    return float(np.average(times, weights=weights))
