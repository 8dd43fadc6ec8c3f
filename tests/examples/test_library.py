"""Do the laws of a second application hold in every shape, on every store, under disturbances?"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import NullPool, create_engine, delete, inspect

from borough import commands
from borough.app import App
from borough.audit import Ledgers
from borough.errors import Malformed
from borough.events import Delivered, Events
from borough.outbox import outbox
from borough.stores.migrations import migrate
from borough.stores.sql import REVISIONS
from borough.stores.statements import Statement
from borough.testing import suites
from borough.testing.clock import MORNING
from borough.testing.database import MemoryDatabase
from borough.testing.simulation import Shape, microservices
from borough.testing.suites import TRANSPORTS, Ask, Stores, Via, answer
from library import catalog, loans, notices
from library.app import APP
from library.catalog import BookLent, Catalog, Find, Hold, SqlCatalog, Title
from library.loans import Lend, Loan, Loans, State
from library.notices import Notices, SqlNotices

SHAPES = suites.simulated(APP)
LOANS = Path(__file__).parents[2] / "examples" / "library" / "loans.toml"
VOID = 3
"""What `borough-bill` ends with where there are too few blocks to say what CPU costs."""
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_search = pytest.mark.parametrize(
    "search", [suites.crashes, suites.network_faults, suites.concurrent_rounds, suites.hangups]
)

TITLE = Title(isbn="1", name="C", copies=2, free=2)
WANTED = tuple(Lend(loan_id=UUID(int=n), isbn="1", member=f"member-{n}") for n in (1, 2, 3))


async def lending(ask: Ask, stores: Stores) -> Sequence[object]:
    """Three members want one of two copies; one looks for a title that there is not."""
    await stores[Catalog.name].add(TITLE)
    lent = [await answer(ask(Loans).lend(lend)) for lend in WANTED]
    return [*lent, await answer(ask(Catalog).find(Find(isbn="2")))]


@each_shape
@each_search
async def test_no_crash_and_no_network_fault_loses_a_loan(shape: Shape, search: Any) -> None:
    """Each part dies at each await; each call is lost, late, doubled; the client hangs up."""
    assert await search(APP, shape, lending) == []


async def test_every_shape_loads_and_answers_the_same() -> None:
    """The last copy is lent, the third member is refused."""
    assert await suites.shapes(APP, lending) == []


@each_shape
async def test_loan_id_of_another_member_is_refused(shape: Shape) -> None:
    """An id stands for one loan: a second one under it is no repetition."""

    async def twice(ask: Ask, stores: Stores) -> Sequence[object]:
        await stores[Catalog.name].add(TITLE)
        other = WANTED[0].model_copy(update={"member": "another"})
        return [await answer(ask(Loans).lend(each)) for each in (WANTED[0], other)]

    lent, refused = (await suites.disturbed(APP, shape, twice)).answers
    assert (lent, refused) == (Loan(**WANTED[0].model_dump(), state=State.LENT), "conflict")


@pytest.mark.parametrize("via", TRANSPORTS)
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
async def test_what_is_marked_idempotent_is(via: Via, at_once: bool) -> None:  # noqa: FBT001
    """And the journey comes by every such method."""
    await suites.check_contracts(APP, [lending], via, at_once=at_once)


async def test_sqlite_keeps_the_rows_of_memory(tmp_path: Path) -> None:
    """Row for row."""
    assert await suites.stores(APP, lending, f"sqlite:///{tmp_path}") == {}


async def test_postgresql_keeps_the_rows_of_memory(empty_postgresql_url: str) -> None:
    """Row for row."""
    assert await suites.stores(APP, lending, empty_postgresql_url) == {}


def test_each_planted_breach_of_a_law_is_found() -> None:
    """A copy too many that is taken, a loan without its hold, uncounted, or without its letter; a
    hold of no loan, and of another title.
    """
    title = TITLE.model_copy(update={"free": 1, "lent": 1})
    loan = Loan(**WANTED[0].model_dump(), state=State.LENT)
    pending = loan.model_copy(update={"state": State.PENDING})
    letter = BookLent(event_id=UUID(int=9), schema_version=1, isbn="1", member=loan.member)
    held = Hold(loan_id=loan.loan_id, isbn="1")
    rows = {Catalog.name: ((title,), (held,)), Loans.name: (loan,), Notices.name: (letter,)}
    clean = Ledgers(of=rows, unsent={}, now=MORNING, horizon=MORNING - MORNING)

    def with_rows(**changes: object) -> Ledgers:
        return replace(clean, of={**rows, **changes})

    def with_title(**changes: int) -> Ledgers:
        return with_rows(catalog=((title.model_copy(update=changes),), (held,)))

    def with_holds(*holds: Hold) -> Ledgers:
        return with_rows(catalog=((title,), holds))

    planted = [
        (with_title(copies=3), {"copies"}),
        (with_title(free=2), {"copies"}),
        (with_title(lent=0), {"count"}),
        (with_holds(), {"hold"}),
        (with_holds(held, Hold(loan_id=UUID(int=8), isbn="1")), {"hold"}),
        (with_holds(Hold(loan_id=loan.loan_id, isbn="2")), {"hold"}),
        (with_rows(catalog=((TITLE,), ()), loans=(pending,), notices=()), {"pending"}),
        (with_rows(notices=()), {"letters"}),
    ]
    suites.check_laws(APP, clean, planted)


class Repetitive(SqlNotices):
    """Writes a letter for each delivery, not for each event."""

    async def write(self, request: Events[BookLent]) -> Delivered:
        fresh = [e.model_copy(update={"event_id": uuid4()}) for e in request.events]
        await super().write(Events(events=tuple(fresh)))
        return Delivered.all(request.events)


async def test_consumer_that_handles_an_event_twice_is_found() -> None:
    """Where it is delivered twice."""
    wrong = APP.replacing(replace(notices.CAPABILITY, sql=Repetitive))
    assert await suites.crashes(wrong, microservices(APP), lending)


class Richer(SqlCatalog):
    """Can do what the other store cannot."""

    async def forget(self) -> None:
        await self.db.execute(Statement(delete(catalog.holds)))


class Absent(SqlCatalog):
    """Keeps no hold."""

    async def hold(self, request: Hold) -> Hold:
        return request


def with_memory(store: type[SqlCatalog]) -> App:
    """The library, whose catalogue has a store in memory that is not the one in SQL."""
    definition = catalog.CAPABILITY

    def memory() -> SqlCatalog:
        return store(MemoryDatabase(definition.name, definition.migrations))

    return APP.replacing(replace(definition, memory=memory))


async def test_store_in_memory_that_can_do_more_than_the_one_in_sql_is_found(
    tmp_path: Path,
) -> None:
    """A method that only one of them has has never met a database."""
    found = await suites.stores(with_memory(Richer), lending, f"sqlite:///{tmp_path}")
    assert found == {Catalog.name: ({"forget"}, set())}


async def test_store_in_memory_whose_rows_differ_from_those_in_sql_is_found(
    tmp_path: Path,
) -> None:
    """So does what its users are answered."""
    found = await suites.stores(with_memory(Absent), lending, f"sqlite:///{tmp_path}")
    assert {Catalog.name, "answers"} <= set(found)


async def test_wrong_shape_is_found(tmp_path: Path) -> None:
    """A capability in two parts that are no doors keeps its rows for two relays and two loops."""
    file = tmp_path / "shapes.toml"
    file.write_text(f"[two.parts]\napp = {list(APP.calls)}\nagain = {[Notices.name]}\n")
    assert await suites.shapes(replace(APP, shapes=file), lending) == [
        f"two: {Notices.name} lives in again, app"
    ]


def test_revisions_make_the_tables_that_the_code_has(tmp_path: Path) -> None:
    """Every table of a module, and its outbox where it publishes, column by column."""
    of_code = {
        Catalog.name: [catalog.titles, catalog.holds, catalog.counted],
        Loans.name: [loans.loans, outbox],
        Notices.name: [notices.notices],
    }
    for definition in APP.capabilities:
        migrate(f"sqlite:///{tmp_path}", definition.name, definition.migrations)
        engine = create_engine(f"sqlite:///{tmp_path}/{definition.name}.db", poolclass=NullPool)
        found = inspect(engine)
        columns = {t: [c["name"] for c in found.get_columns(t)] for t in found.get_table_names()}
        del columns[REVISIONS]
        assert columns == {t.name: list(t.columns.keys()) for t in of_code[definition.name]}


async def test_application_without_a_seed_starts_with_nothing() -> None:
    """To seed it does nothing, and options are refused since none would be read."""
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
    for line in ("memory, RSS of all processes", "loans that fail"):
        assert line in printed
    retried = (
        "hops (hop counts)" in printed
    )  # some calls were, on a busy machine: their line is void
    assert ("hops of a loan" in printed) != retried
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
    """*Your own application* shows what is run."""
    page = LOANS.parents[2] / "docs" / "your-own-application.md"
    assert LOANS.read_text().partition("\n\n")[2] in page.read_text()
