"""`borough`: serve a part of an application, prepare its stores, run the auditor."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from borough import commands, shapes
from borough.app import App, WrongApp, load
from borough.compose import load_shapes
from borough.config import Settings, WrongSettings
from borough.config import load as load_settings
from borough.errors import BoroughError, Malformed

DEFAULT = "borough_shop.app:APP"
"""The application if none is named."""

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)

AppName = Annotated[str, typer.Option("--app", help="The application: MODULE:NAME.")]
Capabilities = Annotated[
    list[str], typer.Argument(help="Names of capabilities; gateway for the doors.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="As Markdown tables.")]


def _read(name: str) -> tuple[App, Settings]:
    found = load(name)
    return found, load_settings(found.settings)


@app.command()
def serve(capabilities: Capabilities, of: AppName = DEFAULT) -> None:
    """Serve these capabilities as one part, until SIGTERM."""
    commands.serve(*_read(of), capabilities)


@app.command()
def migrate(
    capabilities: Annotated[
        list[str] | None, typer.Argument(help="Those that keep something, if none is named.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            envvar="MIGRATION_WAIT_S",  # the older image of a part may not have the option
            help="Seconds to wait for a store that cannot be reached.",
        ),
    ] = 0,
    admin: Annotated[
        str,
        typer.Option(
            envvar="MIGRATION_ADMIN",  # as above; and it holds a password
            help="On PostgreSQL: who first makes the roles and schemas that there are not, as "
            "postgresql://USER:PASSWORD@HOST/DB.",
        ),
    ] = "",
    of: AppName = DEFAULT,
) -> None:
    """Migrate the schemas to this version; one at a later version is not changed."""
    found, settings = _read(of)
    names = capabilities or list(found.contracts)
    lines = commands.migrate(found, settings, names, admin=admin, wait_s=wait, say=typer.echo)
    for line in lines:
        typer.echo(line)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def seed(context: typer.Context, of: AppName = DEFAULT) -> None:
    """Write the application's initial rows into the stores. The options, as --NAME VALUE, are the
    application's.
    """
    typer.echo(asyncio.run(commands.seed(*_read(of), _options(context.args))))


def _options(given: list[str]) -> dict[str, str]:
    names, values = given[::2], given[1::2]
    if len(names) != len(values) or not all(name.startswith("--") for name in names):
        raise Malformed(f"{' '.join(given)}: options are --NAME VALUE")
    return {name.removeprefix("--"): value for name, value in zip(names, values, strict=True)}


@app.command()
def audit(
    wait: Annotated[bool, typer.Option(help="Wait first until nothing is under way.")] = True,
    as_json: AsJson = False,
    of: AppName = DEFAULT,
) -> None:
    """Read every store and report the violated laws of the application, if any."""
    report = asyncio.run(commands.audit(*_read(of), wait=wait))
    typer.echo(json.dumps(report.as_dict()) if as_json else str(report))
    raise typer.Exit(0 if report.clean else 1)


@app.command()
def config(markdown: AsMarkdown = False, of: AppName = DEFAULT) -> None:
    """Every setting: its variable, type, default and meaning."""
    typer.echo(commands.settings_table(load(of), markdown=markdown))


@app.command(name="signals")
def list_signals(markdown: AsMarkdown = False, of: AppName = DEFAULT) -> None:
    """Every metric and every attribute of a span that a part exposes."""
    typer.echo(commands.signals_table(load(of), markdown=markdown))


@app.command(name="shapes")
def list_shapes(as_json: AsJson = False, of: AppName = DEFAULT) -> None:
    """The shapes, and which capabilities live in which part; as JSON also those that
    extract:CAPABILITY describes, and which public paths go to which part.
    """
    found, settings = _read(of)
    known = load_shapes(found, settings)
    if as_json:
        every = shapes.every(known, found.calls).items()
        table = {n: {"parts": dict(s.parts), "doors": dict(s.doors)} for n, s in every}
        typer.echo(json.dumps(table))
        return
    for name, shape in known.items():
        line = "; ".join(f"{part}: {' '.join(hosted)}" for part, hosted in shape.parts.items())
        typer.echo(f"{name:18} {line}")


@app.command()
def objectives(as_json: AsJson = False, of: AppName = DEFAULT) -> None:
    """The service-level objectives of each capability or part."""
    typer.echo(commands.objectives(load(of), as_json=as_json))


@app.command()
def chart(of: AppName = DEFAULT) -> None:
    """The application's facts that the charts need, as values for `helm install --values`."""
    typer.echo(commands.chart(*_read(of), of))


@app.command()
def openapi(of: AppName = DEFAULT) -> None:
    """The OpenAPI document of the doors."""
    typer.echo(json.dumps(asyncio.run(commands.openapi(load(of))), indent=2, sort_keys=True))


def main(run: Callable[..., Any] = app) -> None:
    """Run; a refusal is printed as one sentence, with exit status 2."""
    try:
        run()
    except (WrongApp, WrongSettings, shapes.WrongShape, BoroughError) as error:
        typer.echo(f"borough: {error}", err=True)
        sys.exit(2)
