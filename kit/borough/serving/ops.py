"""The ops port: /livez, /readyz and /metrics, from threads of its own.

So a part whose event loop is stuck still says that it is stuck, and is still measured. /livez asks
nothing but whether the loop turns: a process is not to be killed for what others fail to do.
"""

import socket
from types import TracebackType
from typing import Self

from borough.serving.health import Health, State
from borough_telemetry import Page, PageServer, Telemetry, json_page, metrics_page

STUCK_S = 10.0
"""An event loop that was silent for longer is taken for dead."""


class OpsPort:
    """Answers on a listening socket while the context lasts."""

    def __init__(self, listening: socket.socket, health: Health, telemetry: Telemetry) -> None:
        self._health = health
        self._telemetry = telemetry
        routes = {"/livez": self.livez, "/readyz": self.readyz, "/metrics": self.metrics}
        self._server = PageServer(listening, routes, telemetry.log)

    def livez(self, accept: str) -> Page:
        silence = self._health.silence()
        alive = silence <= STUCK_S
        return json_page(200 if alive else 503, {"alive": alive, "silence_s": round(silence, 3)})

    def readyz(self, accept: str) -> Page:
        report = self._health.report()
        return json_page(200 if report["state"] is State.READY else 503, report)

    def metrics(self, accept: str) -> Page:
        """The exposition in the format that is asked for."""
        return metrics_page(self._telemetry.pieces, accept)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, at)
