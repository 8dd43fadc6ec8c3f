"""An app served by plain uvicorn. Tests that use only this run without kit and shop."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn

HOST = "127.0.0.1"
PATIENCE_S = 3_600
"""No deadline and no idle connection's end decides a test on a busy machine."""


class Answer(NamedTuple):
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[int]:
    """Served as by `uvicorn app:app`, with its lifespan; yields the port, which was free."""
    with socket.create_server((HOST, 0)) as listening:
        config = uvicorn.Config(
            app, log_config=None, http="httptools", timeout_keep_alive=PATIENCE_S
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.001)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def fetch(port: int, path: str, accept: str = "*/*") -> Answer:
    """Ask over a connection of its own. Blocks."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())
    finally:
        connection.close()
