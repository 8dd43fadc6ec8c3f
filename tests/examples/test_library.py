"""Does an application of somebody else's hold in every shape, on every store, whatever happens?"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from borough import commands
from borough.errors import Malformed
from borough.testing import suites
from borough.testing.simulation import Shape, microservices, monolith
from borough.testing.suites import Ask, answer
from library import catalog, loans, notices
from library.app import APP
from library.catalog import Catalog, Find, Title
from library.loans import Lend, Loans

SHAPES: Mapping[str, Shape] = {"monolith": monolith(APP), "microservices": microservices(APP)}
LOANS = Path(__file__).parents[2] / "examples" / "library" / "loans.toml"
VOID = 3
"""What `borough-bill` ends with where there are too few blocks to say what CPU costs."""
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


class Lending:
    """Three members want one of two copies."""

    async def prepare(self, stores: Mapping[str, Any]) -> None:
        """The title."""
        await stores[Catalog.name].add(Title(isbn="1", name="C", copies=2))

    async def travel(self, ask: Ask) -> Sequence[object]:
        """Each asks; somebody looks for a title that there is not."""
        wanted = [Lend(loan_id=UUID(int=n), isbn="1", member=f"member-{n}") for n in (1, 2, 3)]
        lent = [await answer(ask(Loans).lend(lend)) for lend in wanted]
        return [*lent, await answer(ask(Catalog).find(Find(isbn="2")))]


@each_shape
async def test_no_crash_and_no_mishap_loses_a_loan(shape: Shape) -> None:
    """Each part dies at each of its steps; each call is lost, late, doubled."""
    assert await suites.crashes(APP, shape, Lending()) == []
    assert await suites.mishaps(APP, shape, Lending()) == []


async def test_every_shape_answers_the_same() -> None:
    """The last copy is lent, the third member is refused."""
    assert await suites.shapes(APP, SHAPES, Lending()) == {}


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
async def test_what_is_marked_idempotent_is(at_once: bool) -> None:  # noqa: FBT001  # a parameter
    """And the journey comes by every such method."""
    assert await suites.repeats(APP, Lending(), at_once=at_once) == set()


async def test_sqlite_keeps_the_books_of_memory(tmp_path: Path) -> None:
    """Row for row."""
    assert await suites.stores(APP, Lending(), f"sqlite:///{tmp_path}") == {}


async def test_postgresql_keeps_the_books_of_memory(empty_postgresql_url: str) -> None:
    """Row for row."""
    assert await suites.stores(APP, Lending(), empty_postgresql_url) == {}


async def test_a_mistake_is_found() -> None:
    """A consumer that keeps a row for each delivery, not for each event."""

    class Forgetful(notices.MemoryNotices):
        async def keep(self, notice: notices.Notice) -> None:
            self._rows[UUID(int=len(self._rows))] = notice
            await asyncio.sleep(0)

    wrong = APP.replacing(replace(notices.CAPABILITY, memory=Forgetful))
    assert await suites.crashes(wrong, SHAPES["microservices"], Lending())


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
