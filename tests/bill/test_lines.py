"""Does what was planted stand on the right line, and on no other?"""

import re
from collections.abc import Callable

import pytest

from borough_bill.analysis.bill import Bill, bill
from borough_bill.analysis.lines.line import Cell, Line
from borough_bill.analysis.lines.runs import cpu
from borough_bill.analysis.statistics import Interval
from borough_bill.report.sections import climb
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
    """The one line of this title."""
    (one,) = [line for line in found.lines if (line.title, line.about) == (title, about)]
    return one


def cell(found: Line, subject: str) -> Cell:
    """A subject on a line."""
    (one,) = [cell for cell in found.cells if cell.subject == subject]
    return one


def holds(interval: Interval, truth: float) -> bool:
    """Whether an interval twice as wide contains it: of the many that are asked, one in twenty of
    95 % would not, and one in six hundred of these. One of exact values may be off by rounding.
    """
    assert interval.high is not None
    return abs(truth - interval.mean) <= 2 * interval.half_width + 1e-6


@pytest.fixture(scope="module")
def found(measured: Result) -> Bill:
    """The bill of the valid measurement."""
    return bill(measured)


def test_every_line_has_all_that_a_reader_needs(found: Bill) -> None:
    """Value per shape, paired difference, interval, unit, source, and a sentence with them."""
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
    ("title", "truth"),
    [
        ("latency, mean", (0.8, 0.9, 3.5)),
        ("CPU of an order", (500, 600, 2600)),
        ("memory, RSS of all processes", (160, 80, 400)),
        ("CPU at no load", (0.8, 0.4, 2.0)),
        ("hops of an order", (0, 1, 1)),
        ("hop tax of an order", (0, 700, 700)),
    ],
)
def test_planted_differences_are_within_their_intervals(
    title: str, truth: tuple[float, ...], found: Bill
) -> None:
    """Of every shape, on every line."""
    for subject, planted in zip(SHAPES, truth, strict=True):
        assert holds(cell(line(found, title), subject).change, planted), subject


def test_a_delay_in_one_capability_stands_on_its_line(
    planted: Callable[..., Result], found: Bill
) -> None:
    """Two milliseconds in payments: in its handler and in the latency, but in no tax and no CPU."""
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


def test_a_difference_it_cannot_resolve_is_printed_as_such(planted: Callable[..., Result]) -> None:
    """A hundredth of a millisecond drowns in the noise, and the line says what would not. Where the
    noise is small beside the monolith's value, that is a decision; where it is large, it is none.
    """
    for noise, decision, words in (
        (0.02, "no difference", "; apis no different (a difference could be seen from 0."),
        (0.15, "undecided", "; apis undecided (a difference could be seen from 1."),
    ):
        costs = LATENCY_MS | {"apis": 6.01, "extract-payments": 9.0}
        found = line(bill(planted(noise=noise, latency_ms=costs)), "latency, mean")
        hidden = cell(found, "apis")

        assert hidden.decision == decision
        assert hidden.holds is False
        assert cell(found, "extract-payments").decision == "differs"
        assert words in found.sentence


def test_a_difference_within_what_twins_differ_by_is_none(measured: Result) -> None:
    """Memory that an identical twin holds too much by a constant says nothing of a shape."""
    extra = {"monolith-again": 3.5, "apis": 3.0}
    windows = tuple(
        one.model_copy(update={"rss_mib": {"app-0": 80.0 + extra.get(one.subject, 0)}})
        for one in measured.windows
    )
    found = line(
        bill(measured.model_copy(update={"windows": windows})), "memory, RSS of all processes"
    )

    assert found.smallest == pytest.approx(3.5)
    assert cell(found, "apis").change.excludes_zero
    assert cell(found, "apis").decision == "no difference"


def test_a_subject_that_wavers_is_not_told_from_chance(measured: Result) -> None:
    """Twins may agree to the byte: what decides then is the subject's own interval."""
    windows = tuple(
        one.model_copy(
            update={"rss_mib": {"app-0": 80 + (one.subject == "apis") * (9 * (one.block % 2) - 4)}}
        )
        for one in measured.windows
    )
    found = line(
        bill(measured.model_copy(update={"windows": windows})), "memory, RSS of all processes"
    )

    assert found.smallest == 0
    assert cell(found, "apis").change.mean == pytest.approx(0.5)
    assert cell(found, "apis").decision == "no difference"
    assert cell(found, "apis").smallest == pytest.approx(cell(found, "apis").change.half_width)


def test_only_what_was_served_is_divided_by(measured: Result) -> None:
    """A request that failed cost CPU too, and the answered ones pay for it."""
    window = measured.windows[0]
    spoilt = window.model_copy(update={"served": window.served // 2, "failed": window.served // 2})

    assert cpu(spoilt) == pytest.approx(2 * (cpu(window) or 0))
    assert cpu(window.model_copy(update={"served": 0})) is None


def test_quantiles_need_answers_beyond_them(found: Bill) -> None:
    """Sixty answers have a p90; a p99 takes all blocks together, and then has no interval."""
    pooled = cell(line(found, "latency, p99 of all blocks together"), "microservices")

    assert cell(line(found, "latency, p90"), "microservices").change.n == 10
    assert pooled.change.low is None
    assert pooled.decision is None
    assert pooled.change.mean > 3.5
    told = line(found, "latency, p99 of all blocks together").sentence
    assert told.endswith("one reading each, so no difference is claimed.")
    assert "longer" not in told


def test_the_price_is_split_into_saga_and_boundary(found: Bill) -> None:
    """Against one transaction: 3.5 ms of saga in every shape, 3.5 ms of boundaries on top."""
    saga = line(found, "latency, mean", "saga")

    assert saga.reference == "baseline"
    assert holds(cell(saga, "monolith").change, 3.5)
    assert holds(cell(saga, "microservices").change, 7.0)
    assert "are the saga and its separate stores, paid in monolith too, and" in saga.sentence
    assert cell(line(found, "commits of an order", "saga"), "monolith").change.mean == 3


def test_watching_has_its_own_line(found: Bill) -> None:
    """Metrics and traces against the rung that has neither."""
    watching = line(found, "CPU of an order", "telemetry")

    assert holds(cell(watching, "traces, 100 %, exported (T7b)").change, 1000)


def test_the_ladder_adds_up(found: Bill) -> None:
    """What the steps add is what was climbed; the residual is what they leave."""
    for ladder in found.ladders:
        steps = {step.rung: step for step in ladder.steps}
        added = [steps[rung].added for rung in ("T1", "T3", "T5", "T6")]
        assert ladder.measured is not None
        assert ladder.residual is not None
        assert sum(one.mean for one in added if one) == pytest.approx(ladder.climbed.mean)
        assert ladder.climbed.mean + ladder.residual.mean == pytest.approx(ladder.measured.mean)
    assert [ladder.unit for ladder in found.ladders] == ["ms", "us"]
    assert len(found.hop_ladders) == 4


def test_an_order_ladder_is_held_against_hops_alone(found: Bill) -> None:
    """One hop of 0.8 x 552 us, once an order, is a sixth of the 2,600 us that the rungs add; one
    that is asked now and then is three times as dear here.
    """
    latency, cpu_ladder = (" ".join(climb(found, ladder)) for ladder in found.ladders)

    assert re.search(r"1.00 hops, .* come to 44\d µs \(1 in flight: 44\d µs each\)", cpu_ladder)
    assert re.search(r" and 1,3\d\d µs \(asked every 20 ms: 1,3\d\d µs each\);", cpu_ladder)
    assert "3.30 ms of the 10.20 ms on the critical path are hops (32 %)" in latency


def test_parts_add_up_to_their_shape(found: Bill) -> None:
    """The pieces of a bar are as long as the bar."""
    whole = cell(line(found, "CPU of an order"), "microservices").value.mean
    pieces = [cost.cpu.mean for cost in found.parts if cost.subject == "microservices"]

    assert len(pieces) == 6
    assert sum(pieces) == pytest.approx(whole)


def test_replicas_of_a_part_are_one_part(measured: Result) -> None:
    """What is scaled is the part, so its replicas share a line."""
    windows = tuple(
        one.model_copy(update={"cpu_s": {**one.cpu_s, "app-1": 0.01}}) for one in measured.windows
    )
    found = bill(measured.model_copy(update={"windows": windows}))

    assert [cost.part for cost in found.parts if cost.subject == "extract-payments"] == [
        "app",
        "payments",
    ]


def test_a_class_has_its_own_line(measured: Result) -> None:
    """Of a mixed workload every class is told apart, since a mean of browsing hides an order."""
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


def test_unknown_deployments_have_the_lines_they_can_have(measured: Result) -> None:
    """No ladder, no baseline, no auditor, no CPU: latency is compared all the same."""
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


def test_a_line_says_where_it_was_read(measured: Result) -> None:
    """Pods tell of themselves, and what they share nobody tells: there is no line for it."""
    plan = measured.plan.model_copy(update={"sources": {"CPU": "the pods", "memory": "their word"}})
    windows = tuple(one.model_copy(update={"pss_mib": {}}) for one in measured.windows)
    found = bill(measured.model_copy(update={"plan": plan, "windows": windows}))
    assert line(found, "CPU of an order").source == "the pods; waiting for work (D8) is in it"
    assert [one.source for one in found.lines if one.id == "D6"] == ["their word"]


def test_headlines_are_tested_together(found: Bill) -> None:
    """Three shapes by latency, CPU and memory are nine chances to be wrong."""
    assert found.headlines == 9
    assert all(cell.holds for one in found.lines if one.headline for cell in one.cells)
    assert all(cell.holds is None for one in found.lines if not one.headline for cell in one.cells)
