"""A server that answers every request with the same few bytes: all the work is its client's.

python -m bench.constant
"""

import asyncio
import socket
from typing import cast

import uvloop

from bench.talk import say

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"
END = b"\r\n\r\n"


class _Constant(asyncio.Protocol):
    """A GET ends with its head, and clients that do not pipeline send it in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(END):
            self._transport.write(ANSWER)


async def serve() -> None:
    """On a free port, which is said, until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    server = await asyncio.get_running_loop().create_server(_Constant, sock=listener)
    say(port=listener.getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
