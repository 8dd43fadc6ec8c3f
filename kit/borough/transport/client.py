"""The network transport: calls to a peer, bounded, balanced, and repeated only when safe.

Rules, in the order they apply. No call begins after the deadline, and none outlives it. While the
peer's breaker is open, a call fails at once. Where an address takes no connection, nothing was
sent, and the next one is asked: of many that go at the same time, several may be met. A call marked
idempotent is sent once more, to another address if there is one, when the connection failed before
a byte of an answer came. With a retry budget, which only the gateway has, a 503 or a timeout is
sent once more too.

Errors name the call, never an address: they may travel to a client of the doors. The span has the
rest.
"""

import asyncio
import time

from borough import deadline, signals
from borough.capability import Endpoint, Message
from borough.errors import BoroughError, DeadlineExceeded, Internal, Unavailable
from borough.transport.addresses import Addresses
from borough.transport.codec import JSON, decode_response, encode_request
from borough.transport.resilience import Address, Breaker, Permit, RetryBudget
from borough.transport.wire import BrokenAnswer, NoAnswer, NotSent, Pool
from borough_telemetry import ClientCall, Telemetry

CONNECTIONS = 4
"""How many addresses are tried, one after the other, for a connection to send a call by."""
REST_S = 1.0
"""How long an address that failed is left alone, where there is another."""
FAIR_S = 1.0
"""A peer that had less time than this before the deadline is not to blame for missing it."""
UNIT_S = 0.001
"""The header tells whole milliseconds; who has less left need not ask."""
CONTENT_TYPE = f"content-type: {JSON}\r\n"


class _TooSlow(DeadlineExceeded):
    """The peer had its fair time and did not answer: the outcome is unknown."""


BLAMES_PEER = (Internal, Unavailable, _TooSlow)
NOT_NOW = (Unavailable, DeadlineExceeded, _TooSlow)


class Http:
    """Carries messages to one peer. Times in seconds; `retries` only at the gateway.

    `call_timeout` is for calls nobody gave a deadline. `read_timeout` ends the first try of a read
    where a second one is affordable. Callers of one peer share its `addresses` and `breaker`.
    """

    def __init__(  # noqa: PLR0913  # one collaborator each, all chosen in wiring
        self,
        peer: str,
        addresses: Addresses,
        wire: Pool,
        telemetry: Telemetry,
        *,
        call_timeout: float,
        read_timeout: float | None = None,
        retries: RetryBudget | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._peer = peer
        self._addresses = addresses
        self._wire = wire
        self._telemetry = telemetry
        self._call_timeout = call_timeout
        self._read_timeout = read_timeout
        self._retries = retries
        self._breaker = breaker or Breaker()

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        permit = self._breaker.permit(time.monotonic())
        if permit is Permit.NO:
            raise Unavailable(f"{self._peer} failed lately and is left alone", retry_after=1)
        try:
            answer = await self._send(endpoint, message, deadline.moment(self._call_timeout))
        except BoroughError as failure:
            self._judge(failure, permit)
            raise
        self._breaker.succeeded()
        return answer

    async def answers(self) -> None:
        """Return once the peer answers anything at all; raises Unavailable when it does not."""
        until = time.monotonic() + self._call_timeout
        try:
            address = await self._pick(until)
            await self._wire.ask("GET", address.url, "/", "", b"", until)
        except (NoAnswer, BrokenAnswer, TimeoutError, BoroughError) as failure:
            raise Unavailable(f"{self._peer} does not answer at {self._addresses}") from failure

    async def _pick(self, until: float, avoid: Address | None = None) -> Address:
        known = self._addresses.at_hand(avoid)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._addresses.pick(avoid)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._peer} was not found in time") from None

    def _judge(self, failure: BoroughError, permit: Permit) -> None:
        """Tell the breaker what a failed call says of the peer; a caller's haste says nothing."""
        if isinstance(failure, DeadlineExceeded):
            self._telemetry.count(signals.DEADLINE_EXCEEDED, where="call", capability=self._peer)
        if type(failure) in BLAMES_PEER:
            if self._breaker.failed(time.monotonic(), permit):
                self._telemetry.count(signals.BREAKER_OPENED, peer=self._peer)
                self._telemetry.log.warning(
                    "breaker opened", peer=self._peer, cause=str(failure.__cause__ or failure)
                )
        elif not isinstance(failure, DeadlineExceeded):
            self._breaker.succeeded()

    async def _send(self, endpoint: Endpoint, message: Message, until: float) -> Message:
        """One try, and another one where that is safe and affordable."""
        address = await self._pick(until)
        paid = self._pay_ahead(endpoint)
        first_until = until
        if paid and self._read_timeout is not None:
            first_until = min(until, time.monotonic() + self._read_timeout)
        try:
            answer = await self._try_connected(endpoint, message, address, first_until)
        except NoAnswer as failure:
            self._settle_up(paid=paid)
            if not endpoint.idempotent or isinstance(failure, NotSent):
                raise _silent(endpoint) from failure
            cause = "connection"
        except BoroughError as failure:
            if not self._affordable(endpoint, failure, until, paid=paid):
                raise
            cause = failure.code
        else:
            self._settle_up(paid=paid)
            return answer
        self._telemetry.count(signals.RETRIES, peer=self._peer, cause=cause)
        try:
            another = await self._pick(until, address)
            return await self._try_connected(endpoint, message, another, until)
        except NoAnswer as failure:
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

    def _affordable(
        self, endpoint: Endpoint, failure: BoroughError, until: float, *, paid: bool
    ) -> bool:
        """Only what says `not now` is sent again, while there is time, and within the budget."""
        in_time = time.monotonic() < until
        wanted = type(failure) in NOT_NOW and endpoint.idempotent and in_time
        if self._retries is None or not wanted:
            self._settle_up(paid=paid)
            return False
        return paid or self._retries.take()

    # -- one try

    async def _try_connected(
        self, endpoint: Endpoint, message: Message, address: Address, until: float
    ) -> Message:
        """One try, at the first of some addresses that takes a connection. Raises as `_try`.

        Where all that are known have failed lately, two are tried, or the only one twice.
        """
        for number in range(1, CONNECTIONS + 1):
            try:
                return await self._try(endpoint, message, address, until)
            except NotSent:
                self._addresses.look_again()
                address = await self._pick(until, address)
                failed_lately = address.resting_until > time.monotonic()
                if number == CONNECTIONS or (number > 1 and failed_lately):
                    raise
                self._telemetry.count(signals.RETRIES, peer=self._peer, cause="connection")
        raise AssertionError("the last one is raised")

    async def _try(
        self, endpoint: Endpoint, message: Message, address: Address, until: float
    ) -> Message:
        """Raises NoAnswer when nothing came back, else the error of the answer."""
        left = until - time.monotonic()
        if left < UNIT_S:
            raise DeadlineExceeded(f"the deadline was spent before calling {endpoint.name}")
        address.in_flight += 1
        try:
            with self._telemetry.client_call(endpoint) as call:
                return await self._exchange(endpoint, message, address, until, call)
        except (NoAnswer, BoroughError) as failure:
            if isinstance(failure, NoAnswer) or type(failure) in BLAMES_PEER:
                address.resting_until = time.monotonic() + REST_S
            raise
        finally:
            address.in_flight -= 1

    async def _exchange(
        self, endpoint: Endpoint, message: Message, address: Address, until: float, call: ClientCall
    ) -> Message:
        target, body = encode_request(endpoint, message)
        call.url = address.url + target
        left = until - time.monotonic()
        headers = f"{deadline.HEADER}: {int(left * 1_000)}\r\n"
        if body:
            headers += CONTENT_TYPE
        if call.traceparent:
            headers += f"traceparent: {call.traceparent}\r\n"
        try:
            answer = await self._wire.ask(endpoint.verb, address.url, target, headers, body, until)
        except TimeoutError:
            slow = _TooSlow if left >= FAIR_S else DeadlineExceeded
            raise slow(f"{endpoint.name} did not answer in time") from None
        except BrokenAnswer as failure:
            raise _silent(endpoint) from failure
        call.status = answer.status
        call.server_timing = answer.server_timing
        return decode_response(endpoint, answer.status, answer.body)


def _silent(endpoint: Endpoint) -> Unavailable:
    return Unavailable(f"{endpoint.name} does not answer", retry_after=1)
