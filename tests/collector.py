"""The bill's receiver of spans, on a test's event loop: answers may be late, refused or missing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from borough_bill.targets.collector import SHUTDOWN_S, Span, decode, receiver


class Collector:
    """The receiver, listening at `url` while the context lasts.

    It answers `status` after `delay` seconds (None: never); both may be changed while it runs.
    Bodies that it refuses are not kept.
    """

    def __init__(self, *, status: int = 200, delay: float | None = 0.0) -> None:
        self.status = status
        self.delay = delay
        self.bodies: list[bytes] = []
        self.requests = 0
        """The number of requests, whatever was answered."""
        app = receiver(self.bodies.append)
        app.middlewares.append(self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)

    @property
    def spans(self) -> list[Span]:
        """Every received span, decoded now. Raises BrokenSpans."""
        return [span for body in self.bodies for span in decode(body)]

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests += 1
        await request.read()
        await (asyncio.sleep(self.delay) if self.delay is not None else asyncio.Event().wait())
        return await handler(request) if self.status == 200 else web.Response(status=self.status)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = site.name
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
