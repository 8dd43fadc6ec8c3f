"""The first steps of every door with a request: authentication, rate limit and deadline.

They precede reading the body, so that only an admitted request is parsed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from borough import deadline
from borough.capability import Message
from borough.errors import DeadlineExceeded, Unauthenticated
from borough.serving.lifecycle import Tasks
from borough.serving.web import require_json
from borough_shop.gateway.policy import ApiKeys, RateLimit, parse_timeout_ms

Question = TypeVar("Question", bound=Message)
Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One for all doors of a part. `deadline_ms` is the longest deadline of a request."""

    keys: ApiKeys
    limit: RateLimit
    deadline_ms: int
    tasks: Tasks

    def customer(self, headers: Headers) -> str:
        """The customer of the API key. Raises Unauthenticated, and RateLimited."""
        key = headers.get("x-api-key")
        if "authorization" in headers:  # takes precedence if both are sent
            scheme, _, token = headers["authorization"].partition(" ")
            key = token.strip() if scheme.lower() == "bearer" else None
        if not key:
            raise Unauthenticated(
                "send your API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
            )
        customer = self.keys.customer_of(key)
        if customer is None:
            raise Unauthenticated("the API key you sent is unknown")
        self.limit.admit(customer)
        return customer

    def until(self, headers: Headers) -> AbstractContextManager[float]:
        """The deadline of the request: ours, or the caller's if it is earlier."""
        asked = headers.get(deadline.HEADER)
        patience = self.deadline_ms if asked is None else parse_timeout_ms(asked)
        return deadline.within(min(patience, self.deadline_ms) / 1_000)

    async def ask(
        self,
        call: Callable[[Question], Coroutine[Any, Any, Answer]],
        question: Question,
        *,
        late: str,
    ) -> Answer:
        """Call a capability and wait at most until the deadline; the work itself goes on.

        Raises DeadlineExceeded; its message has `late`, the consequence for the caller.
        """
        deadline.check("the request was begun")
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await self.tasks.run(call(question))
        except (TimeoutError, DeadlineExceeded) as error:
            raise DeadlineExceeded(f"there was no answer before the deadline: {late}") from error

    def route_class(self) -> type[APIRoute]:
        """Routes that admit first, and check deadline and media type of the body."""
        admission = self

        class AdmittedRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handle = super().get_route_handler()
                takes_body = self.body_field is not None

                async def admitted(request: Request) -> Response:
                    request.state.customer = admission.customer(request.headers)
                    with admission.until(request.headers) as left:
                        if takes_body:
                            require_json(request.headers)
                            await _arrived(request, left)
                        return await handle(request)

                return admitted

        return AdmittedRoute


async def _arrived(request: Request, seconds: float) -> None:
    """Read the whole body into the request; a slow caller gets no more than the deadline."""
    try:
        async with asyncio.timeout(seconds):
            await request.body()
    except TimeoutError as error:
        raise DeadlineExceeded("the deadline was spent before the body had arrived") from error
