"""Counters, gauges and histograms by signal, each part with series of its own.

Signals are counted with every request, and prometheus_client is thorough where it hurts: 0.8 us for
an observation and 2.1 with an exemplar, where 0.2 do; 10 ms to write 1,000 series down, where 0.4
do. So these series are ours; what comes out is compared with that library's. All that is no signal
is counted with the library itself, and told by `registry`.

There are no locks. A series is written by one thread at a time, the event loop's or the exporter's,
and a reader on the ops port's threads may see a histogram whose sum is one observation behind.

They are told as text for Prometheus: OpenMetrics with exemplars, or the older format without. The
text is written while the part works, by a thread that holds the interpreter's lock meanwhile, and
requests wait for that lock. So it comes in pieces of less than 0.1 ms each, and what reads it lets
others have a turn in between.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from time import time_ns
from typing import Any

from borough_telemetry.signals import BUILD_INFO, OWN, Signal

Exemplar = tuple[int, int]
"""The trace and the span that an observation was made in."""
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


class Number:
    """One series of a counter or a gauge. Where there is a `read`, it is asked for the value when
    the series is told, on the thread that tells.
    """

    __slots__ = ("line", "read", "value")

    def __init__(self, signal: Signal, labels: str) -> None:
        self.line = labelled(signal.series, labels)
        self.value: float = 0.0
        self.read: Callable[[], float] | None = None

    def inc(self, amount: float = 1.0) -> None:
        """Add to it."""
        self.value += amount

    def dec(self, amount: float = 1.0) -> None:
        """Take from it, where it is a gauge."""
        self.value -= amount

    def set(self, value: float) -> None:
        """What a gauge shows from now on."""
        self.value = value


class Histogram:
    """One series of a histogram: observations by bucket, the last exemplar of each."""

    __slots__ = ("bounds", "counts", "exemplars", "lines", "total")

    def __init__(self, signal: Signal, labels: str) -> None:
        self.bounds = signal.buckets
        self.counts = [0] * (len(self.bounds) + 1)
        self.exemplars: list[tuple[Exemplar, float, int] | None] = [None] * len(self.counts)
        """Beside each exemplar its value and its time, in nanoseconds of Unix time."""
        self.total = 0.0
        edges = (*(repr(float(bound)) for bound in self.bounds), "+Inf")
        apart = "," if labels else ""
        self.lines = (
            *(labelled(f"{signal.name}_bucket", f'{labels}{apart}le="{e}"') for e in edges),
            labelled(f"{signal.name}_count", labels),
            labelled(f"{signal.name}_sum", labels),
        )

    def observe(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Count a value; `exemplar` only where that trace is recorded, so that it can be found."""
        place = bisect_left(self.bounds, value)
        self.counts[place] += 1
        self.total += value
        if exemplar is not None:
            self.exemplars[place] = (exemplar, value, time_ns())


class Family:
    """Every series of one signal, by the values of its labels in the order of the signal."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.series: dict[tuple[str, ...], Any] = {}
        self._kind = Histogram if signal.kind == "histogram" else Number

    def labels(self, *values: str) -> Any:
        """The series with these labels: a Histogram or a Number, always the same one. Raises
        ValueError where they are too many or too few.
        """
        found = self.series.get(values)
        if found is not None:
            return found
        if len(values) != len(self.signal.labels):
            raise ValueError(f"{self.signal.name} has the labels {self.signal.labels}: {values}")
        pairs = zip(self.signal.labels, values, strict=True)
        text = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
        return self.series.setdefault(values, self._kind(self.signal, text))

    def named(self, labels: Mapping[str, str]) -> Any:
        """The same, by the names of the labels."""
        if labels.keys() != set(self.signal.labels):
            raise ValueError(f"{self.signal.name} has the labels {self.signal.labels}: {labels}")
        return self.labels(*(labels[name] for name in self.signal.labels))


class Metrics:
    """Every signal of one part. A counter without labels that is among `signals` is exposed from
    the start, so that its first increase is seen; every other series once it has a value.
    """

    def __init__(self, build: Mapping[str, str], signals: Iterable[Signal] = ()) -> None:
        self._families: dict[Signal, Family] = {}
        for signal in (*OWN, *signals):
            family = self._family(signal)
            if signal.kind == "counter" and not signal.labels:
                family.labels()
        self._family(BUILD_INFO).named(build).set(1)

    def __getitem__(self, signal: Signal) -> Any:
        """The family of a signal; where it has no labels, its only series. For whoever counts once
        a request: keep what `labels` answered.
        """
        family = self._family(signal)
        return family if signal.labels else family.labels()

    def count(self, signal: Signal, by: int = 1, /, **labels: str) -> None:
        """Add to a counter."""
        self._family(signal).named(labels).inc(by)

    def watch(self, signal: Signal, read: Callable[[], float], **labels: str) -> None:
        """A counter or gauge that is read when it is told, on the thread that tells: `read` must
        not wait. Where it fails, the series is left out.
        """
        self._family(signal).named(labels).read = read

    def pieces(self, form: Format, log: Any) -> Iterator[bytes]:
        """Every series as text, without an END, in pieces that are written one at a time: each
        of LINES lines at most. A series that fails to be read is left out; the log says it.
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
