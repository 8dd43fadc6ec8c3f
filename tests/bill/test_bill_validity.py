"""Does each failed check void its families of lines, and no others?"""

from collections.abc import Callable
from typing import Any

import pytest

from bill.validity import LOADED, Change, changed, failed, late, void
from borough_bill.analysis.bill import bill
from borough_bill.analysis.ladder import Ladder
from borough_bill.analysis.statistics import Interval
from borough_bill.results import Freeze, Result, Window


def test_measurement_without_a_fault_is_valid(measured: Result) -> None:
    """Every check passes, and has a question, an answer and a remedy."""
    found = bill(measured)

    assert void(found) == set()
    assert {*found.valid} == {*LOADED, "books"}
    assert len(found.checks) == 20
    for check in found.checks:
        assert check.question.endswith("?")
        assert check.sentence.endswith(".")
        assert check.remedy.endswith(".")
        assert check.voids


@pytest.mark.parametrize("seed", range(2, 12))
def test_noise_alone_voids_no_measurement(seed: int, planted: Callable[..., Result]) -> None:
    """Ten seeds give ten valid bills: the limits leave room for noise."""
    assert void(bill(planted(seed=seed))) == set()


def test_void_family_has_no_lines_and_the_others_have_theirs(measured: Result) -> None:
    """Without the freeze test there is no figure of latency; all others are there."""
    found = bill(measured.model_copy(update={"freeze": None}))

    assert failed(found) == {"freeze"}
    assert void(found) == {"latency"}
    assert not found.curves
    assert found.critical_path is None
    assert [ladder.unit for ladder in found.ladders] == ["us"]
    assert found.edges
    assert found.parts


def test_measurement_without_a_block_is_void_except_for_its_books(measured: Result) -> None:
    """On a slow machine the time may be over before the first block."""
    found = bill(measured.model_copy(update={"windows": ()}))

    assert void(found) == LOADED
    assert found.valid == ("books",)


@pytest.mark.parametrize("rung", ["T0", "T3", "T6", "T7b"])
def test_missing_rung_voids_latency_and_cpu(rung: str, measured: Result) -> None:
    """Otherwise its cost would be attributed to another rung."""
    found = bill(changed(measured, lambda window: None if window.rung == rung else {}))

    assert failed(found) == {"ladder", "closure of latency", "closure of CPU"}
    assert void(found) == {"latency", "CPU"}
    assert any(rung in check.sentence for check in found.checks if check.name == "ladder")


def test_rung_missing_from_one_block_fails_the_ladder_check(measured: Result) -> None:
    """A rung must be in every block."""
    found = bill(changed(measured, lambda w: None if (w.rung, w.block) == ("T5", 3) else {}))

    assert failed(found) == {"ladder"}


def test_plan_without_a_ladder_is_valid_without_rungs(measured: Result) -> None:
    """A demonstration has no ladder and none of its checks."""
    plan = measured.plan.model_copy(update={"ladder": False})
    found = bill(changed(measured, lambda w: None if w.rung else {}, plan=plan))

    assert void(found) == set()
    assert not {"ladder", "closure of latency", "closure of CPU"} & {c.name for c in found.checks}
    assert not found.ladders


def test_ladder_that_does_not_close_voids_latency(planted: Callable[..., Result]) -> None:
    """A residual of 0.5 ms is 14 % of 3.5 ms and passes; one of 1 ms does not."""
    steps = (6.0, 6.3, 8.0, 8.4)
    near = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 9.0, 9.1, 10)))
    far = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 8.5, 8.6, 9)))

    assert void(near) == set()
    assert failed(far) == {"closure of latency"}
    assert void(far) == {"latency"}


def test_ladder_that_does_not_close_voids_cpu(planted: Callable[..., Result]) -> None:
    """CPU is checked apart from latency."""
    found = bill(
        planted(noise=0.001, slip_ms=0.01, rungs_us=(4000, 4200, 5700, 6000, 6100, 6650, 7300))
    )

    assert failed(found) == {"closure of CPU"}
    assert void(found) == {"CPU"}


@pytest.mark.parametrize(
    ("residual", "chance", "closes"),
    [
        (1.4, 0.1, True),  # within RESIDUAL
        (1.4, 9.0, True),
        (1.8, 1.7, False),  # above it, and significant
        (1.8, 3.0, True),  # above it, and not significant
        (-1.8, 3.0, True),
        (4.9, 5.0, True),
        (5.2, 5.1, False),
        (1.8, 5.1, False),  # not significant, but chance could explain more than CHANCE_LIMIT
    ],
)
def test_ladder_closes_when_the_residual_is_small_or_chance_explains_it(
    residual: float,
    chance: float,
    closes: bool,  # noqa: FBT001  # a row of the table
) -> None:
    """For a difference of 10 between the shapes."""

    def about(mean: float, half: float) -> Interval:
        return Interval(mean=mean, low=mean - half, high=mean + half, n=10)

    ladder = Ladder(
        title="latency", unit="ms", steps=(), climbed=about(10 - residual, 1),
        measured=about(10, 1), residual=about(residual, chance),
    )  # fmt: skip  # one glance

    assert ladder.closes is closes


def test_block_without_a_subject_voids_all_loaded_families(measured: Result) -> None:
    """The plan is fixed before the data, so a missing window is an error."""
    found = bill(changed(measured, lambda w: None if (w.subject, w.block) == ("apis", 9) else {}))

    assert failed(found) == {"whole blocks", "blocks"}
    assert void(found) == LOADED
    assert any("apis" in check.sentence for check in found.checks if not check.passed)


@pytest.mark.parametrize("kind", ["failed", "wrong"])
def test_failed_or_wrong_answers_void_latency(kind: str, measured: Result) -> None:
    """One in 600 is above the limit of one in 1,000 for latency, and below that of the costs."""

    def failing(window: Window) -> dict[str, Any]:
        chosen = (window.subject, window.block, window.rung) == ("apis", 2, None)
        return {"served": window.served - 1, kind: 1} if chosen and window.served else {}

    found = bill(changed(measured, failing))
    assert failed(found) == {"served"}
    assert void(found) == {"latency"}
    (line,) = (line for line in found.lines if line.id == "D14")
    share = {cell.subject: cell.value.mean for cell in line.cells}
    assert share == pytest.approx({"apis": 100 / 600, "extract-payments": 0, "microservices": 0})


@pytest.mark.parametrize(
    ("lost", "checks", "families"),
    [
        (2, {"served"}, {"latency"}),
        (4, {"served", "few failures"}, {"latency", "CPU", "hops"}),
    ],
)
def test_more_than_5_percent_failures_void_cpu_and_hops(
    lost: int, checks: set[str], families: set[str], measured: Result
) -> None:
    """4 of 60 are above the limit, 2 of 60 below it."""

    def failing(window: Window) -> dict[str, Any]:
        chosen = (window.subject, window.rung) == ("apis", None)
        return {"served": window.served - lost, "failed": lost} if chosen and window.served else {}

    found = bill(changed(measured, failing))
    assert failed(found) == checks
    assert void(found) == families


def test_subject_that_served_nothing_fails_checks_without_an_error(measured: Result) -> None:
    """It has slip, but no latency and no cost; no value is NaN."""

    def unserved(window: Window) -> dict[str, Any]:
        if window.experiment != "shapes" or window.subject != "monolith-again":
            return {}
        return {"served": 0, "failed": window.offered, "latency": None}

    found = bill(changed(measured, unserved))
    assert {"served", "even slip", "A/A latency"} <= failed(found)
    assert not any("nan" in check.value for check in found.checks)


def test_slip_of_unserved_requests_is_checked(measured: Result) -> None:
    """Slip does not depend on the answers."""

    def unserved(window: Window) -> dict[str, Any]:
        if window.slip is None:
            return {}
        return {"served": 0, "failed": window.offered, "slip": late(window, 6)}

    assert "slip" in failed(bill(changed(measured, unserved)))


def test_fewer_than_ten_blocks_void_latency_and_cpu(
    planted: Callable[..., Result],
) -> None:
    """Even if nine were planned. Memory, hops and failures need three, since they hardly vary."""
    found = bill(planted(blocks=9))

    assert failed(found) == {"blocks"}
    assert void(found) == {"latency", "CPU"}
    assert any("Too few blocks" in check.sentence for check in found.checks)
    assert "blocks" not in failed(bill(planted(blocks=10)))
    assert void(bill(planted(blocks=3))) == {"latency", "CPU"}
    assert void(bill(planted(blocks=2))) == LOADED


def test_equal_failures_below_one_in_a_thousand_pass(measured: Result) -> None:
    """They favour no subject."""

    def one_lost(window: Window) -> dict[str, Any]:
        many = {"offered": 20 * window.offered, "served": 20 * window.served}
        lost = window.block == 0 and window.slip is not None
        return many | {"served": many["served"] - 1, "failed": 1} if lost else many

    assert "served" not in failed(bill(changed(measured, one_lost)))


def test_one_stall_of_the_generator_voids_nothing(measured: Result) -> None:
    """A window in which every request left 10 ms late widens the intervals. It is not systematic,
    and less than one request in a hundred of the run.
    """

    def stalled(window: Window) -> dict[str, Any]:
        return {"slip": late(window, 10)} if (window.rung, window.block) == ("T3", 4) else {}

    assert void(bill(changed(measured, stalled))) == set()


@pytest.mark.parametrize(
    ("check", "wrong", "right"),
    [
        ("slip", lambda w: {"slip": late(w, 6)}, lambda w: {"slip": late(w, 4)}),
        (
            "own core",
            lambda w: {"others_s": 0.25 * w.seconds},
            lambda w: {"others_s": 0.15 * w.seconds},
        ),
        (
            "generator",
            lambda w: {"generator_cpu_s": 0.71 * w.seconds},
            lambda w: {"generator_cpu_s": 0.69 * w.seconds},
        ),
    ],
)
def test_slip_shared_core_and_busy_generator_void_latency_only(
    check: str, wrong: Change, right: Change, measured: Result
) -> None:
    """Above 5 ms, 20 % and 70 %, latency is that of the generator or the machine."""
    found, fine = (
        bill(changed(measured, lambda w: by(w) if w.slip else {}))  # noqa: B023  # called at once
        for by in (wrong, right)
    )

    assert failed(found) == {check}
    assert void(found) == {"latency"}
    assert void(fine) == set()


def test_slip_for_one_subject_voids_latency(measured: Result) -> None:
    """A slip of 0.5 ms would count as latency of that subject."""

    def partial(window: Window) -> dict[str, Any]:
        return {"slip": late(window, 0.5)} if window.slip and window.subject == "apis" else {}

    found = bill(changed(measured, partial))
    assert failed(found) == {"even slip"}
    assert void(found) == {"latency"}


@pytest.mark.parametrize(("what", "unit"), [("latency_ms", "latency"), ("cpu_us", "CPU")])
def test_instances_that_differ_by_20_percent_void_their_family(
    what: str, unit: str, planted: Callable[..., Result], synthetic: Any
) -> None:
    """Then a difference between shapes may not come from the shapes."""
    costs = getattr(synthetic, what)
    found = bill(planted(**{what: {**costs, "monolith-again": costs["monolith"] * 1.2}}))

    assert f"A/A {unit}" in failed(found) <= {f"A/A {unit}", f"closure of {unit}"}
    assert void(found) == {unit}


@pytest.mark.parametrize(
    ("what", "unit", "line"), [("latency_ms", "latency", "D1"), ("cpu_us", "CPU", "D4")]
)
def test_instances_that_differ_by_5_percent_raise_the_detection_limit(
    what: str, unit: str, line: str, planted: Callable[..., Result], synthetic: Any
) -> None:
    """Enough blocks find any constant difference; the family stays valid, and claims are larger."""
    costs = getattr(synthetic, what)
    found = bill(planted(**{what: {**costs, "monolith-again": costs["monolith"] * 1.05}}))

    (check,) = [check for check in found.checks if check.name == f"A/A {unit}"]
    assert "differ in" in check.sentence
    assert unit not in void(found)
    shown = next(each for each in found.lines if each.id == line)  # of latency, the mean
    assert shown.limit is not None
    assert shown.limit > 0.05 * costs["monolith"]


@pytest.mark.parametrize(
    "freeze", [None, Freeze(p95_s=0.5, p99_s=0.001), Freeze(p95_s=0.4, p99_s=0.9)]
)
def test_wrong_percentiles_of_a_frozen_server_void_latency(
    freeze: Freeze | None, measured: Result
) -> None:
    """A closed loop would report a p99 of about a millisecond."""
    found = bill(measured.model_copy(update={"freeze": freeze}))
    assert failed(found) == {"freeze"}
    assert void(found) == {"latency"}


def test_violation_or_missing_audit_voids_the_books(measured: Result) -> None:
    """A shape that was not audited may have lost orders."""
    violated = {**measured.audits, "apis": ("lost-money: order 7",)}
    unaudited = {shape: found for shape, found in measured.audits.items() if shape != "apis"}

    for audits in (violated, unaudited):
        found = bill(measured.model_copy(update={"audits": audits}))
        assert failed(found) == {"nothing lost"}
        assert void(found) == {"books"}
        assert any("apis" in check.sentence for check in found.checks if not check.passed)
