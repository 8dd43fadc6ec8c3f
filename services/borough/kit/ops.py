"""The ops port: /livez, /readyz and /metrics, from threads of its own.

So a part whose event loop is stuck still says that it is stuck, and is still measured. /livez asks
nothing but whether the loop turns: a process is not to be killed for what others fail to do.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from borough.kit.health import Health, State
from borough.kit.telemetry import METRICS_CONTENT_TYPE, Telemetry

STUCK_S = 10.0
"""An event loop that was silent for longer is taken for dead."""
REQUEST_S = 5
"""Whoever takes longer to send a request is not waited for."""
JSON = "application/json"


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes


class OpsPort:
    """Answers on a listening socket while the context lasts."""

    def __init__(self, listening: socket.socket, health: Health, telemetry: Telemetry) -> None:
        self._health = health
        self._telemetry = telemetry
        routes = {"/livez": self.livez, "/readyz": self.readyz, "/metrics": self.metrics}
        self._server = _Server(listening, routes, telemetry.log)
        self._thread = threading.Thread(target=self._server.serve, name="ops", daemon=True)

    def livez(self) -> Page:
        silence = self._health.silence()
        alive = silence <= STUCK_S
        return _json(200 if alive else 503, {"alive": alive, "silence_s": round(silence, 3)})

    def readyz(self) -> Page:
        report = self._health.report()
        return _json(200 if report["state"] is State.READY else 503, report)

    def metrics(self) -> Page:
        return Page(200, METRICS_CONTENT_TYPE, self._telemetry.exposition())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.leave()
        self._thread.join()
        self._server.server_close()


def _json(status: int, content: Mapping[str, object]) -> Page:
    return Page(status, JSON, json.dumps(content, default=str).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, listening: socket.socket, routes: Mapping[str, Callable[[], Page]], log: Any
    ) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.routes = routes
        self._log = log
        self._leaving = False

    def serve(self) -> None:
        """Wait for each request; unlike `serve_forever` it does not wake up to see if it may go."""
        while not self._leaving:
            self.handle_request()

    def leave(self) -> None:
        """End `serve`, with a connection that asks nothing."""
        self._leaving = True
        socket.create_connection(self.socket.getsockname()[:2], timeout=REQUEST_S).close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        self._log.warning("ops request failed", client=str(client_address), exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "borough", ""
    timeout = REQUEST_S

    def do_GET(self) -> None:
        route = self.server.routes.get(self.path.partition("?")[0])
        page = route() if route else _json(404, {"paths": sorted(self.server.routes)})
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page.body)

    do_HEAD = do_GET  # noqa: N815  # the base class looks for these names

    def _refuse(self) -> None:
        self.send_response(405)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815  # so does it here

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class says so
        """Probes are not news."""
