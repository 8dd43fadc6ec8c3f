"""`python -m bench.common migrate|seed|serve|audit`: the order as most would write it.

A FastAPI app of one process that follows FastAPI's, SQLAlchemy's and OpenTelemetry's own documents.
The bench starts and asks it as it does a commit of ours; it shares no code with `borough`.
"""

import asyncio
import json
import socket
import sys
from typing import Annotated

import typer
import uvicorn

from bench.common.app import Settings, make_app
from bench.common.audit import audit
from bench.common.databases import Databases
from bench.common.models import Article

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
MENU = {
    "espresso": 220, "cappuccino": 340, "flat-white": 380, "filter-coffee": 290,
    "cold-brew": 420, "croissant": 260, "cinnamon-roll": 310,
}  # fmt: skip  # cents
KEEP_ALIVE_S = 600
"""Connections outlast the time between two blocks."""


@app.command()
def migrate() -> None:
    """Make the tables."""

    async def run() -> None:
        db = Databases.open(Settings().store)
        await db.create()
        await db.close()

    asyncio.run(run())


@app.command()
def seed(stock: Annotated[int, typer.Option(help="Pieces of each article.")] = 1_000_000) -> None:
    """Put the menu into inventory."""

    async def run() -> None:
        db = Databases.open(Settings().store)
        async with db.inventory.begin() as session:
            session.add_all(
                Article(sku=sku, price_minor=price, currency="EUR", stock=stock, received=stock)
                for sku, price in MENU.items()
            )
        await db.close()

    asyncio.run(run())


@app.command()
def serve() -> None:
    """Serve until SIGTERM, on both ports."""
    settings = Settings()
    sockets = [
        socket.create_server(("127.0.0.1", port), backlog=2_048)
        for port in (settings.public_port, settings.ops_port)
    ]
    config = uvicorn.Config(
        make_app(settings),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    uvicorn.Server(config).run(sockets=sockets)


@app.command(name="audit")
def audit_stores(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say whether an order was lost, charged twice, oversold or not notified; status 1 if so."""

    async def run() -> dict[str, object]:
        db = Databases.open(Settings().store)
        report = await audit(db)
        await db.close()
        return report

    report = asyncio.run(run())
    typer.echo(json.dumps(report, indent=None if as_json else 2))
    sys.exit(0 if report["clean"] else 1)


if __name__ == "__main__":
    app()
