"""What stands in for a Prometheus: it answers instant queries with the loads a test has set.

It looks at a query only as far as it must to know what is asked: a family for all targets, its age,
pods that fell silent, or the very words of a Query goal. It can also hang.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from borough_bill.targets.processes import HOST

LONGEST_HANG = 20.0


class Prometheus:
    """Serves while the context lasts."""

    def __init__(self) -> None:
        self.rates: dict[tuple[str, str], float] = {}
        """Requests per second, by namespace and workload."""
        self.answers: dict[str, Any] = {}
        """The `data` of the response to a query, by its exact text."""
        self.hanging: set[str] = set()
        """Queries that get no response."""
        self.down = False
        self._over = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the response."""
        if query in self.hanging:
            self._over.wait(LONGEST_HANG)
        if self.down:
            return 503, {"status": "error", "error": "it is down"}
        if query in self.answers:
            return 200, {"status": "success", "data": self.answers[query]}
        return 200, {"status": "success", "data": vector(self._family(query))}

    def _family(self, query: str) -> dict[tuple[str, str], float]:
        if query.startswith("time()"):
            return dict.fromkeys(self.rates, 0.5)
        if "_count" in query and "rate(" in query:
            return self.rates
        return {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self._say(parse_qs(self.rfile.read(length).decode())["query"][0])

            def do_GET(self) -> None:
                self._say(parse_qs(urlsplit(self.path).query)["query"][0])

            def _say(self, query: str) -> None:
                status, answer = outer.answer(query)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                """No log."""

        return Handler


def vector(values: dict[tuple[str, str], float]) -> dict[str, Any]:
    """One sample for each namespace and workload."""
    now = time.time()
    return {
        "resultType": "vector",
        "result": [
            {"metric": {"namespace": namespace, "workload": name}, "value": [now, str(value)]}
            for (namespace, name), value in values.items()
        ],
    }
