"""Pages that threads of their own serve: what a scrape or a probe asks, beside the event loop."""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from borough_telemetry.metrics import Format

REQUEST_S = 5
"""Whoever takes longer to send a request is not waited for."""
REST_S = 0.0002
"""Between two pieces of the exposition: a real sleep, since a thread that only offers the
interpreter's lock takes it back before anybody else is awake.
"""
JSON = "application/json"


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes


def metrics_page(pieces: Callable[[Format], Iterator[bytes]], accept: str) -> Page:
    """An exposition in the format that is asked for, written without haste."""
    form = Format.wanted(accept)
    body = bytearray()
    for piece in pieces(form):
        if body:
            time.sleep(REST_S)  # off the loop: requests get the lock
        body += piece
    return Page(200, form.value, bytes(body))


def json_page(status: int, content: Mapping[str, object]) -> Page:
    """What is not JSON in it is written as text."""
    return Page(status, JSON, json.dumps(content, default=str).encode())


class PageServer(ThreadingHTTPServer):
    """Answers on a listening socket while the context lasts; each page is told what is accepted."""

    daemon_threads = True

    def __init__(
        self, listening: socket.socket, routes: Mapping[str, Callable[[str], Page]], log: Any
    ) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.routes = routes
        self._log = log
        self._leaving = False

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, name="pages", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._thread.join()
        self.server_close()

    def serve(self) -> None:
        """Wait for each request; unlike `serve_forever` it does not wake up to see if it may go."""
        while not self._leaving:
            self.handle_request()

    def leave(self) -> None:
        """End `serve`, with a connection that asks nothing."""
        self._leaving = True
        socket.create_connection(self.socket.getsockname()[:2], timeout=REQUEST_S).close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        self._log.warning("page failed", client=str(client_address), exc_info=True)


class _Hasty(io.RawIOBase):
    """Reads a socket until the seconds are over, however often a byte comes."""

    def __init__(self, connection: socket.socket, seconds: float = REQUEST_S) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version, sys_version = "borough", ""
    timeout = REQUEST_S

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Hasty(self.connection))

    def do_GET(self) -> None:
        route = self.server.routes.get(self.path.partition("?")[0])
        accept = self.headers.get("Accept", "")
        page = route(accept) if route else json_page(404, {"paths": sorted(self.server.routes)})
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
