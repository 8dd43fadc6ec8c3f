"""One call to the API server: bounded in number and time, tried again while the server is short of
breath, counted, and with its refusals as errors.

Retry-After is honoured, so no number of scalers can storm it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from borough_operator.kube.credentials import Credentials

AT_ONCE = 16
"""Requests under way at any time."""
TRIES = 4
LONGEST_PAUSE = 5.0
"""Seconds that one Retry-After may hold a request; the next decision is never far."""
ANSWERS_WITHIN = aiohttp.ClientTimeout(total=15)
_BUSY = frozenset({429, 503, 504})


class Refused(Exception):
    """The API server said no; the message names the object and says why."""


class Conflict(Refused):
    """The object is not what it was when this was decided: look again."""


class Gone(Refused):
    """There is no such object."""


class Unreachable(Refused):
    """The API server did not answer, or was too busy until the end."""


class Expired(Refused):
    """A list changed too much while its pages were turned."""


_ERRORS: Mapping[int, type[Refused]] = {404: Gone, 409: Conflict, 410: Expired}

Count = Callable[[str, str, str], None]
"""Told of every request: verb and resource as RBAC calls them, and the code or "error"."""


class Api:
    """The API server, as its credentials see it."""

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
        self._turns = asyncio.Semaphore(AT_ONCE)
        connector = aiohttp.TCPConnector(ssl=credentials.ssl_context(), limit=AT_ONCE)
        self._session = aiohttp.ClientSession(connector=connector, timeout=ANSWERS_WITHIN)

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """One call, tried again while the server is busy. Raises Refused."""
        for left in reversed(range(TRIES)):
            async with self._turns:
                code, answer, pause = await self._try(verb, path, body, content, query or {})
            if code == HTTPStatus.UNAUTHORIZED and left:  # the token was renewed a moment ago
                self._credentials.token.forget()
            elif code in _BUSY and left:
                await self._sleep(pause)
            else:
                return _accepted(code, answer, f"{verb} {path}")
        raise AssertionError("the last try returns or raises")

    async def _try(
        self, verb: str, path: str, body: Any, content: str, query: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        """Code, answer, and how long to wait before the next try. Raises Unreachable."""
        code = "error"
        try:
            async with self._session.request(
                _METHODS[verb],
                self._server + path,  # which aiohttp would not join: the server's may have a path
                params=query,
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": content, **self._credentials.headers()},
                allow_redirects=False,
            ) as answer:
                code = str(answer.status)
                return answer.status, await answer.read(), _pause(answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            raise Unreachable(f"{verb} {path}: {said}") from None
        finally:
            self._count(verb, _resource_of(path), code)


_METHODS = {"get": "GET", "list": "GET", "patch": "PATCH", "create": "POST"}


def _resource_of(path: str) -> str:
    """The resource of a path as RBAC calls it, such as deployments/scale."""
    parts = path.split("/namespaces/", 1)[1].split("/")
    return "/".join((parts[1], *parts[3:]))


def _pause(headers: Mapping[str, str]) -> float:
    told = headers.get("Retry-After", "")
    return min(LONGEST_PAUSE, float(told) if told.isdecimal() else 1.0)


def _accepted(code: int, answer: bytes, call: str) -> Any:
    said = _object(answer)
    good = code < HTTPStatus.MULTIPLE_CHOICES
    if good and said is not None:
        return said
    if said is None:
        said = {"message": answer[:200].decode("utf-8", "replace")}
    message = f"{call}: {code}: {said.get('message', '')}"
    if good or code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _BUSY:
        raise Unreachable(message)  # where it is good, something else than the API server said so
    tested = code == HTTPStatus.UNPROCESSABLE_ENTITY and not said.get("details")
    if tested:  # the `test` of a JSON patch; of a schema that was broken the server tells details
        raise Conflict(message)
    raise _ERRORS.get(code, Refused)(message)


def _object(answer: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
