"""The network transport: calls to a peer, bounded, balanced, and repeated only when safe.

Rules, in the order they apply. No call begins after the deadline, and none outlives it. While the
peer's breaker is open, a call fails at once. A call marked idempotent is sent once more, to another
address if there is one, when the connection failed before a byte of an answer came. With a retry
budget, which only the gateway has, a 503 or a timeout is sent once more too.
"""

import asyncio
import time

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    TCPConnector,
)

from borough.contracts.capability import Endpoint, Message
from borough.contracts.errors import BoroughError, DeadlineExceeded, Internal, Unavailable
from borough.kit import deadline, signals
from borough.kit.addresses import Addresses
from borough.kit.codec import JSON, decode_response, encode_request
from borough.kit.resilience import Address, Breaker, RetryBudget
from borough.kit.telemetry import Telemetry

KEEP_ALIVE_S = 15.0
"""Shorter than the server's, so that it is we who close an idle connection."""
REST_S = 1.0
"""How long an address that refused a connection is left alone, where there is another."""
COUNTS_AGAINST_PEER = (Internal, Unavailable, DeadlineExceeded)


class _NoAnswer(Exception):
    """The connection failed before a byte of an answer came."""


def session() -> ClientSession:
    """One for a whole part: it keeps a pool for each address. Needs a running loop."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        raise_for_status=False,
    )


class Http:
    """Carries messages to one peer. Times in seconds; `retries` only at the gateway."""

    def __init__(  # noqa: PLR0913  # one collaborator each, all chosen in wiring
        self,
        peer: str,
        addresses: Addresses,
        http: ClientSession,
        telemetry: Telemetry,
        *,
        call_timeout: float,
        read_timeout: float | None = None,
        retries: RetryBudget | None = None,
    ) -> None:
        self._peer = peer
        self._addresses = addresses
        self._http = http
        self._telemetry = telemetry
        self._call_timeout = call_timeout
        self._read_timeout = read_timeout
        self._retries = retries
        self._breaker = Breaker()

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        with deadline.within(self._call_timeout):
            if not self._breaker.allow(time.monotonic()):
                raise Unavailable(f"{self._peer} failed lately and is left alone", retry_after=1)
            if self._retries is not None:
                self._retries.called()
            address = await self._addresses.pick()
            try:
                with deadline.within(self._patience(endpoint)):
                    return await self._try(endpoint, message, address)
            except _NoAnswer as failure:
                if not endpoint.idempotent or _spent():
                    raise self._unavailable(endpoint, failure) from failure
                cause = "connection"
            except (Unavailable, DeadlineExceeded) as failure:
                if not endpoint.idempotent or _spent() or not self._affordable(failure):
                    raise
                cause = failure.code
            self._telemetry.count(signals.RETRIES, peer=self._peer, cause=cause)
            try:
                return await self._try(endpoint, message, await self._addresses.pick(address))
            except _NoAnswer as failure:
                raise self._unavailable(endpoint, failure) from failure

    async def answers(self) -> None:
        """Return once the peer answers anything at all; raises Unavailable when it does not."""
        address = await self._addresses.pick()
        try:
            async with asyncio.timeout(self._call_timeout), self._http.get(address.url):
                return
        except (ClientError, OSError, TimeoutError) as failure:
            raise Unavailable(f"{self._peer} does not answer at {address.url}") from failure

    def _patience(self, endpoint: Endpoint) -> float:
        """A read at the gateway leaves time for a second try; anything else takes all there is."""
        if endpoint.verb == "GET" and self._retries is not None and self._read_timeout is not None:
            return self._read_timeout
        return self._call_timeout

    def _affordable(self, failure: BoroughError) -> bool:
        """Only what says `not now` is sent again, and only within the budget."""
        plain = type(failure) in (Unavailable, DeadlineExceeded)
        return plain and self._retries is not None and self._retries.take()

    async def _try(self, endpoint: Endpoint, message: Message, address: Address) -> Message:
        """One try. Raises _NoAnswer when nothing came back, else the error of the answer."""
        address.in_flight += 1
        try:
            answer = await self._exchange(endpoint, message, address)
        except (_NoAnswer, BoroughError) as failure:
            if isinstance(failure, _NoAnswer) or type(failure) in COUNTS_AGAINST_PEER:
                self._failed()
            else:
                self._breaker.succeeded()
            raise
        finally:
            address.in_flight -= 1
        self._breaker.succeeded()
        return answer

    async def _exchange(self, endpoint: Endpoint, message: Message, address: Address) -> Message:
        left = deadline.remaining() or 0.0
        if left < 0.001:  # noqa: PLR2004  # the header's unit
            raise DeadlineExceeded(f"the deadline was spent before calling {endpoint.name}")
        path, body = encode_request(endpoint, message)
        with self._telemetry.client_call(endpoint) as call:
            headers = {**call.headers, deadline.HEADER: str(int(left * 1_000))}
            if body:
                headers["content-type"] = JSON
            try:
                async with asyncio.timeout(left):
                    try:
                        response = await self._http.request(
                            endpoint.verb, address.url + path, data=body or None, headers=headers
                        )
                    except (ClientConnectionError, OSError) as failure:
                        if isinstance(failure, ClientConnectorError):
                            address.resting_until = time.monotonic() + REST_S
                        raise _NoAnswer(str(failure) or type(failure).__name__) from failure
                    async with response:
                        call.status = response.status
                        content = await response.read()
            except TimeoutError:
                raise DeadlineExceeded(f"{endpoint.name} did not answer in time") from None
            except ClientError as failure:
                raise self._unavailable(endpoint, failure) from failure
            return decode_response(endpoint, call.status, content)

    def _failed(self) -> None:
        if self._breaker.failed(time.monotonic()):
            self._telemetry.count(signals.BREAKER_OPENED, peer=self._peer)

    def _unavailable(self, endpoint: Endpoint, failure: Exception) -> Unavailable:
        return Unavailable(f"{endpoint.name} does not answer: {failure}", retry_after=1)


def _spent() -> bool:
    left = deadline.remaining()
    return left is not None and left <= 0
