"""Service-level objectives: what callers of a capability, or of a part, may rely on. The chart
uses them for its scalers, and the bill for its lines.

An application keeps them in one file, `slo.toml`, a table for each capability or part:

    [gateway]
    availability = { ratio = 0.999, window_days = 30 }
    latency = { ratio = 0.95, threshold_ms = 250 }
"""

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from borough_telemetry.signals import SECONDS_BUCKETS

Ratio = Annotated[float, Field(gt=0, lt=1)]


class WrongObjectives(Exception):
    """An invalid file of objectives; the message names the file, the key and the reason."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Availability(_Table):
    """The share of requests within `window_days` that is answered without a server error."""

    ratio: Ratio
    window_days: Annotated[int, Field(ge=1, le=90)]


class Latency(_Table):
    """The share of requests that is answered within `threshold_ms` milliseconds: a bound of the
    histogram that every part has, so that the share is counted and not estimated.
    """

    ratio: Ratio
    threshold_ms: float

    @field_validator("threshold_ms")
    @classmethod
    def _is_counted(cls, threshold_ms: float) -> float:
        bounds = [round(bound * 1_000, 6) for bound in SECONDS_BUCKETS]
        if threshold_ms not in bounds:
            listed = ", ".join(f"{bound:g}" for bound in bounds)
            raise ValueError(f"durations have no bound of {threshold_ms:g}: {listed}")
        return threshold_ms


class Objectives(_Table):
    """Those of one capability or part: one of the two, or both."""

    availability: Availability | None = None
    latency: Latency | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.availability is None and self.latency is None:
            raise ValueError("the table has neither `availability` nor `latency`")
        return self

    def __str__(self) -> str:
        said = []
        if (one := self.availability) is not None:
            said.append(f"{100 * one.ratio:g} % without a server error in {one.window_days} days")
        if (other := self.latency) is not None:
            said.append(f"{100 * other.ratio:g} % within {other.threshold_ms:g} ms")
        return "; ".join(said)


_TABLES = TypeAdapter(dict[str, Objectives])


def read(file: Traversable) -> Mapping[str, Objectives]:
    """The objectives by the name of a capability or part. Raises WrongObjectives."""
    try:
        return _TABLES.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongObjectives(f"objectives file {file}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise WrongObjectives(f"objectives file {file}, {key}: {why}") from None
