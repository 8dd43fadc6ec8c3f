"""Is what processes used, called and answered refused where it was not all read, and no more?"""

from typing import Any

import pytest

from bill.verdicts import changed, failed, void
from borough_bill.analysis.bill import bill
from borough_bill.report.sections import missing
from borough_bill.results import Result, Window


def test_requests_that_were_not_sent_void_what_is_said_of_failures(measured: Result) -> None:
    """A request that was forgotten can fail nobody's expectations."""

    def forgotten(window: Window) -> dict[str, Any]:
        spoilt = (window.subject, window.block, window.rung) == ("apis", 2, None)
        return {"offered": 59, "served": 59} if spoilt and window.served else {}

    found = bill(changed(measured, forgotten))
    assert failed(found) == {"sent"}
    assert void(found) == {"failures"}
    assert any("apis" in check.sentence for check in found.checks if not check.passed)


@pytest.mark.parametrize(("fact", "family"), [("cpu_s", "CPU"), ("rss_mib", "memory")])
@pytest.mark.parametrize("left", [0, 1], ids=["none-was-read", "one-was-not-read"])
def test_a_process_that_was_not_read_voids_its_family(
    fact: str, family: str, left: int, measured: Result
) -> None:
    """A window that lacks a process would make its shape cheaper."""

    def unread(window: Window) -> dict[str, Any]:
        if (window.subject, window.block, window.experiment) != ("apis", 3, "shapes"):
            return {}
        return {fact: dict(list(getattr(window, fact).items())[:left])}

    found = bill(changed(measured, unread))
    assert failed(found) == {f"{family} read"}
    assert void(found) == {family}


def test_twins_that_hold_other_memory_void_it(measured: Result) -> None:
    """Some pages more or less are luck; 5 MiB of 80 are something else."""

    def heavier(window: Window) -> dict[str, Any]:
        return {"rss_mib": {"app-0": 85.0}} if window.subject == "monolith-again" else {}

    found = bill(changed(measured, heavier))
    assert failed(found) == {"A/A memory"}
    assert void(found) == {"memory"}


@pytest.mark.parametrize(
    ("calls", "families"), [(90, {"hops"}), (63, set()), (30, set())],
    ids=["tried-again", "almost-never", "several-in-one"],
)  # fmt: skip  # a row a case
def test_calls_that_were_tried_again_void_hops(
    calls: int, families: set[str], measured: Result
) -> None:
    """A retry is a call that an order does not need: half as many again in one block of ten are 5 %
    of all. Fewer calls than usual are events of several orders that went in one.
    """

    def repeated(window: Window) -> dict[str, Any]:
        if (window.subject, window.block, window.rung) != ("microservices", 3, None):
            return {}
        return {"hops": {e: h.model_copy(update={"calls": calls}) for e, h in window.hops.items()}}

    found = bill(changed(measured, repeated))
    assert void(found) == families
    assert failed(found) == ({"hop counts"} if families else set())


def test_a_callee_that_works_longer_than_its_call_voids_hops(measured: Result) -> None:
    """Else its tax would be negative."""

    def reversed_(window: Window) -> dict[str, Any]:
        if window.block != 3:
            return {}
        return {"hops": {e: h.model_copy(update={"server_s": 9.0}) for e, h in window.hops.items()}}

    found = bill(changed(measured, reversed_))
    assert failed(found) == {"hop times"}
    assert void(found) == {"hops"}


def test_where_processes_cannot_be_read_their_families_are_not_measured(measured: Result) -> None:
    """They are neither valid nor void, and the bill says what is missing and why."""

    def unread(window: Window) -> dict[str, Any] | None:
        return None if window.experiment == "idle" else {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}}

    machine = measured.machine.model_copy(update={"kernel": "Darwin 24.1"})
    plan = measured.plan.model_copy(update={"ladder": False})
    found = bill(changed(measured, unread, machine=machine, plan=plan))

    assert void(found) == set()
    assert [one.family for one in found.families if not one.measured] == ["CPU", "memory"]
    assert found.asked == ("hops", "books")
    (sentence,) = missing(found)
    assert sentence.startswith("CPU and memory are not measured here (Darwin 24.1)")
