"""`python -m borough_operator`: run the operator, or simulate it on a load."""

import gc
import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any

import typer
import uvloop

from borough_operator.handlers import serve
from borough_operator.kube.credentials import Credentials, NoCredentials, find
from borough_operator.running.telemetry import configure_log
from borough_operator.running.wiring import PREFIX, Operator, Options
from borough_operator.simulator import commands
from borough_operator.sources.mapping import SeriesMapping

FAILED = 1
WRONG_SETTINGS = 2
GC_THRESHOLDS = (50_000, 20, 50)
"""Thresholds of the garbage collector: with ten thousand long-lived scalers the default ones take a
tenth of the CPU."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=__doc__,
)
app.command()(commands.leaderboard)
app.command()(commands.simulate)


def run(**settings: Any) -> None:
    """Run the operator for some namespaces, until SIGTERM."""
    try:
        credentials = find()
        names = (name.strip() for name in settings.pop("namespaces").split(","))
        watched = tuple(filter(None, names)) or (credentials.namespace,)
        of_series = {field.name for field in fields(SeriesMapping)} & settings.keys()
        series = {name: settings.pop(name) for name in of_series}
        options = Options(namespaces=watched, **settings)
        configure_log(options.log_level)
        mapping = SeriesMapping(namespaces=watched, **series)
        healthy = uvloop.run(_run(options, mapping, credentials))
    except (NoCredentials, OSError, ValueError) as error:
        typer.echo(f"borough-operator: {error}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from None
    raise typer.Exit(0 if healthy else FAILED)


def _options() -> Iterator[inspect.Parameter]:
    """Every field of `Options` and `SeriesMapping`, as an option and an environment variable."""
    for field in (*fields(Options), *fields(SeriesMapping)):
        if field.metadata:
            several = field.name == "namespaces"
            option = typer.Option(envvar=PREFIX + field.name.upper(), **field.metadata)
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default="" if several else field.default,
                annotation=Annotated[str if several else field.type, option],
            )


run.__signature__ = inspect.Signature([*_options()])  # type: ignore[attr-defined]  # read by typer
app.command()(run)


async def _run(options: Options, mapping: SeriesMapping, credentials: Credentials) -> bool:
    """Run the operator. Returns False where it ended by a failure."""
    gc.set_threshold(*GC_THRESHOLDS)
    operator = Operator(options, mapping, credentials)
    await serve(operator, credentials, options.namespaces)
    return not operator.failed


if __name__ == "__main__":
    app()
