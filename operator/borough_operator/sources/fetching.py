"""HTTP requests to untrusted servers, each shared by the callers that need it at the same time.

Responses are limited, redirects are not followed. Errors are the end of a sentence that begins with
the server's name, and contain no URL, which may hold a password.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Generic, TypeVar

import aiohttp
from yarl import URL

K = TypeVar("K")
V = TypeVar("V")

HANGING_WAIT = 0.25
"""Seconds that callers wait for a request that did not respond the last time."""
FORGET_AFTER = 300.0
"""Seconds after which a result that is not read any more is dropped."""
_CONNECTIONS = 256
"""Maximum open connections to all servers together."""
_MAX_QUOTE = 200
"""Characters quoted of a server's text."""


class Unusable(Exception):
    """No response was received, or none with a value; the message continues a sentence after the
    server's name.
    """


class Fetcher:
    """A pool of connections without cookies."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def fetch(
        self,
        url: URL | str,
        limit: int,
        *,
        form: Mapping[str, str] | None = None,
        accept: str = "*/*",
    ) -> tuple[int, bytes]:
        """Status and body of a GET, or of a POST of `form`.

        Raises Unusable where the server does not respond, for a redirect, and for a body of more
        than `limit` bytes after decompression. The caller bounds the duration.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        try:
            async with self._session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers={"Accept": accept, "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as response:
                if 300 <= response.status < 400:  # noqa: PLR2004  # redirects, all of them
                    to = URL(response.headers.get("Location", "")).host or "another path"
                    raise Unusable(f"redirects to {to} ({response.status}): not followed")
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise Unusable(f"returned more than {limit >> 20} MiB, the limit")
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: not HTTP
            raise Unusable(_cause(error)) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def quoted(text: object) -> str:
    """A server's text on one line, shortened to `_MAX_QUOTE` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= _MAX_QUOTE else line[: _MAX_QUOTE - 1] + "…"


def _cause(error: Exception) -> str:
    match error:
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without a response"
        case aiohttp.ClientPayloadError():
            return "ended its response early"
        case aiohttp.ClientResponseError():
            return "does not respond in HTTP"
        case _:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return f"cannot be reached: {quoted(reason)}"


class Recent(dict[K, V]):
    """Entries by key, of which those that became old are dropped now and then."""

    _swept = -math.inf

    def sweep(self, now: float, at: Callable[[V], float]) -> None:
        """Drop the entries that `at` says to be from more than `FORGET_AFTER` seconds ago."""
        if now - self._swept > FORGET_AFTER:
            self._swept = now
            for key in [key for key, value in self.items() if now - at(value) > FORGET_AFTER]:
                del self[key]


@dataclass(slots=True)
class _Request(Generic[V]):
    wanted_at: float
    result: V | None = None
    finished_at: float = float("-inf")
    hangs: bool = False
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `task` has ended."""


@dataclass(eq=False)
class SingleFlight(Generic[K, V]):
    """Results by key: concurrent callers share one request per key, and its result for a while.

    However many scalers are evaluated at once, each query is sent once. One that hangs delays its
    first callers until their timeout; from then on callers wait `HANGING_WAIT` for it, until it
    responds again. Requests that hang have slots of their own, so that they never block those that
    respond.

    Args: `fetch` makes a request and must not raise. In seconds: a result is reused `for_seconds`,
    a request is cancelled `timeout` after it got a slot, and a caller waits at most `wait`.
    `max_in_flight` requests run at once, and a quarter as many that hang.
    """

    fetch: Callable[[K], Awaitable[V]]
    _: KW_ONLY
    for_seconds: float
    timeout: float
    wait: float
    max_in_flight: int
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.max_in_flight)
        self._hanging_slots = asyncio.Semaphore(max(1, self.max_in_flight // 4))
        self._requests: Recent[K, _Request[V]] = Recent()

    async def get(self, keys: Iterable[K]) -> dict[K, V | None]:
        """The result for every key, or None where there is none in time."""
        now = self.clock()
        self._requests.sweep(now, lambda each: math.inf if each.task else each.wanted_at)
        requests = {key: self._request(key, now) for key in keys}
        pending = [request for request in requests.values() if request.task]
        if pending:
            prompt = [request.ended for request in pending if not request.hangs]
            await _all_set([request.ended for request in pending], HANGING_WAIT)
            await _all_set(prompt, self.wait - HANGING_WAIT)
        return {
            key: request.result if self._is_current(request, now) else None
            for key, request in requests.items()
        }

    async def close(self) -> None:
        tasks = [request.task for request in self._requests.values() if request.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _request(self, key: K, now: float) -> _Request[V]:
        request = self._requests.setdefault(key, _Request(now))
        request.wanted_at = now
        if request.task is None and not self._is_current(request, now):
            request.ended = asyncio.Event()
            request.task = asyncio.create_task(self._run(key, request))
        return request

    def _is_current(self, request: _Request[V], now: float) -> bool:
        return now - request.finished_at <= self.for_seconds

    async def _run(self, key: K, request: _Request[V]) -> None:
        result = None
        try:
            async with self._hanging_slots if request.hangs else self._slots:
                try:
                    async with asyncio.timeout(self.timeout):
                        result = await self.fetch(key)
                except TimeoutError:
                    request.hangs = True
                else:
                    request.hangs = False
        finally:
            request.result, request.finished_at, request.task = result, self.clock(), None
            request.ended.set()


async def _all_set(events: Iterable[asyncio.Event], within: float) -> None:
    """Wait until all events are set, or for `within` seconds.

    Events instead of tasks: removing a waiter from a task's callbacks searches them all, and
    thousands may wait for one request.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            for event in events:
                await event.wait()
