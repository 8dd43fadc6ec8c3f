"""When does the server end a connection, and when does it keep it?"""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from borough.config import Timeouts
from borough.serving import listener
from borough.serving.listener import Connections
from borough.testing.clock import ManualClock
from serving import (
    HOST,
    Wire,
    hello,
    launched,
    on_uvloop,
    say,
    small_part,
)

HEAD = b"GET / HTTP/1.1\r\nhost: t\r\n"


class Caller:
    """Calls an app without a network, from any client port."""

    def __init__(self, app: Connections) -> None:
        self.app = app

    async def is_last(self, port: int) -> bool:
        """Whether the answer on the connection from this port ends it."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "path": "/", "client": ("10.0.0.1", port)}
        await self.app(scope, receive, send)
        return listener.CLOSE in sent[0]["headers"]


def aged(
    clock: ManualClock, *, max_age: float = 30, chance: float = 0, leaving: bool = False
) -> Caller:
    """A caller of an app whose connections have a maximal age of `max_age` seconds."""
    return Caller(
        Connections(
            hello,
            max_age=max_age,
            leaving=lambda: leaving,
            now=clock.monotonic,
            chance=lambda: chance,
        )
    )


async def test_connection_closes_with_the_first_answer_after_its_maximal_age() -> None:
    """An answer on a connection older than its maximal age has `Connection: close`; earlier ones do
    not.
    """
    clock = ManualClock()
    caller = aged(clock)
    young = [await caller.is_last(1), await caller.is_last(1)]
    clock.advance(30)
    assert [*young, await caller.is_last(1), await caller.is_last(2)] == [False, False, True, False]


async def test_connections_of_one_age_close_at_different_times() -> None:
    """Jitter shortens the age by up to a fifth, and never lengthens it."""
    clock = ManualClock()
    lucky, unlucky = aged(clock, chance=0), aged(clock, chance=1)
    await lucky.is_last(1)
    await unlucky.is_last(1)
    clock.advance(24)
    assert (await lucky.is_last(1), await unlucky.is_last(1)) == (False, True)


async def test_reused_client_port_has_a_new_age() -> None:
    """After its last answer the entry of a connection is removed; the next from that port is
    new.
    """
    clock = ManualClock()
    caller = aged(clock)
    await caller.is_last(1)
    clock.advance(30)
    assert [await caller.is_last(1), await caller.is_last(1)] == [True, False]


async def test_connection_never_closes_with_a_maximal_age_of_zero() -> None:
    """Zero disables ageing."""
    clock = ManualClock()
    caller = aged(clock, max_age=0)
    await caller.is_last(1)
    clock.advance(1_000_000)
    assert not await caller.is_last(1)


async def test_every_used_connection_closes_while_the_part_drains() -> None:
    """During a drain each answer has `Connection: close`, at any age."""
    assert await aged(ManualClock(), leaving=True).is_last(1)


async def test_memory_is_bounded_for_any_number_of_connections() -> None:
    """Beyond the bound the entry of the oldest connection is removed, and its age restarts."""
    clock = ManualClock()
    caller = aged(clock)
    for port in range(listener.REMEMBERED + 1):
        await caller.is_last(port)
    clock.advance(30)
    assert (await caller.is_last(0), await caller.is_last(2)) == (False, True)


@on_uvloop
async def test_socket_is_closed_after_the_last_answer() -> None:
    """The server does what the header announces: the answer is complete, and then the stream
    ends.
    """
    async with launched(small_part(), connection_max_age_s=1e-9) as running:
        with Wire(running.ports["public"]) as wire:
            first, second = await wire.ask("/one"), await wire.ask("/two")
            assert (first.last, second.last, second.body) == (False, True, b"/two")
            assert await wire.ended()


IMPATIENT = Timeouts(keep_alive_s=0.2)
"""A short timeout for a request head."""


async def read_until_the_end(port: int, sent: bytes) -> bytes:
    """Everything the server answers to these bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("sent", "answers"),
    [(b"", 0), (HEAD, 0), (HEAD + b"\r\n" + HEAD, 1)],
    ids=["nothing", "half a head", "half a head after an answer"],
)
@on_uvloop
async def test_connection_without_a_complete_head_is_closed(sent: bytes, answers: int) -> None:
    """A connection costs memory and a descriptor, so one without a request has a timeout."""
    async with launched(small_part(timeouts=IMPATIENT)) as running:
        answer = await read_until_the_end(running.ports["public"], sent)
        assert answer.count(b"HTTP/1.1 200") == answers


@on_uvloop
async def test_connection_that_waits_for_an_answer_is_not_closed() -> None:
    """The server is slow there: an idle connection made later is closed, this one is not."""
    asked, free = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, _receive: Receive, send: Send) -> None:
        asked.set()
        await free.wait()
        await say(send, scope["path"])

    async with launched(small_part(slow, timeouts=IMPATIENT)) as running:
        port = running.ports["public"]
        with Wire(port) as wire:
            wire.send("/slow")
            await asked.wait()
            assert await read_until_the_end(port, b"") == b""
            free.set()
            assert (await wire.reply()).body == b"/slow"
