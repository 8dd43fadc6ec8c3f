"""Is an order found missing that is in none of the stores?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bill.fakes import MEASURED, WARM, FakeGenerator
from borough_bill.analysis.checks import NOTHING_LOST, checks
from borough_bill.analysis.runs import Runs
from borough_bill.experiments import foreign
from borough_bill.experiments.folder import Folder
from borough_bill.experiments.foreign import OF, A, B
from borough_bill.load.generator import Job
from borough_bill.results import Result, Window
from borough_bill.targets.audit import Audit, NotCounted

EACH = WARM + MEASURED
"""Orders that a window places."""


@dataclass
class Shop:
    """A deployment that may have an auditor."""

    placed: int | None
    violations: tuple[str, ...] = ()

    async def audit(self) -> Audit | None:
        """None where there is no auditor."""
        if self.placed is None:
            return None
        return Audit({"orders": {"placed": self.placed}}, self.violations)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty run."""
    found = Folder(tmp_path / "run")
    found.clear()
    return found


async def window(folder: Folder, subject: str, klass: str = "order") -> None:
    """Record a window of which all requests were answered: all orders placed."""
    job = Job(
        doors={"": ("http://a",)}, workload="x", out=folder.recording(0, subject), seconds=1, rate=9
    )
    (await FakeGenerator(klass=klass).run(job)).write()
    folder.keep(Window(block=0, experiment="shapes", subject=subject, seconds=1))


async def violations_of(
    folder: Folder, shops: Mapping[str, Shop], workload: str = "orders"
) -> dict[str, tuple[str, ...]]:
    return await foreign.violations(folder, workload, shops, OF)


async def test_order_that_was_answered_and_is_in_no_store_is_lost(
    folder: Folder,
) -> None:
    """The auditor cannot find it, and earlier orders do not count for it. The orders of the warm-up
    and of the second window of the same deployment are included.
    """
    await foreign.held_before(folder, "orders", {A: Shop(1_000), B: Shop(50)})
    for subject in OF:
        await window(folder, subject)
    assert await violations_of(folder, {A: Shop(1_000 + 2 * EACH), B: Shop(50 + EACH)}) == {
        A: (),
        B: (),
    }
    found = await violations_of(
        folder, {A: Shop(999 + 2 * EACH), B: Shop(50 + EACH, ("oversold",))}
    )
    assert found == {
        A: (f"customers were answered {2 * EACH} orders, the stores gained {2 * EACH - 1}",),
        B: ("oversold",),
    }


async def test_resumed_run_counts_from_the_begin_of_its_first_session(
    folder: Folder,
) -> None:
    """The stores hold the orders of the first session by then."""
    await foreign.held_before(folder, "orders", {A: Shop(10), B: Shop(None)})
    await window(folder, A)
    await foreign.held_before(folder, "orders", {A: Shop(10 + EACH), B: Shop(None)})
    assert await violations_of(folder, {A: Shop(10 + EACH), B: Shop(None)}) == {A: ()}


async def test_kind_that_the_auditor_does_not_count_is_refused_before_the_first_window(
    folder: Folder,
) -> None:
    """Otherwise every right answer would be taken for lost."""
    work = folder.path.parent / "mine.toml"
    work.write_text('[classes.loan]\npath = "/"\ncounts_as = "loans.lent"')
    with pytest.raises(NotCounted, match=r"counts_as = 'loans\.lent': the auditor counts orders"):
        await foreign.held_before(folder, str(work), {A: Shop(0), B: Shop(None)})


async def test_requests_that_are_no_order_are_not_expected_in_the_stores(folder: Folder) -> None:
    """Reading the menu writes nothing; a deployment without an auditor is skipped."""
    await window(folder, A, "browse")
    assert await violations_of(folder, {A: Shop(0), B: Shop(None)}, "shop") == {A: ()}


def test_comparison_with_a_violation_fails_its_check(measured: Result) -> None:
    """Without an auditor there is no such check."""

    def passed(audits: Mapping[str, tuple[str, ...]]) -> bool | None:
        result = measured.model_copy(update={"kind": "compare", "audits": audits})
        found = {check.name: check.passed for check in checks(Runs(result))}
        return found.get(NOTHING_LOST)

    assert passed({"a": (), "b": ()})
    assert passed({"a": (), "b": ("oversold: espresso",)}) is False
    assert passed({}) is None
