"""The bill: the checks of a result, and the lines of the families that are valid.

Validity belongs to families of lines. A family that a check voids has no line in the bill, so that
none can be printed or quoted. The other families have theirs.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Literal

import numpy as np

from borough_bill.analysis import lines
from borough_bill.analysis.checks import Check, checks, measured, violations_of
from borough_bill.analysis.ladder import Ladder, cpu_ladder, hop_ladders, latency_ladder
from borough_bill.analysis.line import FAMILIES, Family, Line
from borough_bill.analysis.lines import Edge, PartCost
from borough_bill.analysis.runs import Runs, Windows, pooled
from borough_bill.analysis.statistics import holm
from borough_bill.results import CriticalPath, Frozen, Machine, Plan, Result

LINES = (
    lines.latency,
    lines.hop_lines,
    lines.cpu_lines,
    lines.memory_lines,
    lines.failures,
    lines.telemetry,
    lines.saga,
)
NOISE_TOLERANT: tuple[Family, ...] = ("CPU", "memory", "hops", "books")
"""Families that can be measured on a busy machine; a demonstration requires only these."""
PERCENTILES = tuple(range(100))
"""The percentiles of a latency curve."""


class Curve(Frozen):
    """The latencies of one subject over all blocks, in ms: at each of PERCENTILES, and the mean.

    `from_sent` is the mean from the actual send time, which is shorter by the mean slip.
    """

    subject: str
    ms: tuple[float, ...]
    mean: float
    from_sent: float


class Validity(Frozen):
    """Whether a family was measured, and the names of the checks that void it."""

    family: Family
    measured: bool
    failed: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether its lines may be printed."""
        return self.measured and not self.failed


class Bill(Frozen):
    """The bill of one result: the validity of each family, and the lines of the valid ones.

    `blocks` is the number that was measured. `took_s` are the seconds of the run's stages, and
    `stopped` is the reason why no further block was measured. `violations` are those of the
    auditor, with the name of the shape.
    """

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
    done, has = checks(runs), measured(runs)
    families = tuple(
        Validity(
            family=family,
            measured=family in has,
            failed=tuple(c.name for c in done if family in c.voids and not c.passed),
        )
        for family in FAMILIES
    )
    valid = {one.family for one in families if one.valid}
    found = chain.from_iterable(topic(runs) for topic in LINES)
    ladders = {"latency": latency_ladder(runs), "CPU": cpu_ladder(runs)}
    same = {name: value for name, value in result if name in Bill.model_fields}
    return Bill(
        **same
        | {
            "blocks": len({window.block for window in runs.windows(result.plan.reference)}),
            "checks": done,
            "families": families,
            "violations": violations_of(runs),
            "lines": tuple(_tested([one for one in found if one and one.family in valid])),
            "ladders": tuple(one for name, one in ladders.items() if one and name in valid),
            "hop_ladders": tuple(hop_ladders(result.hop_ladder)) if "CPU" in valid else (),
            "edges": lines.edges(runs) if "hops" in valid else (),
            "parts": lines.parts(runs) if "CPU" in valid else (),
            "curves": tuple(_curves(runs)) if "latency" in valid else (),
            "critical_path": result.critical_path if "latency" in valid else None,
        }
    )


def _tested(lines: list[Line]) -> Iterator[Line]:
    """The lines, with all headline differences tested together: of nine tests at 5 %, one finds a
    difference by chance in every third run.
    """
    significant = holm(
        {(line.id, cell.subject): cell.p for line in lines if line.headline for cell in line.cells}
    )
    for line in lines:
        cells = tuple(
            cell.model_copy(
                update={"holds": cell.differs and (line.id, cell.subject) in significant}
            )
            for cell in line.cells
        )
        yield line.model_copy(update={"cells": cells}) if line.headline else line


def _curves(runs: Runs) -> Iterator[Curve]:
    for subject in runs.plan.subjects:
        windows = runs.instances(subject)
        pool = pooled(windows, "latency")
        if pool is not None and subject != runs.plan.again:
            yield Curve(
                subject=subject,
                ms=tuple(pool.quantile(percent / 100) for percent in PERCENTILES),
                mean=_mean(windows, "latency"),
                from_sent=_mean(windows, "from_sent"),
            )


def _mean(windows: Windows, kind: Literal["latency", "from_sent"]) -> float:
    """The mean over all served requests of all blocks, in ms."""
    found = [(times.mean, w.served) for w in windows if (times := getattr(w, kind)) is not None]
    times, weights = zip(*found, strict=True)
    return float(np.average(times, weights=weights))
