"""The caller of one hop, as its client's documents say: httpx, aiohttp, ours, or bare bytes.

    python -m bench.caller httpx http://127.0.0.1:8000 --otlp http://127.0.0.1:4318

Told `CALLS IN_FLIGHT`, it makes so many calls, so many at a time, exports its spans, and says what
CPU that took. With `--telemetry ours` each call has our client span instead of the official
instrumentor's, so that client and telemetry can be compared apart. Messages are encoded and answers
decoded by pydantic's own JSON, the fastest way a FastAPI user has. `bytes` is no peer: it keeps a
server busy at the least price to the other core.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from http import HTTPStatus

import aiohttp
import httpx
import uvloop
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from bench.messages import ANSWER, JSON, PATH, QUESTION
from bench.talk import say
from bench.tracing import SpansLost, standard_tracing
from bench.wire import Connections, request
from borough.transport.wire import Pool
from borough_shop.experiments.rungs.hop import lost_spans
from borough_shop.inventory.contract import Inventory, Reservation
from borough_telemetry import ClientCall, OtlpExporter, Telemetry

ENDPOINT = Inventory.endpoints["reserve"]
WITHIN_S = 60.0
Call = Callable[[], Awaitable[None]]
Client = Callable[[str, Telemetry | None], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def by_httpx(url: str, telemetry: Telemetry | None) -> AsyncIterator[Call]:
    """A shared AsyncClient, under HTTPXClientInstrumentor unless the telemetry is ours."""
    if telemetry is None:
        HTTPXClientInstrumentor().instrument()
    async with httpx.AsyncClient(base_url=url) as client:

        async def call() -> None:
            with _watched(telemetry) as watched:
                body = QUESTION.model_dump_json()
                response = await client.post(PATH, content=body, headers=_headers(watched))
                response.raise_for_status()
                watched.status = response.status_code
                _check(Reservation.model_validate_json(response.content))

        yield call


@asynccontextmanager
async def by_aiohttp(url: str, telemetry: Telemetry | None) -> AsyncIterator[Call]:
    """A shared ClientSession, under AioHttpClientInstrumentor unless the telemetry is ours."""
    if telemetry is None:
        AioHttpClientInstrumentor().instrument()
    async with aiohttp.ClientSession(url) as session:

        async def call() -> None:
            with _watched(telemetry) as watched:
                body = QUESTION.model_dump_json()
                async with session.post(PATH, data=body, headers=_headers(watched)) as response:
                    response.raise_for_status()
                    watched.status = response.status
                    _check(Reservation.model_validate_json(await response.read()))

        yield call


@asynccontextmanager
async def by_ours(url: str, telemetry: Telemetry | None) -> AsyncIterator[Call]:
    """The client between our parts, without what is above it (deadline, retry, breaker)."""
    async with Pool() as pool:

        async def call() -> None:
            with _watched(telemetry) as watched:
                body = QUESTION.model_dump_json().encode()
                headers = "".join(
                    f"{name}: {value}\r\n" for name, value in _headers(watched).items()
                )
                until = time.monotonic() + WITHIN_S
                answer = await pool.ask("POST", url, PATH, headers, body, until)
                watched.status = answer.status
                _check(Reservation.model_validate_json(answer.body))

        yield call


@asynccontextmanager
async def by_bytes(url: str, _: Telemetry | None, path: str = PATH) -> AsyncIterator[Call]:
    """Ready-made bytes over kept connections; only the status of an answer is looked at."""
    connections = Connections(url)
    question = request(url, "POST", path, QUESTION.model_dump_json().encode())

    async def call() -> None:
        if (status := await connections.ask(question)) != HTTPStatus.OK:
            raise ValueError(f"the app answered {status}")

    yield call
    connections.close()


CLIENTS: dict[str, Client] = {
    "httpx": by_httpx,
    "aiohttp": by_aiohttp,
    "ours": by_ours,
    "bytes": by_bytes,
}


def _watched(telemetry: Telemetry | None) -> AbstractContextManager[ClientCall]:
    """Our client span around a call, or nothing, where the instrumentor makes one."""
    if telemetry is None:
        return nullcontext(ClientCall())
    return telemetry.client_call(ENDPOINT)


def _flush(telemetry: Telemetry) -> None:
    telemetry.close()
    if lost := lost_spans(telemetry.exposition()):
        raise SpansLost(", ".join(lost))


def _headers(watched: ClientCall) -> dict[str, str]:
    headers = {"content-type": JSON}
    if watched.traceparent:
        headers["traceparent"] = watched.traceparent
    return headers


def _check(answer: Reservation) -> None:
    if answer != ANSWER:
        raise ValueError(f"the callee answered {answer}")


async def make(calls: int, in_flight: int, call: Call) -> None:
    """So many calls, so many at a time. The first error ends them all."""
    left = iter(range(calls))

    async def one_after_another() -> None:
        for _ in left:
            await call()

    async with asyncio.TaskGroup() as workers:
        for _ in range(in_flight):
            workers.create_task(one_after_another())


async def serve(options: argparse.Namespace) -> None:
    """Do what each line asks, until stdin ends."""
    telemetry: Telemetry | None = None
    flush: Callable[[], None] | None = None
    if options.telemetry == "ours":
        telemetry = Telemetry("caller", export=OtlpExporter(options.otlp))
        flush = partial(_flush, telemetry)
    elif options.otlp:
        flush = standard_tracing("caller", options.otlp, 1.0)
    client: Client = CLIENTS[options.client]
    if options.path:
        client = partial(by_bytes, path=options.path)
    async with client(options.url, telemetry) as call:
        say(ready=1)
        while line := await asyncio.to_thread(sys.stdin.readline):
            calls, in_flight = map(int, line.split())
            gc.collect()  # the garbage of one run is not the price of the next
            cpu, start = time.process_time(), time.perf_counter()
            await make(calls, in_flight, call)
            seconds = time.perf_counter() - start
            if flush is not None:
                flush()
            say(cpu_s=time.process_time() - cpu, seconds=seconds)


def main() -> None:
    """Read the command line and serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url")
    parser.add_argument("--otlp", default="", help="Trace every call, and export there.")
    parser.add_argument("--path", help="Of `bytes`: where it sends, the hop's if unset.")
    parser.add_argument("--telemetry", choices=("standard", "ours"), default="standard")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
