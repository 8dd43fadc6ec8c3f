"""A client of the REST door: requests over a socket, answers ready to compare."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from borough.errors import PROBLEM_MEDIA_TYPE, Problem
from borough.testing.servers import running


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is the decoded JSON, None where there was nothing."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> Problem:
        """The body as a problem document. Raises AssertionError where it is none."""
        media_type = self.headers.get("Content-Type")
        if media_type != PROBLEM_MEDIA_TYPE:
            raise AssertionError(f"{self.status} {media_type}: {self.body}")
        problem = Problem.model_validate(self.body)
        if problem.status != self.status:
            raise AssertionError(f"{problem.status} in the body of a {self.status}")
        return problem


class Visitor:
    """One customer at one door."""

    def __init__(self, http: ClientSession) -> None:
        self._http = http

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send a request. A body that is not bytes, nor a stream of them, goes as JSON; a header
        that is None is left out.
        """
        sent = {"X-API-Key": "key-of-ada", "Content-Type": "application/json", **(headers or {})}
        raw = body if isinstance(body, bytes | AsyncIterator) else json.dumps(body).encode()
        async with self._http.request(
            method,
            path,
            data=None if body is None else raw,
            headers={name: value for name, value in sent.items() if value is not None},
            skip_auto_headers={name for name, value in sent.items() if value is None},
        ) as response:
            text = await response.text()
            return Answer(response.status, response.headers, json.loads(text) if text else None)

    async def order(self, key: str, **quantities: int) -> Answer:
        """Place an order; underscores stand for the hyphens of a SKU."""
        lines = [{"sku": sku.replace("_", "-"), "quantity": n} for sku, n in quantities.items()]
        return await self.ask(
            "POST", "/v1/orders", {"lines": lines}, headers={"Idempotency-Key": key}
        )

    async def introduce(self, card_token: str = "tok_visa_4242") -> None:  # noqa: S107  # of a test card
        """Write a profile, so that there is a card to charge."""
        profile = {"name": "Ada", "email": "ada@example.org", "card_token": card_token}
        await self.ask("PUT", "/v1/profile", profile)


@asynccontextmanager
async def visiting(app: Any) -> AsyncIterator[Visitor]:
    """Serve the app, and yield a client of it."""
    async with running(app) as url, ClientSession(url) as http:
        yield Visitor(http)
