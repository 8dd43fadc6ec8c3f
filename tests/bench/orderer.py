"""Customers who order at one door over HTTP, as a process of their own.

    python -m bench.orderer http://127.0.0.1:8080 /v1/orders /v1/profile

Every line of JSON on stdin is a `Task`; the answer says how many orders were placed and how many
failed, in how many seconds, and the latencies in milliseconds. The same seed orders the same
baskets for the same customers, each under a fresh key.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from http import HTTPStatus
from itertools import count
from typing import Any
from uuid import uuid4

import numpy as np
import uvloop
from pydantic import BaseModel

from bench.wire import Connections, request
from borough_bill.load.customers import make_customers
from borough_bill.load.schedule import POISSON, arrivals
from borough_bill.load.workload import shipped

CUSTOMERS = 50
NOWHERE = "/there-is-no-such-path"

Act = Callable[[float], Coroutine[Any, Any, None]]
"""Gets the time at which the request was due."""


class Task(BaseModel):
    """So many `orders`, `in_flight` at a time; or `rate` a second for `seconds` at random moments,
    whatever becomes of those before. Beside the latter, `probes` a second ask for a path that there
    is not: the answer takes the server's event loop and nothing else.
    """

    seed: int
    orders: int = 0
    in_flight: int = 1
    rate: float = 0.0
    seconds: float = 0.0
    probes: float = 0.0


class Orderer:
    """The customers; `introduce` makes them known first."""

    def __init__(self, url: str, orders: str, profile: str) -> None:
        self._url, self._orders, self._profile = url, orders, profile
        self._connections = Connections(url)
        self._customers = make_customers(CUSTOMERS)
        self._baskets = [json.dumps({"lines": lines}).encode() for lines in _baskets()]
        self._probe = request(url, "GET", NOWHERE)
        self._run = uuid4().hex
        self._number = count(1)

    async def introduce(self) -> None:
        """Write every profile. Raises ValueError where one is refused."""
        for customer in self._customers:
            profile = {
                "name": customer.name,
                "email": f"{customer.name}@example.com",
                "card_token": customer.card_token,
            }
            status = await self._connections.ask(
                request(
                    self._url, "PUT", self._profile, json.dumps(profile).encode(),
                    authorization=f"Bearer {customer.key}",
                )
            )  # fmt: skip  # one request
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                raise ValueError(f"{self._profile} answered {status}")

    async def do(self, task: Task) -> dict[str, float]:
        """The task's answer."""
        orders = self._requests(random.Random(task.seed))  # to be repeated
        latencies, probes, statuses = list[float](), list[float](), list[int]()
        begun = time.perf_counter()

        async def order(since: float | None = None) -> None:
            asked = next(orders)
            start = time.perf_counter() if since is None else since
            statuses.append(await self._ask(asked))
            latencies.append(time.perf_counter() - start)

        async def probe(_: float) -> None:
            start = time.perf_counter()
            if not 0 < await self._ask(self._probe) < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ValueError(f"{NOWHERE} was not answered")
            probes.append(time.perf_counter() - start)

        if task.orders:
            await _closed(order, task.orders, task.in_flight)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(_paced(order, task.rate, task.seconds, task.seed, begun))
                if task.probes:
                    seed = task.seed + 1  # not at the moments of the orders
                    group.create_task(_paced(probe, task.probes, task.seconds, seed, begun))
        placed = statuses.count(HTTPStatus.CREATED)
        return {
            "placed": placed,
            "failed": len(statuses) - placed,
            "seconds": time.perf_counter() - begun,
            "p50_ms": _percentile(latencies, 50),
            "p99_ms": _percentile(latencies, 99),
            "probe_p99_ms": _percentile(probes, 99),
            **{f"status {status}": times for status, times in Counter(statuses).items()},
        }

    async def _ask(self, asked: bytes) -> int:
        """The status; 0 where no answer came."""
        try:
            return await self._connections.ask(asked)
        except OSError:
            return 0

    def _requests(self, chance: random.Random) -> Iterator[bytes]:
        while True:
            yield request(
                self._url, "POST", self._orders, chance.choice(self._baskets),
                authorization=f"Bearer {chance.choice(self._customers).key}",
                idempotency_key=f"{self._run}-{next(self._number)}",
            )  # fmt: skip  # one request


async def _closed(
    order: Callable[[], Coroutine[Any, Any, None]], orders: int, in_flight: int
) -> None:
    left = iter(range(orders))

    async def one_after_another() -> None:
        for _ in left:
            await order()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_another())


async def _paced(act: Act, rate: float, seconds: float, seed: int, begun: float) -> None:
    """Each at its own time, which it gets."""
    async with asyncio.TaskGroup() as group:
        for moment in arrivals(POISSON, rate, seconds, seed):
            await asyncio.sleep(max(0.0, begun + moment - time.perf_counter()))
            group.create_task(act(begun + moment))


def _baskets() -> list[Any]:
    """Those of the bill's own workload of orders."""
    return shipped("orders").data["basket"]


def _percentile(seconds: list[float], share: float) -> float:
    return float(np.percentile(seconds, share)) * 1_000 if seconds else 0.0


async def serve(url: str, orders: str, profile: str) -> None:
    """Do what each line asks, until stdin ends."""
    from bench.talk import say  # noqa: PLC0415  # it takes stdout, which is the importer's

    orderer = Orderer(url, orders, profile)
    await orderer.introduce()
    say(ready=1)
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(**await orderer.do(Task.model_validate_json(line)))


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:4]))
