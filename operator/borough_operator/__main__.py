"""`python -m borough_operator`: run the operator, or simulate it on a load."""

import gc
from typing import Annotated

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

_DEFAULTS = Options()
_NAMES = SeriesMapping(namespaces=("default",))


def _env(field: str) -> str:
    return PREFIX + field.upper()


@app.command()
def run(  # noqa: PLR0913, PLR0917  # typer reads options from arguments
    namespaces: Annotated[
        str,
        typer.Option(
            envvar=_env("namespaces"),
            help="Namespaces to serve, separated by commas; the operator's own if empty.",
        ),
    ] = ",".join(_DEFAULTS.namespaces),
    prometheus_url: Annotated[
        str,
        typer.Option(envvar=_env("prometheus_url"), help="Base URL of Prometheus; none if empty."),
    ] = _DEFAULTS.prometheus_url,
    pods_source: Annotated[
        bool,
        typer.Option(
            envvar=_env("pods_source"), help="Enable the source Pods, which scrapes pods."
        ),
    ] = _DEFAULTS.pods_source,
    ops_port: Annotated[
        int, typer.Option(envvar=_env("ops_port"), help="Port of /metrics, /livez and /readyz.")
    ] = _DEFAULTS.ops_port,
    otlp_endpoint: Annotated[
        str,
        typer.Option(
            envvar=_env("otlp_endpoint"),
            help="OTLP/HTTP endpoint of spans, such as http://collector:4318; none if empty.",
        ),
    ] = _DEFAULTS.otlp_endpoint,
    log_level: Annotated[
        str, typer.Option(envvar=_env("log_level"), help="Minimum: debug, info, warning or error.")
    ] = _DEFAULTS.log_level,
    resync_s: Annotated[
        float,
        typer.Option(envvar=_env("resync_s"), min=1, help="Seconds between two full lists."),
    ] = _DEFAULTS.resync_s,
    namespace_label: Annotated[
        str, typer.Option(envvar=_env("namespace_label"), help="Label with the target's namespace.")
    ] = _NAMES.namespace_label,
    workload_label: Annotated[
        str, typer.Option(envvar=_env("workload_label"), help="Label with the target's name.")
    ] = _NAMES.workload_label,
    rate_metric: Annotated[
        str, typer.Option(envvar=_env("rate_metric"), help="Counter of completed requests.")
    ] = _NAMES.rate_metric,
    in_flight_metric: Annotated[
        str, typer.Option(envvar=_env("in_flight_metric"), help="Gauge of requests in flight.")
    ] = _NAMES.in_flight_metric,
    duration_metric: Annotated[
        str,
        typer.Option(
            envvar=_env("duration_metric"), help="Histogram of request durations in seconds."
        ),
    ] = _NAMES.duration_metric,
    window: Annotated[
        float,
        typer.Option(
            envvar=_env("window"), help="Seconds of a query's range: three scrape intervals."
        ),
    ] = _NAMES.window,
) -> None:
    """Run the operator for some namespaces, until SIGTERM."""
    try:
        credentials = find()
        watched = tuple(name.strip() for name in namespaces.split(",") if name.strip())
        options = Options(
            namespaces=watched or (credentials.namespace,),
            prometheus_url=prometheus_url,
            pods_source=pods_source,
            ops_port=ops_port,
            otlp_endpoint=otlp_endpoint,
            log_level=log_level,
            resync_s=resync_s,
        )
        configure_log(options.log_level)
        mapping = SeriesMapping(
            namespaces=options.namespaces,
            namespace_label=namespace_label,
            workload_label=workload_label,
            rate_metric=rate_metric,
            in_flight_metric=in_flight_metric,
            duration_metric=duration_metric,
            window=window,
        )
        healthy = uvloop.run(_run(options, mapping, credentials))
    except (NoCredentials, OSError, ValueError) as error:
        typer.echo(f"borough-operator: {error}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from None
    raise typer.Exit(0 if healthy else FAILED)


async def _run(options: Options, mapping: SeriesMapping, credentials: Credentials) -> bool:
    """Run the operator. Returns False where it ended by a failure."""
    gc.set_threshold(*GC_THRESHOLDS)
    operator = Operator(options, mapping, credentials)
    await serve(operator, credentials, options.namespaces)
    return not operator.failed


if __name__ == "__main__":
    app()
