"""HTTP requests to untrusted servers: responses are limited, redirects are not followed.

Errors are the end of a sentence that begins with the server's name, and contain no URL, which may
hold a password.
"""

from collections.abc import Mapping

import aiohttp
from yarl import URL

_CONNECTIONS = 256
"""Maximum open connections to all servers together."""
_MAX_QUOTE = 200
"""Characters quoted of a server's text."""


class FetchFailed(Exception):
    """No response was received; the message continues a sentence after the server's name."""


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

        Raises FetchFailed where the server does not respond, for a redirect, and for a body of more
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
                    raise FetchFailed(f"redirects to {to} ({response.status}): not followed")
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise FetchFailed(f"returned more than {limit >> 20} MiB, the limit")
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: not HTTP
            raise FetchFailed(_cause(error)) from None

    async def close(self) -> None:
        """Close all connections."""
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
