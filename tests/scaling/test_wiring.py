"""Is a stalled watch found, and none that has not started?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from borough_operator.kube.credentials import Credentials
from borough_operator.running.registry import DEPLOYMENTS, SCALERS
from borough_operator.running.wiring import Operator, Options, unix_clock
from borough_operator.sources.mapping import SeriesMapping
from scaling.servers import serving

SHOP = "shop"
LATER = 10_000.0
"""Seconds; a list comes much earlier."""


@dataclass
class Lists:
    """An API server with one Deployment, with or without the ServiceScaler definition."""

    defined: bool

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        plural = request.path.rsplit("/", 1)[-1]
        if plural == SCALERS and not self.defined:
            return web.json_response({"message": "not found"}, status=404)
        meta = {"namespace": SHOP, "name": "pay", "uid": "u", "resourceVersion": "7"}
        deployment = {"metadata": meta, "spec": {"template": {"spec": {}}}}
        items = [deployment] if plural == DEPLOYMENTS else []
        page = {"kind": "DeploymentList", "metadata": {"resourceVersion": "9"}, "items": items}
        return web.json_response(page)


@asynccontextmanager
async def starting(*, defined: bool) -> AsyncIterator[tuple[Operator, asyncio.Task[None]]]:
    """An operator and its start task, once it has listed the Deployment."""
    async with serving(Lists(defined)) as url, asyncio.timeout(10.0):
        options = Options(namespaces=(SHOP,))
        operator = Operator(options, SeriesMapping(namespaces=(SHOP,)), Credentials(url))
        start = asyncio.create_task(operator.start())
        try:
            while not len(operator.registry.watched[DEPLOYMENTS]):
                await asyncio.sleep(0.01)  # until the first list is complete
            yield operator, start
        finally:
            start.cancel()
            await operator.stop()


async def test_watch_is_not_stalled_before_its_definition_exists() -> None:
    """No watch is open yet, and a restart would not help."""
    async with starting(defined=False) as (operator, start):
        deployments = operator.registry.watched[DEPLOYMENTS]
        assert deployments.stalled(unix_clock()() + LATER) == ""
        assert not start.done()


async def test_watch_without_events_after_the_start_is_stalled() -> None:
    """It has not delivered the listed object."""
    async with starting(defined=True) as (operator, start):
        await start
        deployments = operator.registry.watched[DEPLOYMENTS]
        assert "shop/pay" in deployments.stalled(unix_clock()() + LATER)
