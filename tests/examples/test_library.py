"""Does an application of somebody else's hold in every shape, on every store, whatever happens?"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from borough import commands
from borough.audit import Books
from borough.errors import Malformed
from borough.testing import suites
from borough.testing.clock import MORNING
from borough.testing.simulation import Shape, microservices
from borough.testing.suites import TRANSPORTS, Ask, Stores, Via, answer
from library import catalog, loans, notices
from library.app import APP
from library.catalog import Catalog, CatalogBooks, Find, Hold, Title
from library.loans import Lend, Loan, Loans, State
from library.notices import Notice, Notices

SHAPES = suites.simulated(APP)
LOANS = Path(__file__).parents[2] / "examples" / "library" / "loans.toml"
VOID = 3
"""What `borough-bill` ends with where there are too few blocks to say what CPU costs."""
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_search = pytest.mark.parametrize(
    "search", [suites.crashes, suites.mishaps, suites.overtakings, suites.hangups]
)

TITLE = Title(isbn="1", name="C", copies=2)
WANTED = tuple(Lend(loan_id=UUID(int=n), isbn="1", member=f"member-{n}") for n in (1, 2, 3))


async def lending(ask: Ask, stores: Stores) -> Sequence[object]:
    """Three members want one of two copies; somebody looks for a title that there is not."""
    await stores[Catalog.name].add(TITLE)
    lent = [await answer(ask(Loans).lend(lend)) for lend in WANTED]
    return [*lent, await answer(ask(Catalog).find(Find(isbn="2")))]


@each_shape
@each_search
async def test_no_crash_and_no_mishap_loses_a_loan(shape: Shape, search: Any) -> None:
    """Each part dies at each await; each call is lost, late, doubled; the client hangs up."""
    assert await search(APP, shape, lending) == []


async def test_every_shape_loads_and_answers_the_same() -> None:
    """The last copy is lent, the third member is refused."""
    assert await suites.shapes(APP, lending) == []


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
async def test_what_is_marked_idempotent_is(via: Via, at_once: bool) -> None:  # noqa: FBT001
    """And the journey comes by every such method."""
    await suites.check_contracts(APP, [lending], via, at_once=at_once)


async def test_sqlite_keeps_the_books_of_memory(tmp_path: Path) -> None:
    """Row for row."""
    assert await suites.stores(APP, lending, f"sqlite:///{tmp_path}") == {}


async def test_postgresql_keeps_the_books_of_memory(empty_postgresql_url: str) -> None:
    """Row for row."""
    assert await suites.stores(APP, lending, empty_postgresql_url) == {}


def test_each_planted_breach_of_a_law_is_found() -> None:
    """A copy too many that is held, a loan without its copy, uncounted, or without its letter."""
    title = TITLE.model_copy(update={"lent": 1})
    hold = Hold(loan_id=UUID(int=1), isbn="1")
    loan = Loan(**WANTED[0].model_dump(), state=State.LENT)
    pending = loan.model_copy(update={"state": State.PENDING})
    letter = Notice(event_id=UUID(int=9), isbn="1", member=loan.member)
    rows = {
        Catalog.name: CatalogBooks((title,), (hold,)),
        Loans.name: (loan,),
        Notices.name: (letter,),
    }
    clean = Books(of=rows, unsent={}, now=MORNING, horizon=MORNING - MORNING)

    def with_rows(**changes: object) -> Books:
        return replace(clean, of={**rows, **changes})

    no_copy = CatalogBooks((title.model_copy(update={"copies": 0}),), (hold,))
    uncounted = CatalogBooks((TITLE,), (hold,))
    planted = [
        (with_rows(catalog=no_copy), {"overlent"}),
        (with_rows(catalog=CatalogBooks((title,), ())), {"copy-astray"}),
        (with_rows(catalog=uncounted), {"miscounted"}),
        (with_rows(catalog=uncounted, loans=(pending,), notices=()), {"pending"}),
        (with_rows(notices=()), {"letters"}),
    ]
    suites.check_laws(APP, clean, planted)


class Forgetful(notices.MemoryNotices):
    """Keeps a row for each delivery, not for each event."""

    async def keep(self, notice: Notice) -> None:
        self._rows[UUID(int=len(self._rows))] = notice
        await asyncio.sleep(0)


async def test_a_mistake_is_found() -> None:
    """A consumer that is told twice and says so twice."""
    wrong = APP.replacing(replace(notices.CAPABILITY, memory=Forgetful))
    assert await suites.crashes(wrong, microservices(APP), lending)


class Lenient(catalog.MemoryCatalog):
    """Counts a loan again with each delivery, and can do what the database cannot."""

    async def forget(self) -> None:
        self._holds.clear()


async def test_store_that_can_do_more_than_its_twin_is_found(tmp_path: Path) -> None:
    """A method that only one of them has has never met a database."""
    wrong = APP.replacing(replace(catalog.CAPABILITY, memory=Lenient))
    found = await suites.stores(wrong, lending, f"sqlite:///{tmp_path}")
    assert found == {Catalog.name: ({"forget"}, set())}


class Absent(catalog.MemoryCatalog):
    """Keeps no hold."""

    async def hold(self, hold: Hold) -> bool:
        return True


async def test_store_whose_books_differ_from_those_of_its_twin_is_found(tmp_path: Path) -> None:
    """So does what its users are answered."""
    wrong = APP.replacing(replace(catalog.CAPABILITY, memory=Absent))
    found = await suites.stores(wrong, lending, f"sqlite:///{tmp_path}")
    assert {Catalog.name, "answers"} <= set(found)


async def test_wrong_shape_is_found(tmp_path: Path) -> None:
    """A capability in two parts that are no doors keeps its rows for two relays and two loops."""
    file = tmp_path / "shapes.toml"
    file.write_text(f"[two.parts]\napp = {list(APP.calls)}\nagain = {[Notices.name]}\n")
    assert await suites.shapes(replace(APP, shapes=file), lending) == [
        f"two: {Notices.name} lives in again, app"
    ]


def test_the_schema_is_made_of_the_tables_of_the_code() -> None:
    """Every table of a module is one of its capability."""
    assert {"titles", "holds", "counted"} == set(catalog.TABLES.tables)
    assert {"loans"} == set(loans.TABLES.tables)


async def test_application_without_a_seed_starts_with_nothing() -> None:
    """To seed it does nothing, and options are refused since nobody would read them."""
    bare = replace(APP, seed=None)
    assert await commands.seed(bare, bare.settings(), {}) == "Library has nothing to seed"
    with pytest.raises(Malformed, match="Library has nothing to seed"):
        await commands.seed(bare, bare.settings(), {"copies": "3"})


def bill(
    folder: Path, *words: str, app: str = "library.app:APP"
) -> subprocess.CompletedProcess[str]:
    """`borough-bill run` in little."""
    command = [sys.executable, "-m", "borough_bill", "run", "--quick", "--blocks", "3"]
    asked = ["--app", app, "--workload", str(LOANS), "--folder", str(folder)]
    return subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [*command, *asked, *words], capture_output=True, text=True, check=False
    )


def test_bill_serves_seeds_audits_and_measures_it_in_three_shapes(tmp_path: Path) -> None:
    """By one command, and nothing that only the shop has. Too few blocks for CPU, but enough for
    what is the same in each of them; what cannot be measured is named.
    """
    done = bill(tmp_path / "run", "--seed-with", "copies=100000")
    assert done.returncode == VOID, done.stdout + done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    shapes = ("monolith", "monolith-again", "two", "microservices")
    assert result["audits"] == {shape: [] for shape in shapes}

    hops: dict[str, set[str]] = {shape: set() for shape in shapes}
    for window in result["windows"]:
        assert window["served"] == window["offered"]
        hops[window["subject"]] |= set(window["hops"])
    relayed = {"catalog.count", "notices.write"}
    assert hops["monolith"] == hops["monolith-again"] == set()
    assert hops["two"] == {"notices.write"}
    assert hops["microservices"] == {"loans.lend", "catalog.hold"} | relayed

    printed = (tmp_path / "run" / "bill.md").read_text()
    for line in ("hops of a loan", "memory, RSS of all processes", "loans that fail"):
        assert line in printed
    for note in ("No ladder, and no D10", "No D18", "application | library.app:APP"):
        assert note in printed
    assert "Saga or boundary?" not in printed
    assert "The ladder" not in printed


def test_what_the_bill_cannot_measure_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Before anything is started."""
    done = bill(tmp_path / "run", app="nonesuch:APP")
    assert done.returncode == 2
    (sentence,) = done.stderr.split("\n\n")[-1].strip().splitlines()
    assert sentence == "borough-bill: --app nonesuch:APP: No module named 'nonesuch'"
    assert not (tmp_path / "run").exists()


def test_page_shows_the_workload_that_is_there() -> None:
    """Whoever copies it from *Your own application* gets what was run."""
    page = LOANS.parents[2] / "docs" / "your-own-application.md"
    assert LOANS.read_text().partition("\n\n")[2] in page.read_text()
