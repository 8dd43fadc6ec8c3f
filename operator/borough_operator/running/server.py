"""The ops port: /metrics for Prometheus, /livez and /readyz for the kubelet.

/livez fails where only a restart helps: a stuck loop, a stalled watch. /readyz fails until
everything that must be read was read; failures of others make the operator unready and never
restart it. The server runs on the loop that it checks, so a stuck loop does not respond.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from borough_operator.running.telemetry import CONTENT_TYPE, Telemetry

Check = Callable[[], str]
"""Returns a sentence about a problem, empty where there is none."""


class OpsServer:
    """Serves on every address of the host."""

    def __init__(self, port: int, telemetry: Telemetry, alive: Check, ready: Check) -> None:
        self._port = port
        self._telemetry = telemetry
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", _probe(alive))
        app.router.add_get("/readyz", _probe(ready))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        async for page in self._telemetry.exposition():
            await response.write(page)
        await response.write_eof()
        return response


def _probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def probe(_: web.Request) -> web.Response:
        problem = check()
        body = {"ok": not problem, "reason": problem}
        return web.json_response(body, status=503 if problem else 200)

    return probe
