"""Does the relay deliver every event until it is handled, and not before it is due?"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from borough import signals
from borough.errors import Unavailable
from borough.events import Delivered, Event, Outcome
from borough.outbox import BATCH, PIECE, Relay, backoff
from borough.testing.clock import ManualClock
from borough.testing.database import MemoryStores
from borough_shop.app import APP
from borough_telemetry import Telemetry
from shop.samples import an_event, an_id, an_order

if TYPE_CHECKING:
    from borough_shop.orders.memory import MemoryOrders

STEPS = 1_000
TO = "notifications"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Handles events, and fails for those in `misses`, so many times."""

    heard: list[UUID] = field(default_factory=list)
    misses: Counter[UUID] = field(default_factory=Counter)

    messages: list[int] = field(default_factory=list)

    async def deliver(self, events: tuple[Event, ...]) -> Delivered:
        self.messages.append(len(events))
        return Delivered(outcomes=tuple(map(self._hear, events)))

    def _hear(self, event: Event) -> Outcome:
        missed = self.misses[event.event_id] > 0
        if missed:
            self.misses[event.event_id] -= 1
        else:
            self.heard.append(event.event_id)
        return Outcome.PENDING if missed else Outcome.HANDLED


class Desk:
    """A relay with its outbox and its receiver."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.telemetry = Telemetry("orders", log_level="critical")
        self.orders: MemoryOrders = MemoryStores(APP)["orders"]
        self.receiver = Receiver()
        self.relay = Relay(
            publisher="orders",
            consumer=TO,
            outbox=self.orders.outbox,
            deliver=self.receiver.deliver,
            clock=self.clock,
            telemetry=self.telemetry,
            interval=1,
            lease=10,
            retention=100,
        )

    async def place(self, number: int) -> None:
        """Put an event into the outbox."""
        order = an_order(number)
        await self.orders.begin(order, f"key-{number}", "print", self.clock.now())
        await self.orders.place(an_event(order, at=self.clock.now()))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """With a relay that runs only when a test calls it."""
    desk = Desk()
    yield desk
    await asyncio.to_thread(desk.telemetry.close)


@pytest.fixture
async def running(desk: Desk) -> AsyncIterator[Desk]:
    """With a running relay."""
    task = asyncio.create_task(desk.relay.run())
    yield desk
    task.cancel()
    await asyncio.wait({task})


async def until(condition: Callable[[], object]) -> None:
    """Run the other tasks until the condition holds."""
    for _ in range(STEPS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def paused(desk: Desk) -> None:
    """Run the relay until it pauses."""
    await until(lambda: desk.clock.sleeping)


async def test_handled_event_is_delivered_once_and_marked_sent(desk: Desk) -> None:
    """One delivery, where nothing fails."""
    await desk.place(1)

    assert await desk.relay.once() == (1, 0)
    assert await desk.relay.once() == (0, 0)
    assert desk.receiver.heard == [an_id(1)]
    assert await desk.orders.outbox.unsent() == 0
    assert (
        b'borough_outbox_deliveries_total{consumer="notifications",result="sent"} 1.0'
        in desk.telemetry.exposition()
    )


async def test_failed_event_is_retried_at_its_due_time(desk: Desk) -> None:
    """Not before it is due, and until it is handled."""
    await desk.place(1)
    desk.receiver.misses[an_id(1)] = 2

    assert await desk.relay.once() == (0, 1)
    for tries, then in ((1, (0, 1)), (2, (1, 0))):
        pause = backoff(tries - 1).total_seconds()
        desk.clock.advance(pause * 0.9)
        assert await desk.relay.once() == (0, 0)
        desk.clock.advance(pause * 0.2)
        assert await desk.relay.once() == then
    assert desk.receiver.heard == [an_id(1)]
    assert (
        b'borough_outbox_deliveries_total{consumer="notifications",result="failed"} 2.0'
        in desk.telemetry.exposition()
    )


async def test_age_of_the_oldest_undelivered_event_is_measured(desk: Desk) -> None:
    """It grows while the event waits, between two reads of the outbox as well; 0 when all are
    delivered.
    """
    age = f'{signals.OUTBOX_AGE.series}{{consumer="{TO}"}}'.encode()
    desk.receiver.misses[an_id(1)] = 1
    await desk.place(1)
    await desk.relay.once()
    desk.clock.advance(4)
    assert age + b" 4.0\n" in desk.telemetry.exposition()

    await desk.place(2)
    desk.clock.advance(1)
    await desk.relay.once()
    assert age + b" 0.0\n" in desk.telemetry.exposition()


async def test_failed_event_does_not_delay_the_others(desk: Desk) -> None:
    """The others are delivered in the same round."""
    for number in (1, 2, 3):
        await desk.place(number)
    desk.receiver.misses[an_id(1)] = 1

    await desk.relay.once()

    assert sorted(desk.receiver.heard) == [an_id(2), an_id(3)]
    assert await desk.orders.outbox.unsent() == 1


async def test_due_events_are_delivered_in_one_message(desk: Desk) -> None:
    """As long as the message is within the limit of its receiver; an event that is larger is sent
    alone.
    """
    for number in range(1, 4):
        await desk.place(number)
    await desk.relay.once()
    assert desk.receiver.messages == [3]

    size = len(an_event(an_order(1), at=desk.clock.now()).model_dump_json())
    for first, limit, messages in ((4, 2 * size, [2, 2]), (8, 1, [1, 1, 1, 1])):
        desk.receiver.messages.clear()
        for number in range(first, first + 4):
            await desk.place(number)
        await replace(desk.relay, message_bytes=limit).once()
        assert desk.receiver.messages == messages


async def test_unreachable_receiver_fails_every_event_of_the_message(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is due again, with its number of tries incremented."""

    async def away(_: tuple[Event, ...]) -> Delivered:
        raise Unavailable("the receiver is away")

    for number in (1, 2):
        await desk.place(number)
    monkeypatch.setattr(desk.relay, "deliver", away)
    assert await desk.relay.once() == (0, 2)
    envelopes = await desk.orders.outbox.claim(
        TO, desk.clock.now() + backoff(0), timedelta(seconds=10), 10
    )
    assert [envelope.tries for envelope in envelopes] == [1, 1]


async def test_event_claimed_by_a_stopped_relay_is_delivered_by_another(desk: Desk) -> None:
    """After the lease has ended."""
    await desk.place(1)
    await desk.orders.outbox.claim(TO, desk.clock.now(), timedelta(seconds=10), 1)

    assert await desk.relay.once() == (0, 0)
    desk.clock.advance(10)
    assert await desk.relay.once() == (1, 0)
    assert desk.receiver.heard == [an_id(1)]


def test_retry_pause_grows_to_five_seconds() -> None:
    """However often it failed, an event is retried."""
    pauses = [backoff(tries).total_seconds() for tries in (0, 1, 2, 5, 6, 10_000)]

    assert pauses == [0.1, 0.2, 0.4, 3.2, 5, 5]


async def test_wake_ends_the_pause_of_a_running_relay(running: Desk) -> None:
    """The relay does not wait for the end of its pause."""
    await paused(running)
    await running.place(1)
    running.relay.wake()

    await until(lambda: running.receiver.heard)
    assert running.clock.monotonic() == 0


async def test_events_written_while_a_busy_relay_lingers_share_its_round(running: Desk) -> None:
    """After a round of several events; a single event is delivered at once."""
    running.relay.linger = 0.25
    for number, messages in ((1, [1]), (2, [1, 1])):
        await paused(running)
        await running.place(number)
        running.relay.wake()
        await until(lambda: running.receiver.messages == messages)  # noqa: B023  # within the turn
    await running.place(3)
    await running.place(4)
    running.relay.wake()
    await until(lambda: running.receiver.messages == [1, 1, 2])

    await running.place(5)
    running.relay.wake()
    for _ in range(STEPS):
        await asyncio.sleep(0)
    assert running.receiver.messages == [1, 1, 2]
    await running.place(6)
    running.clock.advance(0.25)

    await until(lambda: running.receiver.messages == [1, 1, 2, 2])
    assert running.clock.monotonic() == 0.25


async def test_running_relay_polls_its_outbox(running: Desk) -> None:
    """It finds events that another replica, or a former process, left."""
    await paused(running)
    await running.place(1)
    running.clock.advance(1)

    await until(lambda: running.receiver.heard)
    assert running.receiver.heard == [an_id(1)]


async def test_full_batch_is_followed_by_the_next_without_a_pause(running: Desk) -> None:
    """A backlog is delivered without pauses."""
    await paused(running)
    for number in range(1, BATCH + 2):
        await running.place(number)
    running.relay.wake()

    await until(lambda: len(running.receiver.heard) == BATCH + 1)
    assert running.clock.monotonic() == 0


async def test_unavailable_store_does_not_end_the_relay(
    running: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads again after its pause."""
    await paused(running)
    claims: list[int] = []

    def away(*_: object) -> Awaitable[None]:
        claims.append(1)
        raise Unavailable("the store of orders cannot be reached")

    await running.place(1)
    with monkeypatch.context() as patch:
        patch.setattr(running.orders.outbox, "claim", away)
        running.relay.wake()
        await until(lambda: claims)
        await paused(running)
    running.clock.advance(1)

    await until(lambda: running.receiver.heard)
    assert running.receiver.heard == [an_id(1)]


async def test_relay_pauses_after_a_failure(running: Desk) -> None:
    """However full the round was, and also if it is woken."""
    await paused(running)
    numbers = range(1, 2 * BATCH + 1)
    for number in numbers:
        await running.place(number)
        running.receiver.misses[an_id(number)] = 1
    running.relay.wake()
    await until(lambda: running.receiver.misses.total() == BATCH)
    await paused(running)
    running.relay.wake()
    for _ in range(STEPS):
        await asyncio.sleep(0)  # a step, not a wait
    assert running.receiver.misses.total() == BATCH

    for _ in range(4):
        running.clock.advance(1)
        await paused(running)
        for _ in range(STEPS):
            await asyncio.sleep(0)
    assert sorted(running.receiver.heard) == [an_id(number) for number in numbers]


async def test_failed_pruning_does_not_delay_events(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Due events are delivered first, and the next round does not prune again at once."""
    await desk.place(1)
    await desk.place(2)

    async def away(*_: object) -> int:
        raise Unavailable("the store of orders cannot be reached")

    monkeypatch.setattr(desk.orders.outbox, "prune", away)
    with pytest.raises(Unavailable):
        await desk.relay.once()
    assert desk.receiver.heard == [an_id(1), an_id(2)]
    assert await desk.relay.once() == (0, 0)


async def test_pruning_continues_in_batches_until_none_is_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction is longer than a batch, and no row is left for the next interval."""
    left, pieces = 2 * PIECE + 1, list[int]()

    async def prune(_: str, __: datetime, limit: int) -> int:
        nonlocal left
        pieces.append(min(left, limit))
        left -= pieces[-1]
        return pieces[-1]

    monkeypatch.setattr(desk.orders.outbox, "prune", prune)
    await desk.relay.once()
    assert pieces == [PIECE, PIECE, 1]


async def test_sent_event_is_pruned_after_its_retention(desk: Desk) -> None:
    """An unsent event is kept."""
    await desk.place(1)
    await desk.place(2)
    desk.receiver.misses[an_id(2)] = 1
    await desk.relay.once()
    desk.clock.advance(101)
    desk.receiver.misses[an_id(2)] = 1
    await desk.relay.once()

    assert await desk.orders.outbox.prune(TO, desk.clock.now(), 10) == 0
    assert await desk.orders.outbox.unsent() == 1
