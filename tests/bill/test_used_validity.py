"""Do failed checks of processes and hops void their families, and no others?"""

from typing import Any

import pytest

from bill.validity import changed, failed, void
from borough_bill.analysis.bill import bill
from borough_bill.report.sections import not_measured
from borough_bill.results import Result, Window


def test_requests_that_were_not_sent_void_failures(measured: Result) -> None:
    """A request that was not sent cannot fail."""

    def unsent(window: Window) -> dict[str, Any]:
        chosen = (window.subject, window.block, window.rung) == ("apis", 2, None)
        return {"offered": 59, "served": 59} if chosen and window.served else {}

    found = bill(changed(measured, unsent))
    assert failed(found) == {"sent"}
    assert void(found) == {"failures"}
    assert any("apis" in check.sentence for check in found.checks if not check.passed)


@pytest.mark.parametrize(("fact", "family"), [("cpu_s", "CPU"), ("rss_mib", "memory")])
@pytest.mark.parametrize("left", [0, 1], ids=["none-was-read", "one-was-not-read"])
def test_process_that_was_not_read_voids_its_family(
    fact: str, family: str, left: int, measured: Result
) -> None:
    """A window without a process would make its shape cheaper."""

    def unread(window: Window) -> dict[str, Any]:
        if (window.subject, window.block, window.experiment) != ("apis", 3, "shapes"):
            return {}
        return {fact: dict(list(getattr(window, fact).items())[:left])}

    found = bill(changed(measured, unread))
    assert failed(found) == {f"{family} read"}
    assert void(found) == {family}


def test_instances_that_differ_in_memory_void_memory(measured: Result) -> None:
    """5 MiB of 80 are above the limit of 5 %."""

    def heavier(window: Window) -> dict[str, Any]:
        return {"rss_mib": {"app-0": 85.0}} if window.subject == "monolith-again" else {}

    found = bill(changed(measured, heavier))
    assert failed(found) == {"A/A memory"}
    assert void(found) == {"memory"}


@pytest.mark.parametrize(
    ("calls", "families"), [(90, {"hops"}), (63, set()), (30, set())],
    ids=["retried", "below-the-limit", "several-in-one"],
)  # fmt: skip  # a row a case
def test_retried_calls_void_hops(calls: int, families: set[str], measured: Result) -> None:
    """50 % more calls in one block of ten are 5 % over all blocks. Fewer calls are no fault, since
    events of several orders may share one.
    """

    def repeated(window: Window) -> dict[str, Any]:
        if (window.subject, window.block, window.rung) != ("microservices", 3, None):
            return {}
        return {"hops": {e: h.model_copy(update={"calls": calls}) for e, h in window.hops.items()}}

    found = bill(changed(measured, repeated))
    assert void(found) == families
    assert failed(found) == ({"hop counts"} if families else set())


def test_callee_that_reports_more_than_the_call_took_voids_hops(measured: Result) -> None:
    """The tax of such a hop would be negative."""

    def reversed_(window: Window) -> dict[str, Any]:
        if window.block != 3:
            return {}
        return {"hops": {e: h.model_copy(update={"server_s": 9.0}) for e, h in window.hops.items()}}

    found = bill(changed(measured, reversed_))
    assert failed(found) == {"hop times"}
    assert void(found) == {"hops"}


def test_families_are_not_measured_where_processes_cannot_be_read(measured: Result) -> None:
    """They are neither valid nor void, and the bill has a sentence on them."""

    def unread(window: Window) -> dict[str, Any] | None:
        return None if window.experiment == "idle" else {"cpu_s": {}, "rss_mib": {}, "pss_mib": {}}

    machine = measured.machine.model_copy(update={"kernel": "Darwin 24.1"})
    plan = measured.plan.model_copy(update={"ladder": False})
    found = bill(changed(measured, unread, machine=machine, plan=plan))

    assert void(found) == set()
    assert [one.family for one in found.families if not one.measured] == ["CPU", "memory"]
    assert found.required == ("hops", "books")
    (sentence,) = not_measured(found)
    assert sentence.startswith("CPU and memory are not measured here (Darwin 24.1)")
