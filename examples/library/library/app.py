"""The library as an application, and its door.

borough migrate --app library.app:APP
borough seed --app library.app:APP --copies 3
borough serve gateway catalog loans notices --app library.app:APP
"""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, FastAPI

from borough.app import App, Gateway
from borough.compose import Composition
from library import catalog, loans, notices
from library.catalog import Catalog, Find, Title
from library.loans import Lend, Loan, Loans

TITLES = {"9780131103627": "The C Programming Language", "9780201633610": "Design Patterns"}
Text = Annotated[str, Body()]


def doors(part: Composition) -> FastAPI:
    """The REST door."""
    titles, loans = part.ask(Catalog, from_door=True), part.ask(Loans, from_door=True)
    app = part.empty_app("Library")

    @app.get("/titles/{isbn}")
    async def find(isbn: str) -> Title:
        """A title, and how many of its copies are free."""
        return await titles.find(Find(isbn=isbn))

    @app.put("/loans/{loan_id}")
    async def lend(loan_id: UUID, isbn: Text, member: Text) -> Loan:
        """Lend a copy; to repeat it under its id lends nothing twice."""
        return await loans.lend(Lend(loan_id=loan_id, isbn=isbn, member=member))

    return app


async def seed(stores: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """Put the titles on the shelf, `copies` of each."""
    copies = int(options.get("copies", "3"))
    for isbn, name in TITLES.items():
        await stores[Catalog.name].add(Title(isbn=isbn, name=name, copies=copies, free=copies))
    return f"{len(TITLES)} titles are on the shelf"


APP = App(
    name="Library",
    version="1.0",
    capabilities=(catalog.CAPABILITY, loans.CAPABILITY, notices.CAPABILITY),
    gateway=Gateway(calls=(Catalog, Loans), make=doors),
    shapes=resources.files(__package__) / "shapes.toml",
    objectives=resources.files(__package__) / "slo.toml",
    seed=seed,
)
