"""Scripted HTTP servers of the tests, on a free local port."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve with this handler while the context lasts; yields the base URL."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.01)  # 0 would be none
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Clock:
    """A clock that is advanced by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scripted:
    """A Prometheus with scripted results; of any other query the result is empty."""

    answers: dict[str, Any] = field(default_factory=dict)
    """The `data` of the response, by PromQL."""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        promql = str((await request.post())["query"])
        self.asked.append(promql)
        return web.json_response(
            {"status": "success", "data": self.answers.get(promql, vector())},
        )


def vector(*rows: tuple[dict[str, str], object]) -> dict[str, Any]:
    """The data of an instant vector: labels and value of each series."""
    result = [{"metric": labels, "value": [1790000000.5, str(value)]} for labels, value in rows]
    return {"resultType": "vector", "result": result}


def of_workloads(namespace: str, **values: object) -> dict[str, Any]:
    """The data of an instant vector with a number for each workload of a namespace."""
    return vector(
        *(({"namespace": namespace, "workload": name}, value) for name, value in values.items())
    )
