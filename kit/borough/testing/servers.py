"""An app served on a real socket, for the duration of a test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

IDLE_S = 3_600
"""Longer than any test: after uvicorn's 5 s, a client on a busy machine would get a reset when it
sends its next request.
"""


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A bound socket, so that its address is known before it is served. Port 0: a free one."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio does not disable Nagle: 40 ms
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


@asynccontextmanager
async def running(app: Any, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve on this loop; yields the URL."""
    with listener or listen() as bound:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            reset_contextvars=True,
            timeout_keep_alive=IDLE_S,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve([bound]))
        while not server.started:
            await asyncio.sleep(0)
        try:
            yield url_of(bound)
        finally:
            server.should_exit = True
            server.force_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to the test runner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
