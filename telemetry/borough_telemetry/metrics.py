"""Counters, gauges and histograms by signal; each part has its own series.

Every request updates signals. prometheus_client takes 0.8 us for an observation and 2.1 with an
exemplar, this module 0.2; 10 ms to write 1,000 series, this module 0.4. So the series of signals
are implemented here, and tests compare their text with that library's. Other metrics (a user's,
a library's, the process's) are those of prometheus_client, written a family at a time.

There are no locks. One thread writes a series, the event loop's or the exporter's; a reader on
another thread may see a histogram whose sum is one observation behind.

The text is OpenMetrics with exemplars, or the older Prometheus format without. A thread writes it
and holds the interpreter's lock meanwhile, so it is written in pieces that take less than 0.1 ms
each, and the reader pauses between them.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from enum import Enum
from time import time_ns
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.registry import Collector

from borough_telemetry.signals import BUILD_INFO, OWN, Signal

Exemplar = tuple[str, str]
"""Trace id and span id of an observation, hexadecimal."""
LINES = 200
"""The maximum number of lines in a piece, which takes about 70 us."""
END = b"# EOF\n"
"""The last line of an exposition in OpenMetrics."""


class Format(Enum):
    """The two formats, by content type."""

    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    TEXT = "text/plain; version=0.0.4; charset=utf-8"

    @classmethod
    def wanted(cls, accept: str) -> "Format":
        """OpenMetrics where an Accept header names it, else the Prometheus text format."""
        return cls.OPENMETRICS if "application/openmetrics-text" in accept else cls.TEXT


def _labelled(name: str, labels: str) -> str:
    """The constant prefix of a sample's line."""
    return f"{name}{{{labels}}} " if labels else f"{name} "


class Number:
    """One series of a counter or a gauge. `read`, if set, is called for the value at a scrape, on
    the thread that writes the exposition.
    """

    __slots__ = ("line", "read", "value")

    def __init__(self, signal: Signal, labels: str) -> None:
        self.line = _labelled(signal.series, labels)
        self.value: float = 0.0
        self.read: Callable[[], float] | None = None

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount

    def set(self, value: float) -> None:
        self.value = value


class Histogram:
    """One series of a histogram: the observations and the last exemplar of each bucket."""

    __slots__ = ("bounds", "counts", "exemplars", "lines", "total")

    def __init__(self, signal: Signal, labels: str) -> None:
        self.bounds = signal.buckets
        self.counts = [0] * (len(self.bounds) + 1)
        self.exemplars: list[tuple[Exemplar, float, int] | None] = [None] * len(self.counts)
        """Each with its value and its Unix time in ns."""
        self.total = 0.0
        edges = (*(repr(float(bound)) for bound in self.bounds), "+Inf")
        apart = "," if labels else ""
        self.lines = (
            *(_labelled(f"{signal.name}_bucket", f'{labels}{apart}le="{e}"') for e in edges),
            _labelled(f"{signal.name}_count", labels),
            _labelled(f"{signal.name}_sum", labels),
        )

    def observe(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Count a value; pass `exemplar` only if that trace is recorded."""
        place = bisect_left(self.bounds, value)
        self.counts[place] += 1
        self.total += value
        if exemplar is not None:
            self.exemplars[place] = (exemplar, value, time_ns())


class Family:
    """Every series of one signal, by its label values in the order of the signal's labels."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.series: dict[tuple[str, ...], Any] = {}
        self._kind = Histogram if signal.kind == "histogram" else Number

    def labels(self, *values: str) -> Any:
        """The series with these label values, a Histogram or a Number: one object.
        Raises ValueError for a wrong number of values.
        """
        found = self.series.get(values)
        if found is not None:
            return found
        if len(values) != len(self.signal.labels):
            raise ValueError(f"{self.signal.name} has the labels {self.signal.labels}: {values}")
        pairs = zip(self.signal.labels, values, strict=True)
        text = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
        return self.series.setdefault(values, self._kind(self.signal, text))


class Metrics:
    """Every signal of one part. A counter without labels that is among `signals` is exposed from
    the start, so that `rate` has its first increase; every other series once it has a value.
    """

    def __init__(self, build: Mapping[str, str], signals: Iterable[Signal] = ()) -> None:
        self._families: dict[Signal, Family] = {}
        for signal in (*OWN, *signals):
            family = self._family(signal)
            if signal.kind == "counter" and not signal.labels:
                family.labels()
        self.named(BUILD_INFO, build).set(1)

    def __getitem__(self, signal: Signal) -> Any:
        """The Family of a signal; of one without labels, its only series."""
        family = self._family(signal)
        return family if signal.labels else family.labels()

    def named(self, signal: Signal, labels: Mapping[str, str]) -> Any:
        """The series with these labels. Raises ValueError for other labels than the signal's."""
        if labels.keys() != set(signal.labels):
            raise ValueError(f"{signal.name} has the labels {signal.labels}: {labels}")
        return self._family(signal).labels(*(labels[name] for name in signal.labels))

    def pieces(self, form: Format, log: Any) -> Iterator[bytes]:
        """Every series as text without END, in pieces of at most LINES lines. A series whose `read`
        fails is left out, and logged.
        """
        piece: list[str] = []
        for line in _lines(tuple(self._families.values()), form, log):
            piece.append(line)
            if len(piece) == LINES:
                yield "".join(piece).encode()
                piece.clear()
        yield "".join(piece).encode()

    def _family(self, signal: Signal) -> Family:
        found = self._families.get(signal)
        if found is None:
            found = self._families[signal] = Family(signal)
        return found


def _escaped(value: str) -> str:
    return str(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _lines(families: Iterable[Family], form: Format, log: Any) -> Iterator[str]:
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
        for series in tuple(family.series.values()):  # requests add series meanwhile
            if signal.kind == "histogram":
                yield from _histogram(series, form)
            else:
                yield _number(series, log)


def _number(series: Number, log: Any) -> str:
    try:
        value = float(series.value if series.read is None else series.read())
    except Exception:  # `read` may raise anything
        log.warning("metric left out: it cannot be read", metric=series.line.strip(), exc_info=True)
        return ""
    return f"{series.line}{value!r}\n"


def _histogram(series: Histogram, form: Format) -> Iterator[str]:
    counts, total = tuple(series.counts), series.total
    seen = 0
    for line, count, exemplar in zip(series.lines, counts, series.exemplars, strict=False):
        seen += count
        if exemplar is None or form is Format.TEXT:
            yield f"{line}{seen}.0\n"
        else:
            (trace, span), value, moment = exemplar
            ids = f'trace_id="{trace}",span_id="{span}"'
            yield f"{line}{seen}.0 # {{{ids}}} {value!r} {moment / 1e9:.3f}\n"
    yield f"{series.lines[-2]}{seen}.0\n"
    yield f"{series.lines[-1]}{total!r}\n"


# -- metrics beside the signals


class _Reserved(Collector):
    """Reserves names in a registry; it collects no metrics."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = taken

    def describe(self) -> Iterable[Metric]:
        return [Metric(name, "A signal of the part.", "unknown") for name in self._taken]

    def collect(self) -> Iterable[Metric]:
        return ()


class Registry(CollectorRegistry):
    """A registry that refuses the names of the signals."""

    def __init__(self, taken: Collection[str]) -> None:
        super().__init__(auto_describe=True)
        self._taken = frozenset(taken)
        super().register(_Reserved(taken))

    def register(self, collector: Collector) -> None:
        """Raises ValueError if a name is in use."""
        with _explained(self._taken):
            super().register(collector)


def without(registry: CollectorRegistry, taken: Collection[str]) -> CollectorRegistry:
    """The registry, unchanged. Raises ValueError if it has one of the names."""
    reserved = _Reserved(taken)
    with _explained(taken):
        registry.register(reserved)
    registry.unregister(reserved)
    return registry


@contextmanager
def _explained(taken: Collection[str]) -> Iterator[None]:
    """Name the signal in the library's error, which before 0.26 has names only in its text."""
    try:
        yield
    except ValueError as error:
        signals = [name for name in re.findall(r"'([^']*)'", str(error)) if name in taken]
        if not signals:
            raise
        sentence = "is a signal of Borough's telemetry: your metric needs another name"
        raise ValueError(f"{min(signals)} {sentence}") from None


def pieces(
    registry: CollectorRegistry, taken: Collection[str], form: Format, log: Any
) -> Iterator[bytes]:
    """A registry's metrics, a family at a time, without the `_created` series, which would be every
    second line. A family with the name of a signal is omitted and logged; so are those of a
    collector that fails and of later ones.
    """
    write: Any = as_openmetrics if form is Format.OPENMETRICS else as_text
    try:
        for family in registry.collect():
            if family.name in taken:
                log.warning("metric left out: its name is a signal's", metric=family.name)
            else:
                yield write(_Only(family)).removesuffix(END)
    except Exception:  # a collector may fail in any way
        log.warning("metrics left out: a collector failed", exc_info=True)


class _Only:
    """A registry of one family, for the library's writers."""

    def __init__(self, family: Metric) -> None:
        began = f"{family.name}_created"
        self._family = copy(family)  # a collector may return the same object at each scrape
        self._family.samples = [sample for sample in family.samples if sample.name != began]

    def collect(self) -> Iterable[Metric]:
        return (self._family,)
