"""One FastAPI app with one JSON route, under our telemetry, the standard stack's, or none.

    python -m bench.app --stack standard --ratio 0.01 --otlp http://127.0.0.1:4318

The route and the server are the same for all, and each stack is put on as its own documents say.
Uvicorn's access log is off unless `--logs` asks for it: it would be a handicap to the peers.
"""

import argparse
from collections.abc import Callable

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from prometheus_fastapi_instrumentator import Instrumentator

from bench.instrumented import serve
from bench.messages import ANSWER, PATH
from bench.tracing import SpansLost, standard_tracing
from borough_shop.experiments.rungs.hop import lost_spans
from borough_shop.inventory.contract import Reservation, Reserve
from borough_telemetry import instrument

Flush = Callable[[], object]
"""Exports what is pending, whose CPU belongs to the requests that made it. Raises SpansLost."""


def make_app() -> FastAPI:
    """The app before any telemetry."""
    app = FastAPI()

    @app.post(PATH)
    async def reserve(request: Reserve) -> Reservation:
        """Answers from memory."""
        return ANSWER

    return app


def bare(app: FastAPI, options: argparse.Namespace) -> Flush:
    """Nothing at all."""
    return lambda: None


def ours(app: FastAPI, options: argparse.Namespace) -> Flush:
    """Our kit in a foreign app, as docs/telemetry.md says."""
    if options.ratio is None:
        return instrument(app, service="callee", ratio=0).close
    access_log = 1.0 if options.logs else 0.0
    telemetry = instrument(
        app,
        service="callee",
        otlp_endpoint=options.otlp,
        ratio=options.ratio,
        access_log=access_log,
    )

    def flush() -> None:
        telemetry.close()
        if lost := lost_spans(telemetry.exposition()):
            raise SpansLost(", ".join(lost))

    return flush


def standard(app: FastAPI, options: argparse.Namespace) -> Flush:
    """The standard stack: prometheus-fastapi-instrumentator and OpenTelemetry's FastAPI
    instrumentor with a batch processor and OTLP/HTTP, as their documents say.
    """
    Instrumentator().instrument(app).expose(app)
    if options.ratio is None:
        return lambda: None
    flush = standard_tracing("callee", options.otlp, options.ratio)
    FastAPIInstrumentor.instrument_app(app)
    return flush


STACKS = {"bare": bare, "ours": ours, "standard": standard}


def main() -> None:
    """Read the command line and serve the app under that stack."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack", choices=STACKS, required=True)
    parser.add_argument("--ratio", type=float, help="Share of requests traced; none: metrics only.")
    parser.add_argument("--otlp", default="")
    parser.add_argument("--logs", action="store_true", help="An access log line a request.")
    options = parser.parse_args()
    app = make_app()
    flush = STACKS[options.stack](app, options)
    serve(app, flush, access_log=options.logs and options.stack == "standard")


if __name__ == "__main__":
    main()
