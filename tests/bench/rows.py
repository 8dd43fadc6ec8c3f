"""A row of the bench: what ours takes, what a peer takes, and whether the goal is met."""

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import TypeAdapter, ValidationError

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
    ratios where there were blocks. `met` is None where nobody set a goal.
    """

    name: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    goal: str | None
    met: bool | None

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
        goal: Goal | None = None,
    ) -> Self:
        """The row with its verdict. Raises ValueError for a goal about a ratio there is none of."""
        met = None
        if goal is not None:
            value = ours if goal.of == "ours" else ratio
            if value is None:
                raise ValueError(f"{name}: the goal is {goal}, and there is no ratio")
            met = _HOLDS[goal.limit](value, goal.value)
        return cls(
            name, unit, ours, peer, peer_name, ratio, None if goal is None else str(goal), met
        )


def run_file(rows: Path) -> Path:
    """Where the facts and the samples of a run stand: beside its rows."""
    return rows.with_name(f"{rows.stem}-run.json")


def write(rows: Sequence[Row], path: Path) -> None:
    """The list as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> tuple[Row, ...]:
    """The list of such a file. Raises ValueError naming it when it is none."""
    try:
        return TypeAdapter(tuple[Row, ...]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no list of bench rows: {error}") from None
