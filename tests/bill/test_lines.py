"""Is each known cost on its own line, and on no other?"""

import re
from collections.abc import Callable

import pytest

from borough_bill.analysis.bill import Bill, bill
from borough_bill.analysis.line import Cell, Line
from borough_bill.analysis.runs import cpu
from borough_bill.analysis.statistics import Interval
from borough_bill.report.sections import ladder_sentences
from borough_bill.results import Class, Result

DELAY_MS = 2.0
LATENCY_MS = {
    "monolith": 6.0,
    "monolith-again": 6.0,
    "apis": 6.8,
    "extract-payments": 6.9,
    "microservices": 9.5,
    "baseline": 2.5,
}
SHAPES = tuple(n for n in LATENCY_MS if n.partition("-")[0] not in {"monolith", "baseline"})


def line(found: Bill, title: str, about: str = "shapes") -> Line:
    """The only line with this title."""
    (one,) = [line for line in found.lines if (line.title, line.about) == (title, about)]
    return one


def cell(found: Line, subject: str) -> Cell:
    """A subject on a line."""
    (one,) = [cell for cell in found.cells if cell.subject == subject]
    return one


def holds(interval: Interval, value: float) -> bool:
    """Whether an interval twice as wide contains the value. One in 20 of the 95 % intervals does
    not, and one in 600 of these. Exact values may differ by rounding.
    """
    assert interval.high is not None
    return abs(value - interval.mean) <= 2 * interval.half_width + 1e-6


@pytest.fixture(scope="module")
def found(measured: Result) -> Bill:
    """The bill of the valid result."""
    return bill(measured)


def test_every_line_has_unit_source_cells_and_sentence(found: Bill) -> None:
    """The sentence names the reference."""
    for one in found.lines:
        assert one.unit
        assert one.source
        assert one.cells
        assert one.sentence.endswith(".")
        assert one.reference in one.sentence
    assert [one.id for one in found.lines if one.about == "shapes"] == [
        "D1", "D1", "D1", "D1", "D2", "D3", "D4", "D8", "D6", "D6", "D14",
    ]  # fmt: skip  # a row of the bill


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("latency, mean", (0.8, 0.9, 3.5)),
        ("CPU of an order", (500, 600, 2600)),
        ("memory, RSS of all processes", (160, 80, 400)),
        ("CPU at no load", (0.8, 0.4, 2.0)),
        ("hops of an order", (0, 1, 1)),
        ("hop tax of an order", (0, 700, 700)),
    ],
)
def test_known_differences_are_within_their_intervals(
    title: str, known: tuple[float, ...], found: Bill
) -> None:
    """For every shape and line."""
    for subject, value in zip(SHAPES, known, strict=True):
        assert holds(cell(line(found, title), subject).change, value), subject


def test_delay_in_a_handler_is_in_handler_and_latency_only(
    planted: Callable[..., Result], found: Bill
) -> None:
    """2 ms in payments are in its handler and in latency, but in no tax and no CPU."""
    slow = bill(
        planted(
            handler_us=400 + DELAY_MS * 1000,
            latency_ms=LATENCY_MS | {"microservices": 9.5 + DELAY_MS},
            rungs_ms=(6.0, 6.3, 8.4, 9.2 + DELAY_MS, 9.5 + DELAY_MS, 11.55, 12.4),
        )
    )

    (edge,) = [edge for edge in slow.edges if edge.subject == "microservices"]
    assert edge.edge == "payments.charge"
    assert holds(edge.handler, 400 + DELAY_MS * 1000)
    assert holds(edge.tax, 700)
    assert holds(edge.server, 250)
    assert holds(edge.rest, 450)
    assert holds(cell(line(slow, "latency, mean"), "microservices").change, 3.5 + DELAY_MS)
    assert not holds(cell(line(found, "latency, mean"), "microservices").change, 3.5 + DELAY_MS)
    assert holds(cell(line(slow, "CPU of an order"), "microservices").change, 2600)


def test_difference_below_the_detection_limit_is_not_claimed(
    planted: Callable[..., Result],
) -> None:
    """The line has the detection limit. It says "no difference" where noise is small beside the
    monolith's value, and "undecided" where it is large.
    """
    for noise, decision, text in (
        (0.02, "no difference", "; apis no different (detection limit 0."),
        (0.15, "undecided", "; apis undecided (detection limit 1."),
    ):
        costs = LATENCY_MS | {"apis": 6.01, "extract-payments": 9.0}
        found = line(bill(planted(noise=noise, latency_ms=costs)), "latency, mean")
        hidden = cell(found, "apis")

        assert hidden.decision == decision
        assert hidden.holds is False
        assert cell(found, "extract-payments").decision == "differs"
        assert text in found.sentence


def test_difference_within_a_a_is_not_claimed(measured: Result) -> None:
    """A constant difference between two instances of the monolith is no property of a shape."""
    extra = {"monolith-again": 3.5, "apis": 3.0}
    windows = tuple(
        one.model_copy(update={"rss_mib": {"app-0": 80.0 + extra.get(one.subject, 0)}})
        for one in measured.windows
    )
    found = line(
        bill(measured.model_copy(update={"windows": windows})), "memory, RSS of all processes"
    )

    assert found.limit == pytest.approx(3.5)
    assert cell(found, "apis").change.excludes_zero
    assert cell(found, "apis").decision == "no difference"


def test_difference_within_its_own_interval_is_not_claimed(measured: Result) -> None:
    """Where both instances are equal, the detection limit is the subject's own half-width."""
    windows = tuple(
        one.model_copy(
            update={"rss_mib": {"app-0": 80 + (one.subject == "apis") * (9 * (one.block % 2) - 4)}}
        )
        for one in measured.windows
    )
    found = line(
        bill(measured.model_copy(update={"windows": windows})), "memory, RSS of all processes"
    )

    assert found.limit == 0
    assert cell(found, "apis").change.mean == pytest.approx(0.5)
    assert cell(found, "apis").decision == "no difference"
    assert cell(found, "apis").limit == pytest.approx(cell(found, "apis").change.half_width)


def test_cpu_is_divided_by_served_requests(measured: Result) -> None:
    """The CPU of failed requests is divided among the served ones."""
    window = measured.windows[0]
    half = window.model_copy(update={"served": window.served // 2, "failed": window.served // 2})

    assert cpu(half) == pytest.approx(2 * (cpu(window) or 0))
    assert cpu(window.model_copy(update={"served": 0})) is None


def test_quantile_by_window_needs_answers_beyond_it(found: Bill) -> None:
    """60 answers have a p90; the p99 is over all blocks, and has no interval."""
    pooled = cell(line(found, "latency, p99 over all blocks"), "microservices")

    assert cell(line(found, "latency, p90"), "microservices").change.n == 10
    assert pooled.change.low is None
    assert pooled.decision is None
    assert pooled.change.mean > 3.5
    sentence = line(found, "latency, p99 over all blocks").sentence
    assert sentence.endswith("one reading each, so no difference is claimed.")
    assert "longer" not in sentence


def test_price_is_divided_into_saga_and_boundaries(found: Bill) -> None:
    """Against one transaction: 3.5 ms of saga in every shape, and 3.5 ms of boundaries."""
    saga = line(found, "latency, mean", "saga")

    assert saga.reference == "baseline"
    assert holds(cell(saga, "monolith").change, 3.5)
    assert holds(cell(saga, "microservices").change, 7.0)
    assert "are the saga and its separate stores, which monolith has too, and" in saga.sentence
    assert cell(line(found, "commits of an order", "saga"), "monolith").change.mean == 3


def test_telemetry_has_its_own_line(found: Bill) -> None:
    """Metrics and traces are compared with the rung without them."""
    telemetry = line(found, "CPU of an order", "telemetry")

    assert holds(cell(telemetry, "traces, 100 %, exported (T7b)").change, 1000)


def test_steps_of_the_ladder_add_up(found: Bill) -> None:
    """Their sum is `climbed`, and `climbed` plus the residual is `measured`."""
    for ladder in found.ladders:
        steps = {step.rung: step for step in ladder.steps}
        added = [steps[rung].added for rung in ("T1", "T3", "T5", "T6")]
        assert ladder.measured is not None
        assert ladder.residual is not None
        assert sum(one.mean for one in added if one) == pytest.approx(ladder.climbed.mean)
        assert ladder.climbed.mean + ladder.residual.mean == pytest.approx(ladder.measured.mean)
    assert [ladder.unit for ladder in found.ladders] == ["ms", "us"]
    assert len(found.hop_ladders) == 4


def test_ladder_is_cross_checked_with_hops_alone_and_traces(found: Bill) -> None:
    """One hop of 0.8 x 552 us an order is a sixth of the 2,600 us that the rungs add; with a pause
    it costs three times as much here.
    """
    latency, cpu_ladder = (" ".join(ladder_sentences(found, ladder)) for ladder in found.ladders)

    assert re.search(r"1.00 hops, .* cost 44\d µs \(1 in flight: 44\d µs each\)", cpu_ladder)
    assert re.search(r" or 1,3\d\d µs \(called every 20 ms: 1,3\d\d µs each\);", cpu_ladder)
    assert "3.30 ms of the 10.20 ms on the critical path are hops (32 %)" in latency


def test_cpu_of_parts_adds_up_to_their_shape(found: Bill) -> None:
    """The sum over the parts is the value of the line."""
    whole = cell(line(found, "CPU of an order"), "microservices").value.mean
    pieces = [cost.cpu.mean for cost in found.parts if cost.subject == "microservices"]

    assert len(pieces) == 6
    assert sum(pieces) == pytest.approx(whole)


def test_replicas_of_a_part_are_added_up(measured: Result) -> None:
    """There is one figure for each part."""
    windows = tuple(
        one.model_copy(update={"cpu_s": {**one.cpu_s, "app-1": 0.01}}) for one in measured.windows
    )
    found = bill(measured.model_copy(update={"windows": windows}))

    assert [cost.part for cost in found.parts if cost.subject == "extract-payments"] == [
        "app",
        "payments",
    ]


def test_each_class_has_its_own_latency_line(measured: Result) -> None:
    """In a mixed workload, the mean over all classes would hide that of an order."""
    windows = tuple(
        one.model_copy(
            update={
                "classes": {
                    name: Class(offered=30, served=30, latency=one.latency)
                    for name in ("browse", "order")
                }
            }
        )
        for one in measured.windows
    )
    found = bill(measured.model_copy(update={"windows": windows}))

    assert line(found, "latency of browse, mean").cells
    assert line(found, "latency of order, mean").cells


def test_comparison_without_pids_has_latency_and_failures(measured: Result) -> None:
    """There is no ladder, no baseline, no auditor and no CPU."""
    names = {"monolith": "a", "monolith-again": "a-again", "apis": "b"}
    plan = measured.plan.model_copy(
        update={
            "reference": "a", "again": "a-again", "shapes": ("b",), "baseline": None, "top": None,
            "noun": "request", "ladder": False,
        }
    )  # fmt: skip  # a table of what differs
    bare: dict[str, object] = {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}, "transactions": {}}
    windows = tuple(
        one.model_copy(update={"subject": names[one.subject], **bare})
        for one in measured.windows
        if one.subject in names and one.experiment == "shapes"
    )
    found = bill(
        measured.model_copy(
            update={
                "kind": "compare", "plan": plan, "windows": windows, "hop_ladder": (),
                "freeze": None, "audits": {}, "critical_path": None,
            }
        )
    )  # fmt: skip  # likewise

    assert found.valid == ("latency", "failures")
    assert not found.void
    assert {one.id for one in found.lines} == {"D1", "D14"}
    assert holds(cell(line(found, "latency, mean"), "b").change, 0.8)
    assert not found.ladders


def test_line_has_the_source_of_the_plan(measured: Result) -> None:
    """Without PSS there is no line of it."""
    plan = measured.plan.model_copy(
        update={"sources": {"CPU": "the pods", "memory": "their metrics"}}
    )
    windows = tuple(one.model_copy(update={"pss_mib": {}}) for one in measured.windows)
    found = bill(measured.model_copy(update={"plan": plan, "windows": windows}))
    assert line(found, "CPU of an order").source == "the pods; includes CPU at no load (D8)"
    assert [one.source for one in found.lines if one.id == "D6"] == ["their metrics"]


def test_headline_differences_are_tested_together(found: Bill) -> None:
    """Three shapes by latency, CPU and memory are nine tests."""
    assert found.headlines == 9
    assert all(cell.holds for one in found.lines if one.headline for cell in one.cells)
    assert all(cell.holds is None for one in found.lines if not one.headline for cell in one.cells)
