"""Is an order missed that is in none of the books?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from borough_bill.analysis.checks.every import checks
from borough_bill.analysis.checks.whole import NOTHING_LOST
from borough_bill.analysis.lines.runs import Runs
from borough_bill.experiments import books
from borough_bill.experiments.folder import Folder
from borough_bill.experiments.foreign import OF, A, B
from borough_bill.load.generator import Job
from borough_bill.results import Result, Window
from borough_bill.targets.audit import Audit, NotCounted
from borough_bill.testing import MEASURED, WARM, Scripted

EACH = WARM + MEASURED
"""Orders that a window places."""


@dataclass
class Shop:
    """What may have books."""

    placed: int | None
    violations: tuple[str, ...] = ()

    async def audit(self) -> Audit | None:
        """None where nobody knows how to read them."""
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
    """A window, and all of its requests answered: its orders placed."""
    job = Job(
        doors={"": ("http://a",)}, workload="x", out=folder.recording(0, subject), seconds=1, rate=9
    )
    (await Scripted(klass=klass).run(job)).write()
    folder.keep(Window(block=0, experiment="shapes", subject=subject, seconds=1))


async def complaints(
    folder: Folder, shops: Mapping[str, Shop], workload: str = "orders"
) -> dict[str, tuple[str, ...]]:
    return await books.complaints(folder, workload, shops, OF)


async def test_an_order_that_a_customer_was_told_of_and_no_book_gained_is_lost(
    folder: Folder,
) -> None:
    """The auditor cannot miss it, and what stood there before cannot stand for it; warm-up and the
    second measurement of the same deployment count.
    """
    await books.begin(folder, "orders", {A: Shop(1_000), B: Shop(50)})
    for subject in OF:
        await window(folder, subject)
    assert await complaints(folder, {A: Shop(1_000 + 2 * EACH), B: Shop(50 + EACH)}) == {
        A: (),
        B: (),
    }
    found = await complaints(folder, {A: Shop(999 + 2 * EACH), B: Shop(50 + EACH, ("oversold",))})
    assert found == {
        A: (f"customers were told of {2 * EACH} orders, the books gained {2 * EACH - 1}",),
        B: ("oversold",),
    }


async def test_a_run_that_goes_on_remembers_what_the_books_held_at_its_beginning(
    folder: Folder,
) -> None:
    """Orders of the first session stand in them by now."""
    await books.begin(folder, "orders", {A: Shop(10), B: Shop(None)})
    await window(folder, A)
    await books.begin(folder, "orders", {A: Shop(10 + EACH), B: Shop(None)})
    assert await complaints(folder, {A: Shop(10 + EACH), B: Shop(None)}) == {A: ()}


async def test_a_kind_that_the_auditor_does_not_count_is_refused_before_the_first_window(
    folder: Folder,
) -> None:
    """Every right answer would be taken for lost."""
    work = folder.path.parent / "mine.toml"
    work.write_text('[classes.loan]\npath = "/"\ncounts_as = "loans.lent"')
    with pytest.raises(NotCounted, match=r"counts_as = 'loans\.lent': the auditor counts orders"):
        await books.begin(folder, str(work), {A: Shop(0), B: Shop(None)})


async def test_only_an_order_is_expected_in_the_books(folder: Folder) -> None:
    """Who looks at the menu leaves nothing there; and a stranger is not asked."""
    await window(folder, A, "browse")
    assert await complaints(folder, {A: Shop(0), B: Shop(None)}, "shop") == {A: ()}


def test_a_comparison_that_lost_an_order_is_void(measured: Result) -> None:
    """However well everything else went; without an auditor nobody is asked."""

    def word(audits: Mapping[str, tuple[str, ...]]) -> bool | None:
        result = measured.model_copy(update={"kind": "compare", "audits": audits})
        found = {check.name: check.passed for check in checks(Runs(result))}
        return found.get(NOTHING_LOST)

    assert word({"a": (), "b": ()})
    assert word({"a": (), "b": ("oversold: espresso",)}) is False
    assert word({}) is None
