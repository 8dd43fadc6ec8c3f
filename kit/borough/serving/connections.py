"""Ends connections at a good moment: with an answer, never between two requests.

A kept connection pins its client to the process it once reached. So each lives for a bounded time:
clients come back to be balanced anew, and a new replica gets its share. A part that leaves ends
every connection that is used, so that its clients are elsewhere before it stops to listen.
"""

import random
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE = (b"connection", b"close")
JITTER = 0.2
"""Share of its life a connection may be short of, lest what began together end together."""
REMEMBERED = 10_000
"""Connections whose age is known; beyond, the oldest are forgotten and count as new."""

Peer = tuple[str, int]


class Connections:
    """An ASGI layer under which answers bear `Connection: close` on a connection that is older than
    `max_age` seconds (0: never), and on every connection while `leaving()`.

    A connection is known by the client's address and port. Where a client takes a port again before
    its time is up, the new connection inherits the age of the old one, and ends early.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_age: float,
        leaving: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._app = app
        self._max_age = max_age
        self._leaving = leaving
        self._now = now
        self._chance = chance
        self._ends: dict[Peer, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer: Peer = scope["client"]

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_last(peer):
                self._ends.pop(peer, None)
                message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
            await send(message)

        await self._app(scope, receive, closing)

    def _is_last(self, peer: Peer) -> bool:
        return self._too_old(peer) or self._leaving()

    def _too_old(self, peer: Peer) -> bool:
        if not self._max_age:
            return False
        now = self._now()
        end = self._ends.get(peer)
        if end is None:
            if len(self._ends) >= REMEMBERED:
                del self._ends[next(iter(self._ends))]
            self._ends[peer] = now + self._max_age * (1 - JITTER * self._chance())
            return False
        return now >= end
