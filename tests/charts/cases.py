"""The renderings that every law of this folder is put to: each chart's examples, every shape."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from borough import shapes
from borough.compose import load_shapes
from borough.config import Settings
from borough_shop.app import APP
from charts.helm import BOROUGH, RELEASE, Values, read


@dataclass(frozen=True)
class Case:
    """A chart with values."""

    name: str
    chart: Path
    values: Values


def _every_shape() -> Iterator[shapes.Shape]:
    known = load_shapes(APP, Settings())
    yield from known.values()
    for capability in APP.calls:
        yield shapes.named(shapes.EXTRACT + capability, known, APP.calls)


SHAPES: Mapping[str, shapes.Shape] = {shape.name: shape for shape in _every_shape()}
"""Those of the table, and each that takes one capability out of the monolith."""

EXAMPLES: tuple[Path, ...] = tuple(p for chart in RELEASE for p in sorted(chart.glob("ci/*.yaml")))
"""The values files that come with the charts, to be tried."""


def _cases() -> Iterator[Case]:
    for chart in RELEASE:
        yield Case(chart.name, chart, {})
    for path in EXAMPLES:
        chart = path.parents[1]
        yield Case(f"{chart.name}/{path.stem}", chart, read(path))
    for name in SHAPES:
        yield Case(f"shape={name}", BOROUGH, {"shape": name})


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}
TRIED: tuple[str, ...] = tuple(name for name in CASES if "=" not in name)
"""The cases that differ in more than their shape: the defaults and the examples."""
