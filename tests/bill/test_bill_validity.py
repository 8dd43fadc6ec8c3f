"""Is a family of lines that cannot be trusted refused, for its reason, and no other with it?"""

from collections.abc import Callable
from typing import Any

import pytest

from bill.verdicts import LOADED, Change, changed, failed, late, void
from borough_bill.analysis.bill import bill
from borough_bill.analysis.lines.ladder import Ladder
from borough_bill.analysis.statistics import Interval
from borough_bill.results import Freeze, Result, Window


def test_an_honest_measurement_is_valid(measured: Result) -> None:
    """Every check passes, and every check has a question and an answer."""
    found = bill(measured)

    assert void(found) == set()
    assert {*found.valid} == {*LOADED, "books"}
    assert len(found.checks) == 20
    for check in found.checks:
        assert check.question.endswith("?")
        assert check.sentence.endswith(".")
        assert check.helps.endswith(".")
        assert check.voids


@pytest.mark.parametrize("seed", range(2, 12))
def test_chance_alone_voids_few_measurements(seed: int, planted: Callable[..., Result]) -> None:
    """Ten seeds, ten valid bills: the limits leave room for honest noise."""
    assert void(bill(planted(seed=seed))) == set()


def test_a_void_family_has_no_lines_and_the_others_have_theirs(measured: Result) -> None:
    """Nothing of latency is printed in any form without its checks; all else is."""
    found = bill(measured.model_copy(update={"freeze": None}))

    assert failed(found) == {"freeze"}
    assert void(found) == {"latency"}
    assert not found.curves
    assert found.critical_path is None
    assert [ladder.unit for ladder in found.ladders] == ["us"]
    assert found.edges
    assert found.parts


def test_a_measurement_without_a_block_is_void_but_for_its_books(measured: Result) -> None:
    """A machine may be so slow that the time is over before the first block."""
    found = bill(measured.model_copy(update={"windows": ()}))

    assert void(found) == LOADED
    assert found.valid == ("books",)


@pytest.mark.parametrize("rung", ["T0", "T3", "T6", "T7b"])
def test_a_gap_in_the_ladder_voids_the_bill(rung: str, measured: Result) -> None:
    """A planted gap: a rung nobody measured, so what it adds would stand on another's line."""
    found = bill(changed(measured, lambda window: None if window.rung == rung else {}))

    assert failed(found) == {"ladder", "closure of latency", "closure of CPU"}
    assert void(found) == {"latency", "CPU"}
    assert any(rung in check.sentence for check in found.checks if check.name == "ladder")


def test_one_window_too_few_is_a_gap(measured: Result) -> None:
    """A rung that is missing from a single block is missing."""
    found = bill(changed(measured, lambda w: None if (w.rung, w.block) == ("T5", 3) else {}))

    assert failed(found) == {"ladder"}


def test_a_bill_without_a_ladder_needs_no_rungs(measured: Result) -> None:
    """A demonstration measures none, and is no less valid for that."""
    plan = measured.plan.model_copy(update={"ladder": False})
    found = bill(changed(measured, lambda w: None if w.rung else {}, plan=plan))

    assert void(found) == set()
    assert not {"ladder", "closure of latency", "closure of CPU"} & {c.name for c in found.checks}
    assert not found.ladders


def test_a_ladder_that_does_not_add_up_voids_the_bill(planted: Callable[..., Result]) -> None:
    """Half a millisecond that no rung explains is 14 % of 3.5 ms, and passes; one ms does not."""
    steps = (6.0, 6.3, 8.0, 8.4)
    near = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 9.0, 9.1, 10)))
    far = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 8.5, 8.6, 9)))

    assert void(near) == set()
    assert failed(far) == {"closure of latency"}
    assert void(far) == {"latency"}


def test_cpu_must_add_up_too(planted: Callable[..., Result]) -> None:
    """Latency may close by accident where the work did not."""
    found = bill(
        planted(noise=0.001, slip_ms=0.01, rungs_us=(4000, 4200, 5700, 6000, 6100, 6650, 7300))
    )

    assert failed(found) == {"closure of CPU"}
    assert void(found) == {"CPU"}


@pytest.mark.parametrize(
    ("residual", "chance", "closes"),
    [
        (1.4, 0.1, True),  # within the limit
        (1.4, 9.0, True),
        (1.8, 1.7, False),  # beyond it, and not by chance
        (1.8, 3.0, True),  # by chance
        (-1.8, 3.0, True),
        (4.9, 5.0, True),
        (5.2, 5.1, False),
        (1.8, 5.1, False),  # by so much of it that it could be anything
    ],
)
def test_a_gap_is_one_that_chance_does_not_explain(
    residual: float,
    chance: float,
    closes: bool,  # noqa: FBT001  # a row of the table
) -> None:
    """Of a difference of 10."""

    def about(mean: float, half: float) -> Interval:
        return Interval(mean=mean, low=mean - half, high=mean + half, n=10)

    ladder = Ladder(
        title="latency", unit="ms", steps=(), climbed=about(10 - residual, 1),
        measured=about(10, 1), residual=about(residual, chance),
    )  # fmt: skip  # one glance

    assert ladder.closes is closes


def test_a_block_without_one_subject_is_not_whole(measured: Result) -> None:
    """The plan is fixed before the data: what was left out is missed, whatever its numbers."""
    found = bill(changed(measured, lambda w: None if (w.subject, w.block) == ("apis", 9) else {}))

    assert failed(found) == {"whole blocks", "blocks"}
    assert void(found) == LOADED
    assert any("apis" in check.sentence for check in found.checks if not check.passed)


@pytest.mark.parametrize("kind", ["failed", "wrong"])
def test_answers_that_failed_or_were_wrong_void_latency(kind: str, measured: Result) -> None:
    """One in six hundred is more than one in a thousand, and in no latency; a cost is off by as
    much, which is less than any line tells.
    """

    def spoil(window: Window) -> dict[str, Any]:
        spoilt = (window.subject, window.block, window.rung) == ("apis", 2, None)
        return {"served": window.served - 1, kind: 1} if spoilt and window.served else {}

    found = bill(changed(measured, spoil))
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
def test_many_failures_void_what_is_shared_out_to_the_served_too(
    lost: int, checks: set[str], families: set[str], measured: Result
) -> None:
    """One request in fifteen: what it cost is paid by the others. One in thirty is not much."""

    def spoil(window: Window) -> dict[str, Any]:
        spoilt = (window.subject, window.rung) == ("apis", None)
        return {"served": window.served - lost, "failed": lost} if spoilt and window.served else {}

    found = bill(changed(measured, spoil))
    assert failed(found) == checks
    assert void(found) == families


def test_a_subject_that_served_nothing_voids_the_bill(measured: Result) -> None:
    """It has slips, but no times and no costs, and breaks nothing but the bill."""

    def deaf(window: Window) -> dict[str, Any]:
        if window.experiment != "shapes" or window.subject != "monolith-again":
            return {}
        return {"served": 0, "failed": window.offered, "latency": None}

    found = bill(changed(measured, deaf))
    assert {"served", "even slip", "A/A latency"} <= failed(found)
    assert not any("nan" in check.value for check in found.checks)


def test_who_is_left_unanswered_is_as_late_as_anybody(measured: Result) -> None:
    """A generator that is late is late where nothing was served, too."""

    def deaf(window: Window) -> dict[str, Any]:
        if window.slip is None:
            return {}
        return {"served": 0, "failed": window.offered, "slip": late(window, 6)}

    assert "slip" in failed(bill(changed(measured, deaf)))


def test_fewer_than_ten_blocks_are_too_few_for_latency_and_cpu(
    planted: Callable[..., Result],
) -> None:
    """Whatever was planned: a plan of nine says nothing of what varies between blocks. Memory, hops
    and failures hardly do.
    """
    found = bill(planted(blocks=9))

    assert failed(found) == {"blocks"}
    assert void(found) == {"latency", "CPU"}
    assert any("Too few blocks" in check.sentence for check in found.checks)
    assert "blocks" not in failed(bill(planted(blocks=10)))
    assert void(bill(planted(blocks=3))) == {"latency", "CPU"}
    assert void(bill(planted(blocks=2))) == LOADED


def test_everybody_may_lose_as_many_if_they_are_very_few(measured: Result) -> None:
    """One in a thousand, of everybody, flatters nobody."""

    def one_lost(window: Window) -> dict[str, Any]:
        many = {"offered": 20 * window.offered, "served": 20 * window.served}
        lost = window.block == 0 and window.slip is not None
        return many | {"served": many["served"] - 1, "failed": 1} if lost else many

    assert "served" not in failed(bill(changed(measured, one_lost)))


def test_one_stall_of_the_generator_does_not_void_the_bill(measured: Result) -> None:
    """A window in which everything left 10 ms late is chance: it widens intervals, and is neither
    systematic nor one request in a hundred of the run.
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
def test_lateness_a_shared_core_and_a_busy_generator_void_latency_and_nothing_else(
    check: str, wrong: Change, right: Change, measured: Result
) -> None:
    """Above 5 ms, 20 % and 70 %: what was measured then is the generator or the machine."""
    found, fine = (
        bill(changed(measured, lambda w: by(w) if w.slip else {}))  # noqa: B023  # called at once
        for by in (wrong, right)
    )

    assert failed(found) == {check}
    assert void(found) == {"latency"}
    assert void(fine) == set()


def test_a_generator_that_is_late_for_one_subject_voids_latency(measured: Result) -> None:
    """Half a millisecond of lateness would be billed to that subject as its latency."""

    def partial(window: Window) -> dict[str, Any]:
        return {"slip": late(window, 0.5)} if window.slip and window.subject == "apis" else {}

    found = bill(changed(measured, partial))
    assert failed(found) == {"even slip"}
    assert void(found) == {"latency"}


@pytest.mark.parametrize(("what", "unit"), [("latency_ms", "latency"), ("cpu_us", "CPU")])
def test_twins_that_differ_void_their_family(
    what: str, unit: str, planted: Callable[..., Result], town: Any
) -> None:
    """If the monolith is not as good as itself, any difference might be nothing."""
    costs = getattr(town, what)
    found = bill(planted(**{what: {**costs, "monolith-again": costs["monolith"] * 1.2}}))

    assert f"A/A {unit}" in failed(found) <= {f"A/A {unit}", f"closure of {unit}"}
    assert void(found) == {unit}


@pytest.mark.parametrize(
    ("what", "unit", "line"), [("latency_ms", "latency", "D1"), ("cpu_us", "CPU", "D4")]
)
def test_twins_that_differ_as_processes_do_bound_the_claims_and_void_nothing(
    what: str, unit: str, line: str, planted: Callable[..., Result], town: Any
) -> None:
    """Enough blocks find any constant difference, however small; no line then claims as little."""
    costs = getattr(town, what)
    found = bill(planted(**{what: {**costs, "monolith-again": costs["monolith"] * 1.05}}))

    (check,) = [check for check in found.checks if check.name == f"A/A {unit}"]
    assert "differ in" in check.sentence
    assert unit not in void(found)
    shown = next(each for each in found.lines if each.id == line)  # of latency, the mean
    assert shown.smallest is not None
    assert shown.smallest > 0.05 * costs["monolith"]


@pytest.mark.parametrize(
    "freeze", [None, Freeze(p95_s=0.5, p99_s=0.001), Freeze(p95_s=0.4, p99_s=0.9)]
)
def test_a_generator_that_misses_a_frozen_server_voids_latency(
    freeze: Freeze | None, measured: Result
) -> None:
    """A closed loop would report a p99 of a millisecond."""
    found = bill(measured.model_copy(update={"freeze": freeze}))
    assert failed(found) == {"freeze"}
    assert void(found) == {"latency"}


def test_a_complaint_of_the_auditor_voids_the_books(measured: Result) -> None:
    """A shape that loses orders is no cheaper; and one that nobody audited may have."""
    complains = {**measured.audits, "apis": ("lost-money: order 7",)}
    unasked = {shape: word for shape, word in measured.audits.items() if shape != "apis"}

    for audits in (complains, unasked):
        found = bill(measured.model_copy(update={"audits": audits}))
        assert failed(found) == {"nothing lost"}
        assert void(found) == {"books"}
        assert any("apis" in check.sentence for check in found.checks if not check.passed)
