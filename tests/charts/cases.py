"""The renderings that every test of rendered objects runs on: each chart's examples, every shape,
and other applications than the shop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from borough import app, commands, shapes
from borough.app import App
from borough.compose import load_shapes
from borough.config import Settings
from borough_shop.app import APP
from charts.helm import BOROUGH, OBSERVABILITY, RELEASE, Values, read


@dataclass(frozen=True)
class Case:
    """A chart with values, and the application that they configure."""

    name: str
    chart: Path
    values: Values
    app: App = APP


def _every_shape() -> Iterator[shapes.Shape]:
    known = load_shapes(APP, Settings())
    yield from known.values()
    for capability in APP.calls:
        yield shapes.named(shapes.EXTRACT + capability, known, APP.calls)


SHAPES: Mapping[str, shapes.Shape] = {shape.name: shape for shape in _every_shape()}
"""Those of the table, and each that extracts one capability from the monolith."""

EXAMPLES: tuple[Path, ...] = tuple(p for chart in RELEASE for p in sorted(chart.glob("ci/*.yaml")))
"""The example values files of the charts."""

OTHERS: Mapping[str, str] = {"library": "library.app:APP", "loyalty": "loyalty:APP"}
"""Other applications than the shop: the value of `--app` for each."""


def document(name: str) -> Values:
    """The output of `borough chart --app NAME`."""
    other = app.load(name)
    values: Values = yaml.safe_load(commands.chart(other, other.settings(), name))
    return values


def _cases() -> Iterator[Case]:
    for chart in RELEASE:
        yield Case(chart.name, chart, {})
    for path in EXAMPLES:
        chart = path.parents[1]
        yield Case(f"{chart.name}/{path.stem}", chart, read(path))
    for short, name in OTHERS.items():
        values = {**document(name), "image": {"repository": f"borough-{short}"}}
        yield Case(f"borough/{short}", BOROUGH, values, app.load(name))
        yield Case(f"observability/{short}", OBSERVABILITY, document(name))
    for name in SHAPES:
        yield Case(f"shape={name}", BOROUGH, {"shape": name})


CASES: Mapping[str, Case] = {case.name: case for case in _cases()}
TRIED: tuple[str, ...] = tuple(name for name in CASES if "=" not in name)
"""The cases that differ in more than their shape: the defaults and the examples."""
