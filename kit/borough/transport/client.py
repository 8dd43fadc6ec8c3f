"""The network transport: calls to a peer, bounded, balanced, and repeated only when safe.

Rules, in the order they apply. No call begins after the deadline or lasts longer. While the
peer's breaker is open, a call fails at once. If an address accepts no connection, nothing was sent
and the next one is tried, since several replicas may stop at the same time. A call marked
idempotent is sent once more, to another address if there is one, if the connection failed before
the first byte of a response. With a retry budget, which only the gateway has, it is sent once more
after a 503 or a timeout too.

An error names the call, never an address, since it may reach a client of a door; the span has both.
"""

import time
from dataclasses import dataclass, field

from borough import deadline, signals
from borough.capability import Endpoint, Message
from borough.errors import BoroughError, DeadlineExceeded, Internal, Unavailable
from borough.transport.addresses import Address, Addresses
from borough.transport.codec import JSON, decode_response, encode_request
from borough.transport.resilience import NO_RETRIES, Breaker, Permit, RetryBudget
from borough.transport.wire import BrokenAnswer, NoAnswer, NotSent, Pool
from borough_telemetry import ClientCall, Telemetry

CONNECTIONS = 4
"""How many addresses are tried, one after the other, for a connection."""
AVOIDED_S = 1.0
"""How long an address that failed is avoided, where there is another."""
FAIR_S = 1.0
"""A timeout after less than this does not count as a failure of the peer."""
UNIT_S = 0.001
"""The header has whole milliseconds; with less left, no call is made."""
CONTENT_TYPE = f"content-type: {JSON}\r\n"


class _TooSlow(DeadlineExceeded):
    """The peer did not respond within a sufficient time: the outcome is unknown."""


BLAMES_PEER = (Internal, Unavailable, _TooSlow)
NOT_NOW = (Unavailable, DeadlineExceeded, _TooSlow)


@dataclass(eq=False)
class Http:
    """Sends messages to one peer. Times in seconds; `retries` only at the gateway.

    `call_timeout` is for calls without a deadline. `read_timeout` ends the first try of a read
    if the retry budget allows another. Callers of one peer share its `addresses` and `breaker`.
    """

    peer: str
    addresses: Addresses
    wire: Pool
    telemetry: Telemetry
    call_timeout: float
    read_timeout: float | None = None
    retries: RetryBudget = NO_RETRIES
    breaker: Breaker = field(default_factory=Breaker)

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        permit = self.breaker.permit(time.monotonic())
        if permit is Permit.NO:
            raise Unavailable(f"{self.peer} failed lately and is left alone", retry_after=1)
        try:
            answer = await self._send(endpoint, message, deadline.moment(self.call_timeout))
        except BoroughError as failure:
            self._judge(failure, permit)
            raise
        self.breaker.succeeded()
        return answer

    async def answers(self) -> None:
        """Return after any response of the peer; raises Unavailable without one."""
        until = time.monotonic() + self.call_timeout
        try:
            address = await self.addresses.pick(until)
            await self.wire.ask("GET", address.url, "/", "", b"", until)
        except (NoAnswer, BrokenAnswer, TimeoutError, BoroughError) as failure:
            raise Unavailable(f"{self.peer} does not answer at {self.addresses}") from failure

    def _judge(self, failure: BoroughError, permit: Permit) -> None:
        """Update the breaker after a failed call, unless the deadline was too short."""
        if isinstance(failure, DeadlineExceeded):
            self.telemetry.count(signals.DEADLINE_EXCEEDED, where="call", capability=self.peer)
        if type(failure) in BLAMES_PEER:
            if self.breaker.failed(time.monotonic(), permit):
                self.telemetry.count(signals.BREAKER_OPENED, peer=self.peer)
                self.telemetry.log.warning(
                    "breaker opened", peer=self.peer, cause=str(failure.__cause__ or failure)
                )
        elif not isinstance(failure, DeadlineExceeded):
            self.breaker.succeeded()

    async def _send(self, endpoint: Endpoint, message: Message, until: float) -> Message:
        """One try, and another one if that is safe and the retry budget allows it."""
        address = await self.addresses.pick(until)
        paid = self._pay_ahead(endpoint)
        first_until = until
        if paid and self.read_timeout is not None:
            first_until = min(until, time.monotonic() + self.read_timeout)
        try:
            answer = await self._try_connected(endpoint, message, address, first_until)
        except NoAnswer as failure:
            if paid:
                self.retries.give_back()
            if not endpoint.idempotent or isinstance(failure, NotSent):
                raise _silent(endpoint) from failure
            cause = "connection"
        except BoroughError as failure:
            if not self._affordable(endpoint, failure, until, paid=paid):
                raise
            cause = failure.code
        else:
            if paid:
                self.retries.give_back()
            return answer
        self.telemetry.count(signals.RETRIES, peer=self.peer, cause=cause)
        try:
            another = await self.addresses.pick(until, address)
            return await self._try_connected(endpoint, message, another, until)
        except NoAnswer as failure:
            raise _silent(endpoint) from failure

    def _pay_ahead(self, endpoint: Endpoint) -> bool:
        """Take a second try of this read from the budget, so that the first may end early."""
        self.retries.called()
        return endpoint.verb == "GET" and self.read_timeout is not None and self.retries.take()

    def _affordable(
        self, endpoint: Endpoint, failure: BoroughError, until: float, *, paid: bool
    ) -> bool:
        """Whether the failure may be temporary, there is time, and the budget has a try left."""
        in_time = time.monotonic() < until
        if type(failure) in NOT_NOW and endpoint.idempotent and in_time:
            return paid or self.retries.take()
        if paid:
            self.retries.give_back()
        return False

    # -- one try

    async def _try_connected(
        self, endpoint: Endpoint, message: Message, address: Address, until: float
    ) -> Message:
        """One try, at the first of some addresses that accepts a connection. Raises as `_try`.

        If all known ones have failed lately, two are tried, or the only one twice.
        """
        for number in range(1, CONNECTIONS + 1):
            try:
                return await self._try(endpoint, message, address, until)
            except NotSent:
                self.addresses.look_again()
                address = await self.addresses.pick(until, address)
                failed_lately = address.avoided_until > time.monotonic()
                if number == CONNECTIONS or (number > 1 and failed_lately):
                    raise
                self.telemetry.count(signals.RETRIES, peer=self.peer, cause="connection")
        raise AssertionError("the last one is raised")

    async def _try(
        self, endpoint: Endpoint, message: Message, address: Address, until: float
    ) -> Message:
        """Raises NoAnswer without a response, else the error of the response."""
        left = until - time.monotonic()
        if left < UNIT_S:
            raise DeadlineExceeded(f"the deadline was spent before calling {endpoint.name}")
        address.in_flight += 1
        try:
            with self.telemetry.client_call(endpoint) as call:
                return await self._exchange(endpoint, message, address, until, call)
        except (NoAnswer, BoroughError) as failure:
            if isinstance(failure, NoAnswer) or type(failure) in BLAMES_PEER:
                address.avoided_until = time.monotonic() + AVOIDED_S
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
            answer = await self.wire.ask(endpoint.verb, address.url, target, headers, body, until)
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
