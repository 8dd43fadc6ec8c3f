"""Pages for scrapes and probes, served by separate threads beside the event loop."""

import contextlib
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
"""The timeout of reading a request and of sending the response."""
LONGEST_HEAD = 65_536
REST_S = 0.0002
"""The pause between two pieces of work that hold the interpreter's lock. It must sleep: a thread
that only releases the lock takes it again before a waiting thread has woken up.
"""


class Page(NamedTuple):
    """A response."""

    status: int
    content_type: str
    body: bytes


def metrics_page(pieces: Callable[[Format], Iterator[bytes]], accept: str) -> Page:
    """An exposition in the format of an Accept header."""
    form = Format.wanted(accept)
    body = bytearray()
    for piece in pieces(form):
        if body:
            time.sleep(REST_S)
        body += piece
    return Page(200, form.value, bytes(body))


def json_page(status: int, content: Mapping[str, object]) -> Page:
    """A page of JSON; values that JSON has no type for are written as text."""
    return Page(status, "application/json", json.dumps(content, default=str).encode())


class PageServer(ThreadingHTTPServer):
    """Serves GET and HEAD on a listening socket, as a context manager. `routes`, by path, are
    called with the Accept header.
    """

    daemon_threads = True

    def __init__(
        self, listening: socket.socket, routes: Mapping[str, Callable[[str], Page]], log: Any
    ) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.routes = routes
        self._log = log
        self._ending = False
        self._thread = threading.Thread(target=self._serve, name="pages", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        # a connection without a request wakes the thread
        socket.create_connection(self.socket.getsockname()[:2], timeout=REQUEST_S).close()
        self._thread.join()
        self.server_close()

    def _serve(self) -> None:
        """`serve_forever` without its polling for the shutdown twice a second."""
        while not self._ending:
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        self._log.warning("page failed", client=str(client_address), exc_info=True)


def _head(connection: socket.socket, seconds: float = REQUEST_S) -> bytes:
    """The head of a request. Raises TimeoutError if it is not complete within the seconds in all,
    however often a byte arrives.
    """
    head, until = b"", time.monotonic() + seconds
    while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD:
        if (left := until - time.monotonic()) <= 0:
            raise TimeoutError
        connection.settimeout(left)
        if not (more := connection.recv(LONGEST_HEAD)):
            break
        head += more
    return head


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version, sys_version = "borough", ""
    timeout = REQUEST_S

    def handle(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.rfile = io.BytesIO(_head(self.connection))
            self.connection.settimeout(self.timeout)
            super().handle()

    def _answer(self) -> None:
        route = self.server.routes.get(self.path.partition("?")[0])
        if self.command not in {"GET", "HEAD"}:
            page = json_page(405, {})
        elif route is None:
            page = json_page(404, {"paths": sorted(self.server.routes)})
        else:
            page = route(self.headers.get("Accept", ""))
        self.send_response(page.status)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    # the base class looks for a method of this name by verb
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named by the base class
        """Probes and scrapes are not logged."""
