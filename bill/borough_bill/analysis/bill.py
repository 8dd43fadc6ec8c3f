"""The bill: the checks of a result, and the lines of the families that are valid.

Validity belongs to families of lines. A family that a check voids has no line in the bill, so that
none can be printed or quoted. The other families have theirs.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.analysis.checks.check import Check
from borough_bill.analysis.checks.every import checks, measured
from borough_bill.analysis.checks.whole import violations_of
from borough_bill.analysis.families import FAMILIES, NOISE_TOLERANT, Family
from borough_bill.analysis.lines.cpu import PartCost, cpu_lines, parts
from borough_bill.analysis.lines.hops import Edge, edges, hop_lines
from borough_bill.analysis.lines.ladder import (
    Ladder,
    cpu_ladder,
    hop_ladders,
    latency_ladder,
    telemetry,
)
from borough_bill.analysis.lines.latency import latency
from borough_bill.analysis.lines.line import Line
from borough_bill.analysis.lines.runs import Runs, pooled
from borough_bill.analysis.lines.saga import saga
from borough_bill.analysis.lines.windows import failures, memory
from borough_bill.analysis.statistics import holm
from borough_bill.results import CriticalPath, Machine, Plan, Result

PERCENTILES = tuple(range(100))
"""The percentiles of a latency curve."""


class Curve(BaseModel):
    """The latencies of one subject over all blocks, in ms: at each of PERCENTILES, and the mean.

    `from_sent` is the mean from the actual send time, which is shorter by the mean slip.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    ms: tuple[float, ...]
    mean: float
    from_sent: float


class Validity(BaseModel):
    """Whether a family was measured, and the names of the checks that void it."""

    model_config = ConfigDict(frozen=True)

    family: Family
    measured: bool
    failed: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether its lines may be printed."""
        return self.measured and not self.failed


class Bill(BaseModel):
    """The bill of one result: the validity of each family, and the lines of the valid ones.

    `blocks` is the number that was measured. `took_s` are the seconds of the run's stages, and
    `stopped` is the reason why no further block was measured. `violations` are those of the
    auditor, with the name of the shape.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    created: datetime
    seed: int
    commit: str
    machine: Machine
    plan: Plan
    notes: tuple[str, ...]
    blocks: int
    took_s: Mapping[str, float] = {}
    stopped: str = ""
    checks: tuple[Check, ...]
    families: tuple[Validity, ...]
    violations: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    hop_ladders: tuple[Ladder, ...] = ()
    edges: tuple[Edge, ...] = ()
    parts: tuple[PartCost, ...] = ()
    curves: tuple[Curve, ...] = ()
    critical_path: CriticalPath | None = None

    @property
    def valid(self) -> tuple[Family, ...]:
        """The families whose lines may be printed."""
        return tuple(one.family for one in self.families if one.valid)

    @property
    def void(self) -> tuple[Family, ...]:
        """The families that were measured and that a check voids."""
        return tuple(one.family for one in self.families if one.measured and one.failed)

    @property
    def required(self) -> tuple[Family, ...]:
        """The families that must be valid for exit status 0: of a demonstration the NOISE_TOLERANT
        ones, of other kinds all; without those that were not measured.
        """
        wanted = NOISE_TOLERANT if self.kind == "preliminary" else FAMILIES
        return tuple(one.family for one in self.families if one.measured and one.family in wanted)

    @property
    def headlines(self) -> int:
        """The number of differences that are tested together (Holm)."""
        return sum(len(line.cells) for line in self.lines if line.headline)


def bill(result: Result) -> Bill:
    """Run every check, and compute the lines of the families that are valid."""
    runs = Runs(result)
    done = checks(runs)
    has = measured(runs)
    checked = Bill(
        kind=result.kind,
        created=result.created,
        seed=result.seed,
        commit=result.commit,
        machine=result.machine,
        plan=result.plan,
        notes=result.notes,
        blocks=len({window.block for window in runs.windows(result.plan.reference)}),
        took_s=result.took_s,
        stopped=result.stopped,
        checks=done,
        families=tuple(_validity(family, done, has) for family in FAMILIES),
        violations=violations_of(runs),
    )
    valid = checked.valid
    families = (latency, hop_lines, cpu_lines, memory, failures, telemetry, saga)
    found = chain.from_iterable(family(runs) for family in families)
    ladders = {"latency": latency_ladder(runs), "CPU": cpu_ladder(runs)}
    return checked.model_copy(
        update={
            "lines": _tested(
                tuple(one for one in found if one is not None and one.family in valid)
            ),
            "ladders": tuple(one for name, one in ladders.items() if one and name in valid),
            "hop_ladders": tuple(hop_ladders(result.hop_ladder)) if "CPU" in valid else (),
            "edges": edges(runs) if "hops" in valid else (),
            "parts": parts(runs) if "CPU" in valid else (),
            "curves": tuple(_curves(runs)) if "latency" in valid else (),
            "critical_path": result.critical_path if "latency" in valid else None,
        }
    )


def _validity(family: Family, done: tuple[Check, ...], has: Collection[Family]) -> Validity:
    failed = tuple(check.name for check in done if family in check.voids and not check.passed)
    return Validity(family=family, measured=family in has, failed=failed)


def _tested(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines, with all headline differences tested together: of nine tests at 5 %, one finds a
    difference by chance in every third run.
    """
    p_values = {
        (line.id, cell.subject): cell.p for line in lines if line.headline for cell in line.cells
    }
    significant = holm(p_values)
    return tuple(
        line.model_copy(
            update={
                "cells": tuple(
                    cell.model_copy(
                        update={"holds": cell.differs and (line.id, cell.subject) in significant}
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
        pool = pooled(runs.instances(subject), "latency")
        if pool is not None and subject != runs.plan.again:
            at = (np.array(PERCENTILES) / 100).tolist()
            yield Curve(
                subject=subject,
                ms=tuple(pool.quantile(p) for p in at),
                mean=_mean(runs, subject, "latency"),
                from_sent=_mean(runs, subject, "from_sent"),
            )


def _mean(runs: Runs, subject: str, kind: Literal["latency", "from_sent"]) -> float:
    """The mean over all served requests of all blocks, in ms."""
    windows = [window for window in runs.instances(subject) if getattr(window, kind) is not None]
    times = [getattr(window, kind).mean for window in windows]
    weights = [window.served for window in windows]
    return float(np.average(times, weights=weights))
