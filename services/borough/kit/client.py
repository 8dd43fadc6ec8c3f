"""The network transport: calls to a peer, bounded, balanced, and repeated only when safe.

Rules, in the order they apply. No call begins after the deadline, and none outlives it. While the
peer's breaker is open, a call fails at once. A call marked idempotent is sent once more, to another
address if there is one, when the connection failed before a byte of an answer came. With a retry
budget, which only the gateway has, a 503 or a timeout is sent once more too.

Errors name the call, never an address: they may travel to a customer. The span has the rest.
"""

import asyncio
import time
from contextlib import nullcontext

from aiohttp import ClientConnectionError, ClientError, ClientSession, ClientTimeout, TCPConnector

from borough.contracts.capability import Endpoint, Message
from borough.contracts.errors import BoroughError, DeadlineExceeded, Internal, Unavailable
from borough.kit import deadline, signals
from borough.kit.addresses import Addresses
from borough.kit.codec import JSON, decode_response, encode_request
from borough.kit.resilience import Address, Breaker, Permit, RetryBudget
from borough.kit.telemetry import Telemetry

KEEP_ALIVE_S = 15.0
"""Shorter than the server's, so that it is we who close an idle connection."""
CONNECT_S = 0.5
"""A replica that does not even take the connection is no replica; there may be another."""
REST_S = 1.0
"""How long an address that failed is left alone, where there is another."""
FAIR_S = 1.0
"""A peer that had less time than this before the deadline is not to blame for missing it."""


class _NoAnswer(Exception):
    """The connection failed before a byte of an answer came."""


class _TooSlow(DeadlineExceeded):
    """The peer had its fair time and did not answer: the outcome is unknown."""


BLAMES_PEER = (Internal, Unavailable, _TooSlow)
NOT_NOW = (Unavailable, DeadlineExceeded, _TooSlow)


def session() -> ClientSession:
    """One for a whole part: it keeps a pool for each address. Needs a running loop."""
    http = ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_S),
        auto_decompress=False,
    )
    http._retry_connection = False  # noqa: SLF001  # it repeats GETs behind our back, uncounted
    return http


class Http:
    """Carries messages to one peer. Times in seconds; `retries` only at the gateway.

    `call_timeout` is for calls nobody gave a deadline. `read_timeout` ends the first try of a read
    where a second one is affordable. Callers of one peer share its `addresses` and `breaker`.
    """

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
        breaker: Breaker | None = None,
    ) -> None:
        self._peer = peer
        self._addresses = addresses
        self._http = http
        self._telemetry = telemetry
        self._call_timeout = call_timeout
        self._read_timeout = read_timeout
        self._retries = retries
        self._breaker = breaker or Breaker()

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        with deadline.default(self._call_timeout):
            permit = self._breaker.permit(time.monotonic())
            if permit is Permit.NO:
                raise Unavailable(f"{self._peer} failed lately and is left alone", retry_after=1)
            try:
                answer = await self._send(endpoint, message)
            except BoroughError as failure:
                self._judge(failure, permit)
                raise
            self._breaker.succeeded()
            return answer

    async def answers(self) -> None:
        """Return once the peer answers anything at all; raises Unavailable when it does not."""
        try:
            async with asyncio.timeout(self._call_timeout):
                address = await self._addresses.pick()
                async with self._http.get(address.url):
                    return
        except (ClientError, OSError, Unavailable) as failure:
            raise Unavailable(f"{self._peer} does not answer at {self._addresses}") from failure

    async def _pick(self, avoid: Address | None = None) -> Address:
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await self._addresses.pick(avoid)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._peer} was not found in time") from None

    def _judge(self, failure: BoroughError, permit: Permit) -> None:
        """Tell the breaker what a failed call says of the peer; a caller's haste says nothing."""
        if type(failure) in BLAMES_PEER:
            if self._breaker.failed(time.monotonic(), permit):
                self._telemetry.count(signals.BREAKER_OPENED, peer=self._peer)
                self._telemetry.log.warning(
                    "breaker opened", peer=self._peer, cause=str(failure.__cause__ or failure)
                )
        elif not isinstance(failure, DeadlineExceeded):
            self._breaker.succeeded()

    async def _send(self, endpoint: Endpoint, message: Message) -> Message:
        """One try, and another one where that is safe and affordable."""
        address = await self._pick()
        paid = self._pay_ahead(endpoint)
        try:
            with deadline.within(self._read_timeout or 0) if paid else nullcontext():
                answer = await self._try(endpoint, message, address)
        except _NoAnswer as failure:
            self._settle_up(paid=paid)
            if not endpoint.idempotent:
                raise _silent(endpoint) from failure
            cause = "connection"
        except BoroughError as failure:
            if not self._affordable(endpoint, failure, paid=paid):
                raise
            cause = failure.code
        else:
            self._settle_up(paid=paid)
            return answer
        self._telemetry.count(signals.RETRIES, peer=self._peer, cause=cause)
        try:
            return await self._try(endpoint, message, await self._pick(address))
        except _NoAnswer as failure:
            raise _silent(endpoint) from failure

    def _pay_ahead(self, endpoint: Endpoint) -> bool:
        """Whether a second try of this read is paid for, so that the first may be cut short."""
        if self._retries is None:
            return False
        self._retries.called()
        return endpoint.verb == "GET" and self._read_timeout is not None and self._retries.take()

    def _settle_up(self, *, paid: bool) -> None:
        if paid and self._retries is not None:
            self._retries.give_back()

    def _affordable(self, endpoint: Endpoint, failure: BoroughError, *, paid: bool) -> bool:
        """Only what says `not now` is sent again, while there is time, and within the budget."""
        wanted = type(failure) in NOT_NOW and endpoint.idempotent and _time_left()
        if self._retries is None or not wanted:
            self._settle_up(paid=paid)
            return False
        return paid or self._retries.take()

    # -- one try

    async def _try(self, endpoint: Endpoint, message: Message, address: Address) -> Message:
        """Raises _NoAnswer when nothing came back, else the error of the answer."""
        left = deadline.remaining() or 0.0
        if left < 0.001:  # noqa: PLR2004  # the header's unit
            raise DeadlineExceeded(f"the deadline was spent before calling {endpoint.name}")
        address.in_flight += 1
        try:
            return await self._exchange(endpoint, message, address, left)
        except (_NoAnswer, BoroughError) as failure:
            if isinstance(failure, _NoAnswer) or type(failure) in BLAMES_PEER:
                address.resting_until = time.monotonic() + REST_S
            raise
        finally:
            address.in_flight -= 1

    async def _exchange(
        self, endpoint: Endpoint, message: Message, address: Address, left: float
    ) -> Message:
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
                        raise _NoAnswer(str(failure) or type(failure).__name__) from failure
                    async with response:
                        call.status = response.status
                        content = await response.read()
            except TimeoutError:
                slow = _TooSlow if left >= FAIR_S else DeadlineExceeded
                raise slow(f"{endpoint.name} did not answer in time") from None
            except ClientError as failure:
                raise _silent(endpoint) from failure
            return decode_response(endpoint, call.status, content)


def _silent(endpoint: Endpoint) -> Unavailable:
    return Unavailable(f"{endpoint.name} does not answer", retry_after=1)


def _time_left() -> bool:
    left = deadline.remaining()
    return left is None or left > 0
