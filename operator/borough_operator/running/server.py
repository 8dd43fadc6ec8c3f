"""The ops port: /metrics for a Prometheus, /livez and /readyz for the kubelet.

Alive is what a restart would mend: a loop that stands still, a watch that has gone deaf. Ready is
whether all that must be read was read; what others fail to do makes the operator unready, never
dead. It is served by the loop it judges, so that one which hangs does not answer either.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from borough_operator.running.telemetry import CONTENT_TYPE, Telemetry

Judge = Callable[[], str]
"""Answers a sentence that says what is wrong, empty where nothing is."""


class OpsServer:
    """Serves on every address of the host."""

    def __init__(self, port: int, telemetry: Telemetry, alive: Judge, ready: Judge) -> None:
        self._port = port
        self._telemetry = telemetry
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", _answering(alive))
        app.router.add_get("/readyz", _answering(ready))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Raises OSError where the port is not to be had."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def close(self) -> None:
        """Give the port back."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        async for page in self._telemetry.exposition():
            await response.write(page)
        await response.write_eof()
        return response


def _answering(judge: Judge) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = judge()
        told = {"ok": not wrong, "reason": wrong}
        return web.json_response(told, status=503 if wrong else 200)

    return answer
