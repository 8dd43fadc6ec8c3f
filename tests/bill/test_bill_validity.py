"""Is a measurement that cannot be trusted refused, and for the right reason?"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from borough_bill.bill import Bill, bill
from borough_bill.lines.ladder import Ladder
from borough_bill.results import Freeze, Result, Summary, Window
from borough_bill.statistics import Interval


def failed(found: Bill) -> set[str]:
    """The names of the checks that did not pass."""
    return {check.name for check in found.checks if not check.passed}


def changed(
    measured: Result, change: Callable[[Window], dict[str, Any] | None], **facts: object
) -> Result:
    """The measurement with some windows changed, or left out where None is answered."""

    def windows() -> Iterator[Window]:
        for window in measured.windows:
            update = change(window)
            if update is not None:
                yield window.model_copy(update=update)

    return measured.model_copy(update={"windows": tuple(windows()), **facts})


def late(window: Window, ms: float) -> Summary:
    """The slip of a window, made so much worse."""
    assert window.slip is not None
    return Summary.model_validate(
        {
            name: tuple(point + ms for point in value) if name == "sketch" else value + ms
            for name, value in window.slip
        }
    )


def test_an_honest_measurement_is_valid(measured: Result) -> None:
    """Every check passes, and every check has a question and an answer."""
    found = bill(measured)

    assert found.valid
    assert len(found.checks) == 12
    assert found.lines
    for check in found.checks:
        assert check.question.endswith("?")
        assert check.sentence.endswith(".")


@pytest.mark.parametrize("seed", range(2, 12))
def test_chance_alone_voids_few_measurements(seed: int, planted: Callable[..., Result]) -> None:
    """Ten seeds, ten valid bills: the limits leave room for honest noise."""
    assert bill(planted(seed=seed)).valid


def test_a_void_bill_has_no_lines(measured: Result) -> None:
    """Nothing is printed without validity, in no form, so nothing is there to print."""
    void = bill(measured.model_copy(update={"freeze": None}))

    assert failed(void) == {"freeze"}
    told = void.lines, void.ladders, void.hop_ladders, void.edges, void.parts, void.curves
    assert not any(told)
    assert void.critical_path is None


@pytest.mark.parametrize("rung", ["T0", "T3", "T6", "T7b"])
def test_a_gap_in_the_ladder_voids_the_bill(rung: str, measured: Result) -> None:
    """A planted gap: a rung nobody measured, so what it adds would stand on another's line."""
    void = bill(changed(measured, lambda window: None if window.rung == rung else {}))

    assert failed(void) == {"ladder", "closure, latency", "closure, CPU"}
    assert any(rung in check.sentence for check in void.checks if check.name == "ladder")


def test_one_window_too_few_is_a_gap(measured: Result) -> None:
    """A rung that is missing from a single block is missing."""
    void = bill(changed(measured, lambda w: None if (w.rung, w.block) == ("T5", 3) else {}))

    assert failed(void) == {"ladder"}


def test_a_ladder_that_does_not_add_up_voids_the_bill(planted: Callable[..., Result]) -> None:
    """Half a millisecond that no rung explains is 14 % of 3.5 ms, and passes; one ms does not."""
    steps = (6.0, 6.3, 8.0, 8.4)
    near = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 9.0, 9.1, 10)))
    far = bill(planted(noise=0.001, slip_ms=0.01, rungs_ms=(*steps, 8.5, 8.6, 9)))

    assert near.valid
    assert failed(far) == {"closure, latency"}


def test_cpu_must_add_up_too(planted: Callable[..., Result]) -> None:
    """Latency may close by accident where the work did not."""
    void = bill(
        planted(noise=0.001, slip_ms=0.01, rungs_us=(4000, 4200, 5700, 6000, 6100, 6650, 7300))
    )

    assert failed(void) == {"closure, CPU"}


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
    void = bill(changed(measured, lambda w: None if (w.subject, w.block) == ("apis", 9) else {}))

    assert failed(void) == {"blocks"}
    assert any("apis" in check.sentence for check in void.checks if not check.passed)


@pytest.mark.parametrize("kind", ["failed", "wrong"])
def test_answers_that_failed_or_were_wrong_void_the_bill(kind: str, measured: Result) -> None:
    """One in six hundred is more than one in a thousand: an error is a cheap request."""

    def spoil(window: Window) -> dict[str, Any]:
        spoilt = (window.subject, window.block, window.rung) == ("apis", 2, None)
        return {"served": window.served - 1, kind: 1} if spoilt and window.served else {}

    assert failed(bill(changed(measured, spoil))) == {"served"}


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


def test_fewer_than_ten_blocks_are_too_few(planted: Callable[..., Result]) -> None:
    """Whatever was planned: a plan of nine is no measurement of anything."""
    void = bill(planted(blocks=9))

    assert failed(void) == {"blocks"}
    assert any("Too few blocks" in check.sentence for check in void.checks)
    assert "blocks" not in failed(bill(planted(blocks=10)))


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

    assert bill(changed(measured, stalled)).valid


def test_a_slow_generator_voids_the_bill(measured: Result) -> None:
    """Late everywhere by more than 5 ms: what it measured is itself."""
    void = bill(changed(measured, lambda w: {"slip": late(w, 6)} if w.slip is not None else {}))

    assert failed(void) == {"slip"}


def test_a_generator_that_is_late_for_one_subject_voids_the_bill(measured: Result) -> None:
    """Half a millisecond of lateness would be billed to that subject as its latency."""

    def partial(window: Window) -> dict[str, Any]:
        return {"slip": late(window, 0.5)} if window.slip and window.subject == "apis" else {}

    assert failed(bill(changed(measured, partial))) == {"even slip"}


def test_a_busy_generator_voids_the_bill(measured: Result) -> None:
    """Above 70 % of its core requests wait for it."""
    void = bill(changed(measured, lambda w: {"generator_cpu_s": 0.71 * w.seconds}))

    assert failed(void) == {"generator"}


@pytest.mark.parametrize(("what", "unit"), [("latency_ms", "latency"), ("cpu_us", "CPU")])
def test_twins_that_differ_void_the_bill(
    what: str, unit: str, planted: Callable[..., Result], town: Any
) -> None:
    """If the monolith is not as good as itself, any difference might be nothing."""
    costs = getattr(town, what)
    void = bill(planted(**{what: {**costs, "monolith-again": costs["monolith"] * 1.2}}))

    assert failed(void) == {f"A/A {unit}"}


@pytest.mark.parametrize(
    "freeze", [None, Freeze(p95_s=0.5, p99_s=0.001), Freeze(p95_s=0.4, p99_s=0.9)]
)
def test_a_generator_that_misses_a_frozen_server_voids_the_bill(
    freeze: Freeze | None, measured: Result
) -> None:
    """A closed loop would report a p99 of a millisecond."""
    assert failed(bill(measured.model_copy(update={"freeze": freeze}))) == {"freeze"}


def test_a_complaint_of_the_auditor_voids_the_bill(measured: Result) -> None:
    """A shape that loses orders is no cheaper; and one that nobody audited may have."""
    complains = {**measured.audits, "apis": ("lost-money: order 7",)}
    unasked = {shape: word for shape, word in measured.audits.items() if shape != "apis"}

    for audits in (complains, unasked):
        void = bill(measured.model_copy(update={"audits": audits}))
        assert failed(void) == {"nothing lost"}
        assert any("apis" in check.sentence for check in void.checks if not check.passed)
