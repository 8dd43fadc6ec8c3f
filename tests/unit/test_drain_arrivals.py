"""Is a request lost that had arrived, unread, at the moment when the server stopped?"""

import asyncio
from collections.abc import Awaitable, Callable

from borough.kit.listener import Listener, bind
from borough.kit.telemetry import Telemetry
from borough.testing.serving import HOST, Wire, hello, on_uvloop


class Sudden(Listener):
    """Says goodbye right after a given moment: the event loop does not turn in between."""

    moment: Callable[[], Awaitable[None]]

    async def main_loop(self) -> None:
        await self.moment()


async def serve_until(moment: Callable[[int], Awaitable[None]]) -> None:
    """Serve until the moment has passed, given the port; return after the goodbye."""
    listening = bind("PUBLIC_PORT", HOST, 0)
    port = listening.getsockname()[1]
    server = Sudden(hello, listening, Telemetry("t", log_level="critical"), asyncio.Event())
    server.moment = lambda: moment(port)
    await server.run_until_stopped()


@on_uvloop
async def test_a_request_in_the_buffer_of_a_kept_connection_is_answered() -> None:
    """An idle connection is not hung up on while something waits in it."""
    wires: list[Wire] = []

    async def moment(port: int) -> None:
        wires.append(Wire(port))
        await wires[0].ask("/first")
        wires[0].send("/second")

    await serve_until(moment)
    assert (await wires[0].reply()).body == b"/second"
    wires[0].close()


@on_uvloop
async def test_a_request_on_a_connection_not_yet_accepted_is_answered() -> None:
    """Who was let in by the kernel is served, though the server had not opened the door yet."""
    wires: list[Wire] = []

    async def moment(port: int) -> None:
        wires.extend(Wire(port) for _ in range(3))
        for wire in wires:
            wire.send("/early")

    await serve_until(moment)
    assert [(await wire.reply()).body for wire in wires] == [b"/early"] * 3
    for wire in wires:
        wire.close()


@on_uvloop
async def test_a_fresh_connection_may_still_send_its_first_request() -> None:
    """Whoever connected in time is given a moment to speak."""
    replies: list[bytes] = []

    async def speak_late(wire: Wire) -> None:
        await asyncio.sleep(0)
        wire.send("/late")
        replies.append((await wire.reply()).body)
        wire.close()

    speaking: list[asyncio.Task[None]] = []

    async def moment(port: int) -> None:
        speaking.append(asyncio.create_task(speak_late(Wire(port))))

    await serve_until(moment)
    await speaking[0]
    assert replies == [b"/late"]


@on_uvloop
async def test_an_idle_connection_does_not_hold_up_the_goodbye() -> None:
    """What has nothing to say is hung up on, and the port is free."""
    wires: list[Wire] = []

    async def moment(port: int) -> None:
        wires.append(Wire(port))
        await wires[0].ask("/once")

    await serve_until(moment)
    assert await wires[0].ended()
    wires[0].close()
