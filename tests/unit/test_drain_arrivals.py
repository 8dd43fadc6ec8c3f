"""Is a request lost that had arrived, unread, at the moment when the server stopped?"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from borough.config import Timeouts
from borough.serving.listener import Listener, bind
from borough_telemetry import Telemetry
from serving import HOST, PATIENCE_S, Wire, hello, on_uvloop, until


class Sudden(Listener):
    """Says goodbye right after a given moment: the event loop does not turn in between."""

    def __init__(
        self, moment: Callable[["Sudden"], Awaitable[None]], timeouts: Timeouts | None = None
    ) -> None:
        listening, telemetry = bind("PUBLIC_PORT", HOST, 0), Telemetry("t", log_level="critical")
        super().__init__(hello, listening, telemetry, asyncio.Event(), timeouts or Timeouts())
        self.port = listening.getsockname()[1]
        self._moment = moment

    async def main_loop(self) -> None:
        await self._moment(self)


@on_uvloop
async def test_a_request_in_the_buffer_of_a_kept_connection_is_answered() -> None:
    """An idle connection is not hung up on while something waits in it."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: Sudden) -> None:
            wires.append(opened.enter_context(Wire(server.port)))
            await wires[0].ask("/first")
            wires[0].send("/second")

        await Sudden(moment).run_until_stopped()
        assert (await wires[0].reply()).body == b"/second"


@on_uvloop
async def test_a_request_on_a_connection_not_yet_accepted_is_answered() -> None:
    """Who was let in by the kernel is served, though the server had not opened the door yet."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: Sudden) -> None:
            wires.extend(opened.enter_context(Wire(server.port)) for _ in range(3))
            for wire in wires:
                wire.send("/early")

        await Sudden(moment).run_until_stopped()
        assert [(await wire.reply()).body for wire in wires] == [b"/early"] * 3


@on_uvloop
async def test_a_fresh_connection_may_still_send_its_first_request() -> None:
    """Whoever connected in time is given a moment to speak."""
    patient = Timeouts(first_request_s=PATIENCE_S)
    speaking: list[asyncio.Task[bytes]] = []

    async def speak_late(server: Sudden, wire: Wire) -> bytes:
        with wire:
            await until(lambda: not server.servers[0].is_serving())
            return (await wire.ask("/late")).body

    async def moment(server: Sudden) -> None:
        speaking.append(asyncio.create_task(speak_late(server, Wire(server.port))))

    await Sudden(moment, patient).run_until_stopped()
    assert await speaking[0] == b"/late"


@on_uvloop
async def test_an_idle_connection_does_not_delay_shutdown() -> None:
    """What has nothing to say is hung up on."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: Sudden) -> None:
            wires.append(opened.enter_context(Wire(server.port)))
            await wires[0].ask("/once")

        await Sudden(moment).run_until_stopped()
        assert await wires[0].ended()
