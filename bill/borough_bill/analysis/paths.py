"""The critical path of a trace: the span that the request waited for at each instant.

Concurrent calls overlap, so the taxes of all hops of an order add up to more than its latency. Only
the critical path adds to latency. It is a cross-check from spans, independent of the ladder.

The rules are those of CRISP (Zhang et al., USENIX ATC 2022). From the end of a span backwards, take
the child that finished last, then repeatedly the last one that had finished when that one began;
recurse into each. A child that outlasts its parent is clipped. A child wholly outside of its parent
is dropped, since the parent did not wait for it. Children that overlap by up to 1 % of the parent
count as sequential, because clocks and schedulers are no finer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from borough_bill.results import CriticalPath
from borough_bill.targets.collector import Span

OVERLAP = 0.01
"""Share of the parent by which two children may overlap and still count as sequential."""

CAPABILITY = "borough.capability"
STATUS = "http.response.status_code"
CLIENT = "client"
NS_PER_MS = 1e6


class IncompleteTrace(Exception):
    """Spans of a trace are missing, so its critical path is unknown."""


class NoTrace(Exception):
    """There is no complete trace with the root that was asked for."""


class Piece(NamedTuple):
    """A piece of the critical path that belongs to a span itself and not to a child of it."""

    span: Span
    begin_ns: int
    end_ns: int


def critical_path(trace: Sequence[Span]) -> tuple[Piece, ...]:
    """The pieces of the path in order of time, without a gap from the start to the end of the root.

    Raises IncompleteTrace when there is not exactly one root, when the parent of a span is missing,
    or when the server span of an answered call is.
    """
    root, children = _tree(trace)
    return tuple(_backwards(root, root.start_ns, root.end_ns, children))[::-1]


def shares(trace: Sequence[Span]) -> CriticalPath:
    """The critical path of one trace, divided: `work` and `edges` add up to `path_ms`. An edge is
    the client spans of a method less the callee's server spans, which leaves encoding, the network,
    and the callee's stack before its span begins. Raises IncompleteTrace.
    """
    by_id = {span.span_id: span for span in trace}
    work, edges = Counter[str](), Counter[str]()
    pieces = critical_path(trace)
    for span, begin_ns, end_ns in pieces:
        if span.kind == CLIENT:
            edges[span.name] += end_ns - begin_ns
        else:
            work[_capability(span, by_id)] += end_ns - begin_ns
    return CriticalPath(
        traces=1,
        path_ms=(work.total() + edges.total()) / NS_PER_MS,
        hop_ms=edges.total() / NS_PER_MS,
        hops=len({piece.span.span_id for piece in pieces if piece.span.kind == CLIENT}),
        edges={method: ns / NS_PER_MS for method, ns in edges.items()},
        work={capability: ns / NS_PER_MS for capability, ns in work.items()},
    )


def summarise(spans: Iterable[Span], root: str) -> CriticalPath:
    """Mean shares of the traces whose root span has this name, such as `POST /v1/orders`.

    Traces with another root, such as deliveries, are skipped. Incomplete traces are counted as left
    out, and so are those without a root. Raises NoTrace when none is complete.
    """
    traces = defaultdict[str, list[Span]](list)
    for span in spans:
        traces[span.trace_id].append(span)
    found, left_out = [], 0
    for trace in traces.values():
        roots = {span.name for span in trace if not span.parent_id}
        if roots and root not in roots:
            continue
        try:
            found.append(shares(trace))
        except IncompleteTrace:
            left_out += 1
    if not found:
        raise NoTrace(f"no complete trace begins with {root}; {left_out} were incomplete")
    edges = _means([one.edges for one in found])
    return CriticalPath(
        traces=len(found),
        left_out=left_out,
        path_ms=fmean(one.path_ms for one in found),
        hop_ms=sum(edges.values()),
        hops=fmean(one.hops for one in found),
        edges=edges,
        work=_means([one.work for one in found]),
    )


def _tree(trace: Sequence[Span]) -> tuple[Span, Mapping[str, list[Span]]]:
    """The root, and the children of each span. Raises IncompleteTrace."""
    ids = {span.span_id for span in trace}
    roots = [span for span in trace if not span.parent_id]
    children = defaultdict[str, list[Span]](list)
    for span in trace:
        if span.parent_id:
            children[span.parent_id].append(span)
    if len(roots) != 1:
        raise IncompleteTrace(f"a trace has one root, this one {len(roots)}")
    if lost := children.keys() - ids:
        raise IncompleteTrace(f"the parents of some spans are missing: {sorted(lost)}")
    for span in trace:
        if span.kind == CLIENT and span.attributes.get(STATUS) and not children.get(span.span_id):
            raise IncompleteTrace(f"{span.name} was answered, but its server span is missing")
    return roots[0], children


def _backwards(
    span: Span, begin: int, end: int, children: Mapping[str, list[Span]]
) -> Iterator[Piece]:
    """The pieces of the critical path of a span within these bounds (ns), the last one first."""
    slack = OVERLAP * (end - begin)
    at = end
    for child in sorted(children.get(span.span_id, ()), key=lambda c: c.end_ns, reverse=True):
        if min(child.end_ns, end) > at + slack:  # overlaps one that finished later
            continue
        first, last = max(child.start_ns, begin), min(child.end_ns, at)
        if first >= last:  # outside its parent
            continue
        if last < at:
            yield Piece(span, last, at)
        yield from _backwards(child, first, last, children)
        at = first
    if begin < at:
        yield Piece(span, begin, at)


def _capability(span: Span, by_id: Mapping[str, Span]) -> str:
    """The capability of a span: that of the nearest span at or above it that names one."""
    at: Span | None = span
    while at is not None:
        if at.kind != CLIENT and (named := at.attributes.get(CAPABILITY)):
            return str(named)
        at = by_id.get(at.parent_id) if at.parent_id else None
    return "unknown"


def _means(of_each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean by key; a missing key counts as 0."""
    keys = sorted({key for one in of_each for key in one})
    return {key: fmean(one.get(key, 0.0) for one in of_each) for key in keys}
