"""A proxy to the API server with failures: 429 responses, and watches that have expired.

It forwards everything else, watches included, over plain HTTP.
"""

import asyncio
import json
import ssl
import threading
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

from borough_bill.targets.processes import HOST
from operator_api.apiserver import ApiServer

EXPIRED = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
}
_ENDS = {"transfer-encoding", "content-length", "content-encoding", "connection", "host"}


class Proxy:
    """Between an operator and its API server while the context lasts."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._runner: web.AppRunner | None = None
        self.busy = 0
        """So many of the next requests are answered 429."""
        self.refused = 0
        """So many were."""
        self.expired = 0
        """So many of the next watches begin with the news that their version is too old."""
        self.port = 0

    def kubeconfig(self, folder: Path) -> Path:
        """The administrator's, by this way."""
        content = json.loads(self._server.kubeconfig().read_text("utf-8"))
        content["clusters"][0]["cluster"] = {"server": f"http://{HOST}:{self.port}"}
        path = folder / "proxied.kubeconfig"
        path.write_text(json.dumps(content))
        return path

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._up.set()
        self._loop.run_forever()
        self._loop.close()

    async def _start(self) -> None:
        trust = ssl.create_default_context(cafile=str(self._server.authority))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        assert self._runner is not None
        await self._session.close()  # which ends the watches under way
        await self._runner.cleanup()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if self.busy > 0:
            self.busy -= 1
            self.refused += 1
            return web.json_response(
                {"kind": "Status", "code": 429, "message": "too many requests"},
                status=429,
                headers={"Retry-After": "1"},
            )
        if request.query.get("watch") == "true" and self.expired > 0:
            self.expired -= 1
            return web.Response(text=f"{json.dumps(EXPIRED)}\n", content_type="application/json")
        return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _ENDS}
        async with self._session.request(
            request.method,
            f"{self._server.url}{request.raw_path}",
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _ENDS}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response
