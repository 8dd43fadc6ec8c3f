"""The replicas of a peer, looked up periodically, so that new ones get their share."""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from borough.errors import DeadlineExceeded, Unavailable

Lookup = Callable[[str, int], Awaitable[tuple[str, ...]]]


@dataclass(slots=True)
class Address:
    """One replica: its URL, its calls in flight, and the monotonic time until which it is avoided
    after a failure.
    """

    url: str
    in_flight: int = 0
    avoided_until: float = 0.0


def choose(
    addresses: list[Address],
    now: float,
    chance: Callable[[list[Address]], tuple[Address, Address]],
    avoid: Address | None = None,
) -> Address:
    """The less loaded of two random ones ("power of two choices", Mitzenmacher 2001). One that
    failed lately is avoided while there is another. `addresses` must not be empty.
    """
    others = [address for address in addresses if address is not avoid] or addresses
    usable = [address for address in others if address.avoided_until <= now] or others
    if len(usable) == 1:
        return usable[0]
    one, two = chance(usable)
    return one if one.in_flight <= two.in_flight else two


async def dns(host: str, port: int) -> tuple[str, ...]:
    """Every address of a name, by the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


class Addresses:
    """The replicas of one peer. `urls` are http://HOST:PORT, else ValueError; a name may have
    several addresses, which are looked up every `interval` seconds.
    """

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

    async def pick(self, until: float, avoid: Address | None = None) -> Address:
        """The replica for the next call. Waits for the first look-up only: raises DeadlineExceeded
        if that has not ended at `until`, and Unavailable if the peer has no address.
        """
        now = time.monotonic()
        if now - self._looked_up > self._interval and self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
        if not self._known and self._looking is not None:
            try:
                async with asyncio.timeout(until - now):
                    await asyncio.shield(self._looking)
            except TimeoutError:
                raise DeadlineExceeded(f"{self._peer} was not found in time") from None
        if not self._known:
            raise Unavailable(f"{self._peer} has no address", retry_after=1)
        return choose(list(self._known.values()), now, _two, avoid)

    def look_again(self) -> None:
        """Make the next use look up again, after a replica accepted no connection."""
        self._looked_up = float("-inf")

    async def _look_up(self) -> None:
        """Replace the addresses, target by target: one that cannot be looked up keeps its old ones,
        and an address that remains keeps its load.
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
        """Stop looking up."""
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
