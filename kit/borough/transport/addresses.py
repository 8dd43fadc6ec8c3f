"""All addresses of a peer, looked up again and again, so that new replicas get their share."""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from borough.errors import Unavailable
from borough.transport.resilience import Address, choose

Lookup = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def dns(host: str, port: int) -> tuple[str, ...]:
    """Every address of a name, as the system's resolver tells. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


class Addresses:
    """The replicas of one peer. `urls` are http://HOST:PORT; a name may stand for several."""

    def __init__(
        self, peer: str, urls: tuple[str, ...], *, interval: float, lookup: Lookup = dns
    ) -> None:
        self._peer = peer
        self._targets = tuple(_target(peer, url) for url in urls)
        self._interval = interval
        self._lookup = lookup
        self._found: dict[tuple[str, int], tuple[str, ...]] = {}
        self._known: dict[str, Address] = {}
        self._looked_up = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self._targets)

    def at_hand(self, avoid: Address | None = None) -> Address | None:
        """The replica to ask next, where any is known; looks again when it is time."""
        now = time.monotonic()
        if now - self._looked_up > self._interval and self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
        if not self._known:
            return None
        return choose(list(self._known.values()), now, _two, avoid)

    async def pick(self, avoid: Address | None = None) -> Address:
        """The same, after the first look. Raises Unavailable where the peer has no address."""
        found = self.at_hand(avoid)
        if found is None and self._looking is not None:
            await asyncio.shield(self._looking)
            found = self.at_hand(avoid)
        if found is None:
            raise Unavailable(f"{self._peer} has no address", retry_after=1)
        return found

    def look_again(self) -> None:
        """One of them takes no connection: the next use looks again, however soon."""
        self._looked_up = float("-inf")

    async def _look_up(self) -> None:
        """Replace what is known, target by target: one that cannot be looked up keeps what it had,
        and an address that stays keeps its load.
        """
        try:
            found = await asyncio.gather(
                *(self._lookup(*target) for target in self._targets), return_exceptions=True
            )
            for target, ips in zip(self._targets, found, strict=True):
                if not isinstance(ips, BaseException):
                    self._found[target] = tuple(_url(ip, target[1]) for ip in ips)
            urls = dict.fromkeys(url for urls in self._found.values() for url in urls)
            self._known = {url: self._known.get(url) or Address(url) for url in urls}
        finally:
            self._looked_up = time.monotonic()
            self._looking = None

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()


def _two(addresses: list[Address]) -> tuple[Address, Address]:
    one, two = random.sample(addresses, 2)
    return one, two


def _url(ip: str, port: int) -> str:
    return f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}"


def _target(peer: str, url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{peer}: {url!r} is no address; one reads http://HOST:PORT")
    return parts.hostname, parts.port or 80
