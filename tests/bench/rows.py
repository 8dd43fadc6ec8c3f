"""A row of the bench: what ours takes, what a peer takes, and whether the goal is met."""

import json
import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import TypeAdapter, ValidationError

LEVEL = 0.95
"""Of the interval of a ratio."""
Limit = Literal["<=", ">="]
_HOLDS: dict[Limit, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


class Goal(NamedTuple):
    """What must hold: `Goal("ratio", "<=", 0.1)`."""

    of: Literal["ours", "ratio"]
    limit: Limit
    value: float

    def __str__(self) -> str:
        return f"{self.of} {self.limit} {round(self.value, 3):g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `bench.json`. `ratio` is ours over the peer's, as the subject says: a median of
    `ratios`, of which there is one a block. `met` is None where there is no goal.
    """

    name: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    goal: str | None
    met: bool | None
    ratios: tuple[float, ...] = ()
    """In the file of the run, and not of the rows."""

    @classmethod
    def judged(  # noqa: PLR0913  # a row has so many columns
        cls,
        name: str,
        unit: str,
        ours: float,
        *,
        peer: float | None = None,
        peer_name: str | None = None,
        ratio: float | None = None,
        ratios: Sequence[float] = (),
        goal: Goal | None = None,
    ) -> Self:
        """The row with its verdict; `ratio` is the median of `ratios` unless it is given.

        Raises ValueError for a goal about a ratio there is none of.
        """
        if ratio is None and ratios:
            ratio = statistics.median(ratios)
        met = None
        if goal is not None:
            value = ours if goal.of == "ours" else ratio
            if value is None:
                raise ValueError(f"{name}: the goal is {goal}, and there is no ratio")
            met = _HOLDS[goal.limit](value, goal.value)
        said = None if goal is None else str(goal)
        return cls(name, unit, ours, peer, peer_name, ratio, said, met, tuple(ratios))


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """Where the true median of independent values lies with at least this probability; None where
    there are too few to say, which at 0.95 are fewer than six.

    The ends are order statistics: of n values the k-th lowest and the k-th highest miss the median
    with probability 2 P(B < k), B binomial of n and 1/2 (the sign test turned round). Nothing is
    supposed of how the values are spread, so one block that another process disturbed moves the
    ends by one rank at most.
    """
    ordered, n = sorted(values), len(values)
    missed, found = 0.0, None
    for k in range(n // 2):
        missed += 2 * math.comb(n, k) / 2**n
        if missed > 1 - level:
            break
        found = ordered[k], ordered[n - 1 - k]
    return found


def run_file(rows: Path) -> Path:
    """Where the facts, the samples and the ratios of a run stand: beside its rows."""
    return rows.with_name(f"{rows.stem}-run.json")


def write(rows: Sequence[Row], run: Mapping[str, Any], path: Path) -> None:
    """The list as JSON, and beside it the facts of its `run`, with each row's ratios by block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [asdict(row) for row in rows]
    ratios = {row["name"]: row.pop("ratios") for row in plain}
    for file, content in ((path, plain), (run_file(path), {**run, "ratios": ratios})):
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> tuple[tuple[Row, ...], dict[str, Any]]:
    """The rows of such a file, and its run. Raises ValueError naming it when it is none."""
    try:
        rows = TypeAdapter(tuple[Row, ...]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no list of bench rows: {error}") from None
    run: dict[str, Any] = json.loads(run_file(path).read_text(encoding="utf-8"))
    return tuple(replace(row, ratios=tuple(run["ratios"][row.name])) for row in rows), run
