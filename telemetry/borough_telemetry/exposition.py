"""Metrics as text, for Prometheus: OpenMetrics with exemplars, or the older format without.

The text is written while the part works, by a thread that holds the interpreter's lock meanwhile,
and requests wait for that lock. So it comes in pieces of less than 0.1 ms each, and whoever wants
it lets others have a turn in between.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from borough_telemetry.metrics import Family

LINES = 200
"""Of a piece at most: about 70 us."""
END = b"# EOF\n"
"""Of an exposition in OpenMetrics, so that a reader knows it has it all."""


class Format(Enum):
    """The two formats, by content type."""

    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    TEXT = "text/plain; version=0.0.4; charset=utf-8"

    @classmethod
    def wanted(cls, accept: str) -> "Format":
        """What an Accept header asks for: OpenMetrics where it is named, else what curl and
        promtool can read.
        """
        return cls.OPENMETRICS if "application/openmetrics-text" in accept else cls.TEXT


def labelled(name: str, labels: str) -> str:
    """The head of a sample's line, which never changes."""
    return f"{name}{{{labels}}} " if labels else f"{name} "


def pieces(families: Iterable["Family"], form: Format, log: Any) -> Iterator[bytes]:
    """Every series of the families, at most LINES lines at a time; END is not among them.
    A series that fails to be read is left out; the log says it.
    """
    piece: list[str] = []
    for line in _lines(families, form, log):
        piece.append(line)
        if len(piece) == LINES:
            yield "".join(piece).encode()
            piece.clear()
    yield "".join(piece).encode()


def _lines(families: Iterable["Family"], form: Format, log: Any) -> Iterator[str]:
    for family in families:
        signal = family.signal
        if not family.series:
            continue
        if form is Format.OPENMETRICS:
            name, kind = signal.name, signal.kind
        else:
            name, kind = signal.series, "gauge" if signal.kind == "info" else signal.kind
        yield f"# HELP {name} {signal.help}\n"
        yield f"# TYPE {name} {kind}\n"
        for series in tuple(family.series.values()):  # others add to it meanwhile
            if signal.kind == "histogram":
                yield from _histogram(series, form)
            else:
                yield _number(series, log)


def _number(series: Any, log: Any) -> str:
    try:
        value = float(series.value if series.read is None else series.read())
    except Exception:  # whatever a part's own code may raise
        log.warning("metric left out: it cannot be read", metric=series.line.strip(), exc_info=True)
        return ""
    return f"{series.line}{value!r}\n"


def _histogram(series: Any, form: Format) -> Iterator[str]:
    counts, total = tuple(series.counts), series.total
    seen = 0
    for line, count, exemplar in zip(series.lines, counts, series.exemplars, strict=False):
        seen += count
        if exemplar is None or form is Format.TEXT:
            yield f"{line}{seen}.0\n"
        else:
            (trace, span), value, moment = exemplar
            ids = f'trace_id="{trace:032x}",span_id="{span:016x}"'
            yield f"{line}{seen}.0 # {{{ids}}} {value!r} {moment / 1e9:.3f}\n"
    yield f"{series.lines[-2]}{seen}.0\n"
    yield f"{series.lines[-1]}{total!r}\n"
