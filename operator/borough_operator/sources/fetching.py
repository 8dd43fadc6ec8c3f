"""Whole answers over HTTP from servers nobody vouches for: bounded in size, followed nowhere.

What goes wrong is said as the end of a sentence that begins with the server's name, and holds no
address with a password in it.
"""

from collections.abc import Mapping

import aiohttp
from yarl import URL

_CONNECTIONS = 256
"""Open at once, to all servers together."""
_WORDS = 200
"""Characters that are quoted of what somebody else says."""


class Unfetched(Exception):
    """There is no answer; the message goes on where the server's name ended."""


class Fetcher:
    """Connections that are used again, and keep nothing of what servers say."""

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
        """Status and body of a GET, or of a POST where there is a form. Raises Unfetched where
        nobody answers, for a redirect, and for a body of more than `limit` bytes once unpacked.

        Nothing bounds its time: whoever asks does.
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
            ) as answer:
                if 300 <= answer.status < 400:  # noqa: PLR2004  # redirects, all of them
                    to = URL(answer.headers.get("Location", "")).host or "another path"
                    raise Unfetched(f"redirects to {to} ({answer.status}), which is not followed")
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise Unfetched(f"answers more than {limit >> 20} MiB, which is not read")
                return answer.status, bytes(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: what is no HTTP
            raise Unfetched(_cause(error)) from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


def quoted(words: object) -> str:
    """What somebody else said, on one line and not too long."""
    line = " ".join(str(words).split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"


def _cause(error: Exception) -> str:
    match error:
        case aiohttp.ServerDisconnectedError():
            return "hung up without an answer"
        case aiohttp.ClientPayloadError():
            return "broke off its answer"
        case aiohttp.ClientResponseError():
            return "does not speak HTTP"
        case _:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return f"cannot be reached: {quoted(reason)}"
