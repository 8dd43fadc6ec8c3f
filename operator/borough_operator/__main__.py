"""`python -m borough_operator`: scale by what users feel, or see what would have been done."""

import gc
from typing import Annotated

import typer
import uvloop

from borough_operator.handlers import serve
from borough_operator.kube.credentials import Credentials, NoCredentials, find
from borough_operator.running import logs
from borough_operator.running.wiring import PREFIX, Operator, Options
from borough_operator.simulator import commands
from borough_operator.sources.mapping import SeriesMapping

FAILED = 1
WRONG_SETTINGS = 2
GENERATIONS = (50_000, 20, 50)
"""How seldom garbage is looked for: what is known of ten thousand scalers stays, and is none; by
default a tenth of the CPU goes into looking through it.
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=__doc__,
)
app.command()(commands.leaderboard)
app.command()(commands.simulate)

_PLAIN = Options()
_NAMES = SeriesMapping(namespaces=("default",))


def _env(field: str) -> str:
    return PREFIX + field.upper()


@app.command()
def run(  # noqa: PLR0913, PLR0917  # typer reads options from arguments
    namespaces: Annotated[
        str,
        typer.Option(
            envvar=_env("namespaces"),
            help="Where scalers and their targets are, separated by commas; its own if empty.",
        ),
    ] = ",".join(_PLAIN.namespaces),
    prometheus_url: Annotated[
        str,
        typer.Option(envvar=_env("prometheus_url"), help="Prometheus; empty where there is none."),
    ] = _PLAIN.prometheus_url,
    pods_source: Annotated[
        bool,
        typer.Option(
            envvar=_env("pods_source"), help="Whether scalers may have their pods read directly."
        ),
    ] = _PLAIN.pods_source,
    ops_port: Annotated[
        int, typer.Option(envvar=_env("ops_port"), help="Of /metrics, /livez and /readyz.")
    ] = _PLAIN.ops_port,
    otlp_endpoint: Annotated[
        str,
        typer.Option(
            envvar=_env("otlp_endpoint"),
            help="Where spans go, such as http://collector:4318; empty: nowhere.",
        ),
    ] = _PLAIN.otlp_endpoint,
    log_level: Annotated[
        str, typer.Option(envvar=_env("log_level"), help="debug, info, warning or error.")
    ] = _PLAIN.log_level,
    resync_s: Annotated[
        float,
        typer.Option(envvar=_env("resync_s"), min=1, help="Seconds between two full lists."),
    ] = _PLAIN.resync_s,
    namespace_label: Annotated[
        str, typer.Option(envvar=_env("namespace_label"), help="Label of a series: the namespace.")
    ] = _NAMES.namespace_label,
    workload_label: Annotated[
        str, typer.Option(envvar=_env("workload_label"), help="Label of a series: the target.")
    ] = _NAMES.workload_label,
    rate_metric: Annotated[
        str, typer.Option(envvar=_env("rate_metric"), help="A counter of requests answered.")
    ] = _NAMES.rate_metric,
    in_flight_metric: Annotated[
        str, typer.Option(envvar=_env("in_flight_metric"), help="A gauge of requests under way.")
    ] = _NAMES.in_flight_metric,
    duration_metric: Annotated[
        str,
        typer.Option(
            envvar=_env("duration_metric"), help="A histogram of what requests take, in seconds."
        ),
    ] = _NAMES.duration_metric,
    window: Annotated[
        float,
        typer.Option(
            envvar=_env("window"), help="Seconds of a Prometheus that a value is taken over."
        ),
    ] = _NAMES.window,
) -> None:
    """Serve the ServiceScalers of some namespaces, until SIGTERM."""
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
        logs.configure(options.log_level)
        mapping = SeriesMapping(
            namespaces=options.namespaces,
            namespace_label=namespace_label,
            workload_label=workload_label,
            rate_metric=rate_metric,
            in_flight_metric=in_flight_metric,
            duration_metric=duration_metric,
            window=window,
        )
        healthy = uvloop.run(_live(options, mapping, credentials))
    except (NoCredentials, OSError, ValueError) as wrong:
        typer.echo(f"borough-operator: {wrong}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from None
    raise typer.Exit(0 if healthy else FAILED)


async def _live(options: Options, mapping: SeriesMapping, credentials: Credentials) -> bool:
    """Whether it ended because it was told to."""
    gc.set_threshold(*GENERATIONS)
    operator = Operator(options, mapping, credentials)
    await serve(operator, credentials, options.namespaces)
    return not operator.failed


if __name__ == "__main__":
    app()
