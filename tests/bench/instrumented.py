"""A third-party app under the telemetry of an installed commit.

    python -m bench.instrumented borough_telemetry --otlp http://127.0.0.1:4318

A file of its own because a commit that is compared has none of the packages of `bench.app`.
"""

import argparse
import importlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from bench.talk import answer_forever, say

KEEP_ALIVE_S = 600
"""Connections outlast the time between blocks: by default they would end just as httpx's pool uses
them again, and a call would fail."""
DROPPED = "borough_spans_dropped_total"


def make_app() -> FastAPI:
    """One route, with a JSON body each way."""
    app = FastAPI()

    @app.post("/items")
    async def item(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


def under(app: FastAPI, module: str, otlp: str) -> Callable[[], object]:
    """Put the telemetry of this module on it. What is returned exports what is pending, and raises
    RuntimeError where spans were dropped, which is cheaper than to export them.
    """
    telemetry = importlib.import_module(module).instrument(
        app, service="callee", otlp_endpoint=otlp, ratio=1.0, access_log=0.0
    )

    export = getattr(telemetry, "flush", telemetry.close)  # as older commits call it

    def flush() -> None:
        export()
        for line in telemetry.exposition().decode().splitlines():
            if line.startswith(DROPPED) and float(line.split()[1]):
                raise RuntimeError(line)

    return flush


def serve(app: FastAPI, flush: Callable[[], object], *, access_log: bool = False) -> None:
    """Serve on a free port, say which, and answer `flush` until stdin ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    say(port=listener.getsockname()[1])
    answer_forever(flush)
    config = uvicorn.Config(
        app,
        access_log=access_log,
        log_level="info" if access_log else "error",
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    """Read the command line and serve the app."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--otlp", required=True)
    options = parser.parse_args()
    app = make_app()
    serve(app, under(app, options.module, options.otlp))


if __name__ == "__main__":
    main()
