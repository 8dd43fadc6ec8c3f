"""uvicorn's protocol, whose answers leave in one piece.

uvicorn writes the head of an answer when the app sends it, and the body when that comes: two system
calls, and a caller who is woken twice. ASGI wants a server to hold the head until there is a first
piece of body, and so do we.
"""

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class OneWriteProtocol(HttpToolsProtocol):
    """One connection."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["method"] != "HEAD":  # whose head nothing follows
            cycle.transport = _Holding(cycle.transport)  # type: ignore[assignment]  # all a cycle uses
        super()._start_asgi_task(cycle, app)


class _Holding:
    """The transport, as one answer sees it: the head waits for what comes next."""

    __slots__ = ("_head", "_through", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._through = False

    def write(self, data: bytes) -> None:
        if self._through or data == CONTINUE:
            self._transport.write(data)
        elif not self._head:
            self._head = data
        else:
            self._through = True
            self._transport.write(self._head + data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if not self._through and self._head:
            self._transport.write(self._head)  # an answer that broke off before its body
        self._transport.close()
