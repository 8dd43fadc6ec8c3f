"""Is the critical path of a trace what the request waited for, and nothing else?

Every expected figure follows from the picture above its test, in which a character is 1 ms.
"""

from collections.abc import Sequence

import pytest

from borough_bill.analysis.paths import (
    IncompleteTrace,
    NoTrace,
    Piece,
    critical_path,
    shares,
    summarise,
)
from borough_bill.targets.collector import Span

MS = 1_000_000


def span(  # noqa: PLR0913  # what a span has
    number: int,
    begin: float,
    end: float,
    *,
    below: int = 0,
    kind: str = "internal",
    capability: str = "orders",
    name: str = "",
    status: int = 0,
    trace: str = "t",
) -> Span:
    """A span from `begin` to `end` ms, below another by number; 0: a root."""
    attributes: dict[str, str | int] = {"http.response.status_code": status} if status else {}
    if kind != "client":
        attributes["borough.capability"] = capability
    return Span(
        trace_id=trace,
        span_id=f"{trace}{number}",
        parent_id=f"{trace}{below}" if below else "",
        links=(),
        name=name or f"span {number}",
        kind=kind,
        start_ns=int(begin * MS),
        end_ns=int(end * MS),
        attributes=attributes,
        resource={},
        status="unset",
    )


def call(
    number: int,
    method: str,
    times: tuple[float, float, float, float],
    *,
    below: int,
    trace: str = "t",
) -> list[Span]:
    """A hop: client span `number`, begun and ended outside, server span `number + 1` inside."""
    begin, arrived, answered, end = times
    return [
        span(number, begin, end, below=below, kind="client", name=method, status=200, trace=trace),
        span(number + 1, arrived, answered, below=number, kind="server",
             capability=method.partition(".")[0], name=f"POST /{method}", trace=trace),
    ]  # fmt: skip  # reads as two spans


def walked(path: Sequence[Piece]) -> list[tuple[str, float, float]]:
    """Pieces as (number of the span, from ms, to ms)."""
    return [(p.span.span_id[1:], p.begin_ns / MS, p.end_ns / MS) for p in path]


# 1  ----------   0..10
# 2   ---         1..4
# 3       --      5..7
def test_sequential_children_are_all_on_the_path() -> None:
    """The time between them belongs to their parent."""
    trace = [span(1, 0, 10), span(2, 1, 4, below=1), span(3, 5, 7, below=1)]

    assert walked(critical_path(trace)) == [
        ("1", 0, 1), ("2", 1, 4), ("1", 4, 5), ("3", 5, 7), ("1", 7, 10),
    ]  # fmt: skip  # a line of time


# 1  ----------   0..10
# 2   ---         1..4    hidden by 3, although it began first
# 3    -----      2..7
# 4           -   8..9
# 5  -            0..1    over before 3 began
def test_concurrent_children_count_by_the_last_to_finish() -> None:
    """A child that overlaps one that finished later adds nothing to the latency."""
    trace = [
        span(1, 0, 10), span(2, 1, 4, below=1), span(3, 2, 7, below=1),
        span(4, 8, 9, below=1), span(5, 0, 1, below=1),
    ]  # fmt: skip  # a picture

    assert walked(critical_path(trace)) == [
        ("5", 0, 1), ("1", 1, 2), ("3", 2, 7), ("1", 7, 8), ("4", 8, 9), ("1", 9, 10),
    ]  # fmt: skip  # a line of time


# 1     ------      3..9
# 2  -----          0..5   begins 3..5
# 3         ----    7..11  counts 7..9
# 4            ---  10..13 is dropped, with what is below it
# 5            --   10..12
def test_child_that_outlasts_its_parent_is_clipped_and_one_outside_is_dropped() -> None:
    """The parent did not wait for work after its own end."""
    trace = [
        span(1, 3, 9), span(2, 0, 5, below=1), span(3, 7, 11, below=1),
        span(4, 10, 13, below=1), span(5, 10, 12, below=4),
    ]  # fmt: skip  # a picture

    assert walked(critical_path(trace)) == [("2", 3, 5), ("1", 5, 7), ("3", 7, 9)]


def test_children_of_a_clipped_child_are_clipped_too() -> None:
    """Otherwise the path would be longer than its root."""
    trace = [span(1, 0, 10), span(2, 5, 15, below=1), span(3, 8, 14, below=2)]

    assert walked(critical_path(trace)) == [("1", 0, 5), ("2", 5, 8), ("3", 8, 10)]


@pytest.mark.parametrize(
    ("overlap", "path"),
    [
        (1.0, [("2", 0, 50), ("3", 50, 100)]),  # 1 % of 100 ms: one after the other, clipped
        (1.1, [("1", 0, 50), ("3", 50, 100)]),  # more: beside each other
    ],
)
def test_children_that_overlap_by_one_percent_are_sequential(
    overlap: float, path: list[tuple[str, float, float]]
) -> None:
    """Clocks are no finer; with a larger overlap the earlier child is not on the path."""
    trace = [span(1, 0, 100), span(2, 0, 50 + overlap, below=1), span(3, 50, 100, below=1)]

    assert walked(critical_path(trace)) == path


def order(trace: str = "t", *, slower: float = 0) -> list[Span]:
    """An order as microservices serve it, 20 ms and `slower`.

    1 POST /v1/orders  0..20
    2 orders.place     1..19       server 3..18
    4 profiles.get     4..8        server 5..7      hidden by 6
    6 inventory.reserve 4..9       server 6..8
    8 payments.charge  10..16      server 11..15
    """
    placed = call(2, "orders.place", (1, 3, 18 + slower, 19 + slower), below=1, trace=trace)
    return [
        span(1, 0, 20 + slower, kind="server", capability="gateway", name="POST /v1/orders",
             trace=trace),
        *placed,
        *call(4, "profiles.get", (4, 5, 7, 8), below=3, trace=trace),
        *call(6, "inventory.reserve", (4, 6, 8, 9), below=3, trace=trace),
        *call(8, "payments.charge", (10, 11, 15 + slower, 16 + slower), below=3, trace=trace),
    ]  # fmt: skip  # a picture


def test_time_of_an_order_is_divided_into_work_and_hops() -> None:
    """A hop is its client span less the server span; work and hops add up to the path."""
    split = shares(order())

    assert split.work == {"gateway": 2, "orders": 4, "inventory": 2, "payments": 4}
    assert split.edges == {
        "orders.place": 3,
        "inventory.reserve": 3,
        "payments.charge": 2,
    }
    assert split.hops == 3
    assert sum(split.work.values()) + sum(split.edges.values()) == split.path_ms == 20


def test_local_call_is_work_and_no_hop() -> None:
    """The spans of the monolith have the same names, and no hop."""
    trace = [
        span(1, 0, 10, kind="server", capability="gateway"),
        span(2, 1, 9, below=1, capability="orders"),
        span(3, 3, 5, below=2, capability="inventory"),
    ]

    assert shares(trace).work == {"gateway": 2, "orders": 6, "inventory": 2}
    assert shares(trace).hops == 0


def test_unanswered_call_is_a_hop_without_a_server() -> None:
    """The caller waited for a refused connection too."""
    trace = [span(1, 0, 10), span(2, 1, 4, below=1, kind="client", name="payments.charge")]

    assert shares(trace).edges == {"payments.charge": 3}


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("t1", "one root, this one 0"),
        ("t3", "t3"),  # the span of orders, which is the parent of the calls
        ("t9", "payments.charge was answered"),
    ],
)
def test_trace_with_a_missing_span_is_refused(lost: str, words: str) -> None:
    """Without the callee's span, its work would count as the hop's."""
    with pytest.raises(IncompleteTrace, match=words):
        critical_path([one for one in order() if one.span_id != lost])


def test_means_are_over_complete_traces_of_the_root() -> None:
    """Traces with another root are skipped; incomplete ones are left out and counted."""
    delivery = [span(1, 0, 99, name="outbox.relay", trace="d")]
    torn = [one for one in order("x") if one.span_id != "x9"]
    rootless = [one for one in order("y") if one.span_id != "y1"]
    spans = [*order("a"), *torn, *delivery, *rootless, *order("b", slower=10)]

    mean = summarise(spans, "POST /v1/orders")

    assert (mean.traces, mean.left_out) == (2, 2)
    assert mean.path_ms == 25
    assert mean.work == {"gateway": 2, "orders": 4, "inventory": 2, "payments": 9}
    assert mean.edges["payments.charge"] == 2
    assert mean.hops == 3


def test_no_complete_trace_is_an_error() -> None:
    """There is no mean over nothing."""
    with pytest.raises(NoTrace, match="POST /v1/orders; 1 were incomplete"):
        summarise(order()[1:], "POST /v1/orders")
