"""The figures of a report, as SVG elements within the page.

Colours of text, background and grid are CSS variables, since the page may be light or dark. Data
have colours that are distinct for colour-blind readers, and labels beside them instead of a legend.
"""

import io
import re
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from borough_bill.analysis.bill import PERCENTILES, Bill
from borough_bill.analysis.formats import number, signed
from borough_bill.analysis.ladder import SHIPPED, Ladder
from borough_bill.analysis.statistics import Interval

INK, QUIET, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
VARIABLES = {INK: "--ink", QUIET: "--quiet", GRID: "--grid", PAPER: "--paper"}
"""Placeholder colours in a figure, and the CSS variables that replace them."""
PALETTE = ("#8a8f98", "#3fa7e0", "#e69f00", "#e0602a", "#1fae84", "#cc79a7", "#b3a526")
"""After Okabe and Ito, Color Universal Design (2008), lightened for dark and light backgrounds."""
LESS, MORE, WHOLE = PALETTE[4], PALETTE[2], PALETTE[0]
WIDTH = 7.6
"""Inches, at 72 points."""
STYLE: Any = {  # matplotlib types the keys as some hundred literals
    "axes.edgecolor": GRID,
    "axes.labelcolor": QUIET,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # part of matplotlib; the font of the page is no wider
    "font.size": 10,
    "grid.color": GRID,
    "svg.fonttype": "none",
    "svg.hashsalt": "borough",  # makes ids reproducible
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "ytick.major.size": 0,
}


def figure(bill: Bill, name: str) -> str:
    """The figure `curves`, `parts` or `ladder-UNIT` as an SVG element. Raises ValueError."""
    with mpl.rc_context(STYLE):
        if name == "curves":
            return _svg(_curves(bill), name)
        if name == "parts":
            return _svg(_parts(bill), name)
        for ladder in bill.ladders:
            if name == f"ladder-{ladder.unit}":
                return _svg(_waterfall(ladder, bill.plan.reference, bill.plan.top or ""), name)
    raise ValueError(f"there is no figure {name}")


def _curves(bill: Bill) -> Figure:
    """Latency over percentile, on an axis that is logarithmic in 1 - percentile."""
    drawn, axes = _empty(3.9)
    shown = np.array(PERCENTILES)
    across = -np.log10(1 - shown / 100)
    for curve, colour in zip(bill.curves, PALETTE, strict=False):
        axes.plot(across, curve.ms, color=colour, linewidth=2)
    ends = _spread([curve.ms[-1] for curve in bill.curves], axes.get_ylim()[1] / 17)
    for curve, end, colour in zip(bill.curves, ends, PALETTE, strict=False):
        axes.text(across[-1] + 0.03, end, curve.subject, color=colour, va="center", weight="bold")
    ticks = {0: "fastest", 50: "50 %", 75: "75 %", 90: "90 %", 95: "95 %", 99: "99 %"}
    axes.set_xticks([-np.log10(1 - percent / 100) for percent in ticks], [*ticks.values()])
    axes.set_xlim(0, 2.72)
    axes.set_ylim(0)
    axes.grid(visible=True)
    axes.set_ylabel("ms")
    axes.set_xlabel(f"{bill.plan.noun}s answered within this time", loc="left")
    return drawn


def _spread(places: Sequence[float], least: float) -> list[float]:
    """The places, moved up so that adjacent ones are at least `least` apart."""
    moved = dict.fromkeys(range(len(places)), 0.0)
    floor = -np.inf
    for index in sorted(moved, key=places.__getitem__):
        floor = moved[index] = max(places[index], floor + least)
    return [moved[index] for index in range(len(places))]


class _Bar(NamedTuple):
    """A row of a waterfall; `added` is the interval of its width, where it has one."""

    name: str
    start: float
    width: float
    colour: str
    added: Interval | None = None


def _waterfall(ladder: Ladder, reference: str, top: str) -> Figure:
    """A waterfall: every rung begins where the one below ended."""
    rows = list(_bars(ladder, reference, top))
    drawn, axes = _empty(0.42 * len(rows) + 0.6)
    far = max(row.start + max(0, row.width, (row.added and row.added.high) or 0) for row in rows)
    for place, row in enumerate(rows):
        end = row.start + row.width
        text, edge = number(row.width, ladder.unit), max(row.start, end)
        axes.barh(place, row.width, left=row.start, color=row.colour, height=0.62)
        if row.added is not None:
            text = signed(row.width, ladder.unit)
            if not row.added.excludes_zero:
                text += ", not significant"
            if row.added.low is not None and row.added.high is not None:
                ends = row.start + row.added.low, row.start + row.added.high
                axes.plot(ends, (place, place), color=INK, linewidth=1.2)
                edge = max(edge, *ends)
        axes.text(edge + far / 90, place, text, va="center")
    axes.set_yticks(range(len(rows)), [row.name for row in rows], color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, far * 1.4)
    _ruled(axes, ladder.unit.replace("us", "µs"))
    return drawn


def _bars(ladder: Ladder, reference: str, top: str) -> Iterator[_Bar]:
    foot = reached = ladder.steps[0].value.mean
    for step in ladder.steps:
        if step.added is None:
            yield _Bar(f"{step.rung}  {step.name}", 0, foot, WHOLE)
            continue
        added = step.added.mean
        name = f"{step.rung}  + {step.name}"
        yield _Bar(name, reached, added, MORE if added > 0 else LESS, step.added)
        reached += added
        if step.rung == SHIPPED:
            yield _Bar(f"= {top} as shipped", 0, reached, WHOLE)
            if (measured := ladder.measured) is not None:
                name = f"{top} - {reference},\nmeasured separately"
                yield _Bar(name, foot, measured.mean, PALETTE[1], measured)


def _parts(bill: Bill) -> Figure:
    """A bar for each shape with a piece for each part; small pieces have no label."""
    subjects = list(dict.fromkeys(cost.subject for cost in bill.parts))
    colours = dict(zip(dict.fromkeys(cost.part for cost in bill.parts), cycle(PALETTE)))
    drawn, axes = _empty(0.5 * len(subjects) + 0.6)
    ends = dict.fromkeys(subjects, 0.0)
    for cost in bill.parts:
        ends[cost.subject] += cost.cpu.mean
    far, reached = max(ends.values()), dict.fromkeys(subjects, 0.0)
    for cost in bill.parts:
        place, start, width = subjects.index(cost.subject), reached[cost.subject], cost.cpu.mean
        axes.barh(place, width, left=start, color=colours[cost.part], height=0.66, edgecolor=PAPER)
        if width / far > len(cost.part) * 0.0165:
            middle = start + width / 2
            axes.text(middle, place, cost.part, ha="center", va="center", color="#111", size=9)
        reached[cost.subject] += width
    for subject, end in ends.items():
        axes.text(end + far / 90, subjects.index(subject), number(end, "us"), va="center")
    axes.set_yticks(range(len(subjects)), subjects, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, far * 1.13)
    _ruled(axes, f"µs of CPU for one {bill.plan.noun}")
    return drawn


def _empty(height: float) -> tuple[Figure, Axes]:
    drawn = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="none")
    axes = drawn.add_subplot(facecolor="none")
    axes.set_axisbelow(True)
    return drawn, axes


def _ruled(axes: Axes, label: str) -> None:
    axes.grid(visible=True, axis="x")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(label, loc="right")


def _svg(drawn: Figure, name: str) -> str:
    """The figure as an SVG element without size and metadata, its ids unique in the page."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg")
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'^<svg [^>]*?(viewBox="[^"]+")[^>]*>', r'<svg role="img" \1>', text)
    text = re.sub(r'xlink:href="#', f'href="#{name}-', text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace("'DejaVu Sans'", "var(--font)")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
