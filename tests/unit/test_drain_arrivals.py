"""Are requests answered that had arrived, but were unread, when the server stopped?"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from borough.config import Timeouts
from borough.serving.listener import Listener, bind
from borough_telemetry import Telemetry
from serving import HOST, PATIENCE_S, Wire, hello, on_uvloop, until


class ImmediateStop(Listener):
    """Stops as soon as `moment` returns: the event loop does not run in between."""

    def __init__(
        self, moment: Callable[["ImmediateStop"], Awaitable[None]], timeouts: Timeouts | None = None
    ) -> None:
        listening, telemetry = bind("PUBLIC_PORT", HOST, 0), Telemetry("t", log_level="critical")
        super().__init__(hello, listening, telemetry, asyncio.Event(), timeouts or Timeouts())
        self.port = listening.getsockname()[1]
        self._moment = moment

    async def main_loop(self) -> None:
        await self._moment(self)


@on_uvloop
async def test_request_in_the_buffer_of_a_kept_connection_is_answered() -> None:
    """An idle connection is not closed while its buffer holds an unread request."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: ImmediateStop) -> None:
            wires.append(opened.enter_context(Wire(server.port)))
            await wires[0].ask("/first")
            wires[0].send("/second")

        await ImmediateStop(moment).run_until_stopped()
        assert (await wires[0].reply()).body == b"/second"


@on_uvloop
async def test_request_on_a_connection_not_yet_accepted_is_answered() -> None:
    """A connection in the backlog of the kernel is accepted and served during shutdown."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: ImmediateStop) -> None:
            wires.extend(opened.enter_context(Wire(server.port)) for _ in range(3))
            for wire in wires:
                wire.send("/early")

        await ImmediateStop(moment).run_until_stopped()
        assert [(await wire.reply()).body for wire in wires] == [b"/early"] * 3


@on_uvloop
async def test_first_request_of_a_new_connection_is_answered_after_the_stop() -> None:
    """A connection made before the stop has `first_request_s` to send its first request."""
    patient = Timeouts(first_request_s=PATIENCE_S)
    asking: list[asyncio.Task[bytes]] = []

    async def ask_late(server: ImmediateStop, wire: Wire) -> bytes:
        with wire:
            await until(lambda: not server.servers[0].is_serving())
            return (await wire.ask("/late")).body

    async def moment(server: ImmediateStop) -> None:
        asking.append(asyncio.create_task(ask_late(server, Wire(server.port))))

    await ImmediateStop(moment, patient).run_until_stopped()
    assert await asking[0] == b"/late"


@on_uvloop
async def test_idle_connection_does_not_delay_shutdown() -> None:
    """A connection without an unread request is closed at once."""
    with ExitStack() as opened:
        wires: list[Wire] = []

        async def moment(server: ImmediateStop) -> None:
            wires.append(opened.enter_context(Wire(server.port)))
            await wires[0].ask("/once")

        await ImmediateStop(moment).run_until_stopped()
        assert await wires[0].ended()
