"""Calls to the API server: limited in number and time, retried while the server is busy, counted,
and with its refusals as exceptions.

Retry-After is honoured, so that any number of scalers cannot overload the server.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from borough_operator.kube.credentials import Credentials

MAX_IN_FLIGHT = 16
"""Maximum concurrent requests."""
TRIES = 4
MAX_RETRY_AFTER = 5.0
"""Maximum seconds that one Retry-After delays a request; the next decision comes soon enough."""
TIMEOUT = aiohttp.ClientTimeout(total=15)
_BUSY = frozenset({429, 503, 504})


class Refused(Exception):
    """The API server refused the request; the message names the object and the reason."""


class Conflict(Refused):
    """The object has changed since the decision."""


class NotFound(Refused):
    """There is no such object (404)."""


class Unreachable(Refused):
    """The API server did not respond, or was busy at every try."""


class Expired(Refused):
    """A list expired between two of its pages (410)."""


_ERRORS: Mapping[int, type[Refused]] = {404: NotFound, 409: Conflict, 410: Expired}

Count = Callable[[str, str, str], None]
"""Called for every request with verb and resource as RBAC names them, and the status code or
"error"."""


class Api:
    def __init__(
        self,
        credentials: Credentials,
        count: Count,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._credentials = credentials
        self._server = credentials.server.rstrip("/")
        self._count = count
        self._sleep = sleep
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        connector = aiohttp.TCPConnector(ssl=credentials.ssl_context(), limit=MAX_IN_FLIGHT)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT)

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """One call, retried while the server is busy. Raises Refused."""
        for left in reversed(range(TRIES)):
            async with self._slots:
                code, content_bytes, delay = await self._try(verb, path, body, content, query or {})
            if code == HTTPStatus.UNAUTHORIZED and left:  # the token may have been renewed
                self._credentials.token.forget()
            elif code in _BUSY and left:
                await self._sleep(delay)
            else:
                return _parsed(code, content_bytes, f"{verb} {path}")
        raise AssertionError("the last try returns or raises")

    async def _try(
        self, verb: str, path: str, body: Any, content: str, query: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        """Status code, response body, and seconds to wait before a retry. Raises Unreachable."""
        code = "error"
        try:
            async with self._session.request(
                _METHODS[verb],
                self._server + path,  # not joined by aiohttp: the server's URL may have a path
                params=query,
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": content, **self._credentials.headers()},
                allow_redirects=False,
            ) as response:
                code = str(response.status)
                return response.status, await response.read(), _retry_delay(response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = str(error) or type(error).__name__
            raise Unreachable(f"{verb} {path}: {text}") from None
        finally:
            self._count(verb, _resource_of(path), code)


_METHODS = {"get": "GET", "list": "GET", "patch": "PATCH", "create": "POST"}


def _resource_of(path: str) -> str:
    """The resource of a path as RBAC names it, such as deployments/scale."""
    parts = path.split("/namespaces/", 1)[1].split("/")
    return "/".join((parts[1], *parts[3:]))


def _retry_delay(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    return min(MAX_RETRY_AFTER, float(value) if value.isdecimal() else 1.0)


def _parsed(code: int, content: bytes, call: str) -> Any:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    known, good = isinstance(body, dict), code < HTTPStatus.MULTIPLE_CHOICES
    if good and known:
        return body
    words = body.get("message", "") if known else content[:200].decode("utf-8", "replace")
    message = f"{call}: {code}: {words}"
    if good or code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _BUSY:
        raise Unreachable(message)  # code < 300: not a response of the API server
    if code == HTTPStatus.UNPROCESSABLE_ENTITY and not (known and body.get("details")):
        raise Conflict(message)  # `test` of a JSON patch failed; a schema error has details
    raise _ERRORS.get(code, Refused)(message)
