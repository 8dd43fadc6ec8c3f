"""Is work in progress finished, in order and in bounded time, when a part is asked to stop?"""

import asyncio
import json

from starlette.types import Receive, Scope, Send

from borough.config import Timeouts
from borough.serving.lifecycle import Tasks
from borough_telemetry import Telemetry
from serving import (
    Running,
    Wire,
    launched,
    on_uvloop,
    say,
    small_part,
    until,
)


class Gate:
    """An app whose requests wait until `open` is set."""

    def __init__(self) -> None:
        self.waiting = 0
        self.open = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.waiting += 1
        await self.open.wait()
        await say(send, scope["path"])


async def draining(running: Running) -> None:
    """Return once `/readyz` is no longer 200."""
    while (await running.ops("/readyz")).status == 200:
        await asyncio.sleep(0)


@on_uvloop
async def test_each_answer_closes_its_connection_while_draining() -> None:
    """The part is unready but alive, and closes old and new connections after their answer."""
    async with launched(small_part(), drain_s=600) as running:
        port = running.ports["public"]
        with Wire(port) as kept:
            assert not (await kept.ask("/before")).last
            running.stop.ask()
            await draining(running)
            ready = await running.ops("/readyz")
            assert (ready.status, json.loads(ready.body)["state"]) == (503, "draining")
            assert (await running.ops("/livez")).status == 200
            with Wire(port) as new:
                for wire in (kept, new):
                    reply = await wire.ask("/during")
                    assert (reply.status, reply.body, reply.last) == (200, b"/during", True)
                    assert await wire.ended()


@on_uvloop
async def test_drain_runs_its_steps_in_order() -> None:
    """Requests end first, then detached tasks, then loops, telemetry, and the stores last."""
    ended: list[str] = []
    gate, tasks = Gate(), Tasks()

    async def relay() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("loop")

    async def order() -> None:
        await until(lambda: "request" in ended)
        ended.append("task")

    async def close() -> None:
        ended.append("stores")

    class Flushed(Telemetry):
        def close(self) -> None:
            ended.append("telemetry")
            super().close()

    part = small_part(
        gate,
        tasks=tasks,
        loops={"relay": relay},
        close=close,
        telemetry=Flushed("small", log_level="critical"),
    )
    async with launched(part) as running:
        with Wire(running.ports["public"]) as wire:
            wire.send("/slow")
            await until(lambda: gate.waiting == 1)
            working = asyncio.create_task(tasks.run(order()))
            running.stop.ask()
            await draining(running)
            assert ended == []
            gate.open.set()
            assert (await wire.reply()).body == b"/slow"
            ended.append("request")
            await running.launch
            await working
    assert ended == ["request", "task", "loop", "telemetry", "stores"]


@on_uvloop
async def test_second_signal_stops_the_part_without_waiting() -> None:
    """The part waits neither for the pause, nor for requests, nor for tasks in flight."""
    gate, tasks = Gate(), Tasks()
    async with launched(small_part(gate, tasks=tasks), drain_s=600) as running:
        with Wire(running.ports["public"]) as wire:
            wire.send("/stuck")
            await until(lambda: gate.waiting == 1)
            working = asyncio.create_task(tasks.run(asyncio.Event().wait()))
            running.stop.ask()
            await draining(running)
            running.stop.ask()
            await running.launch
            assert (await wire.reply()).status == 500
            assert len(tasks) == 1
            working.cancel()


@on_uvloop
async def test_request_that_never_ends_is_answered_with_500() -> None:
    """The time that requests have to finish in a drain is bounded by `in_flight_s`."""
    gate = Gate()
    async with launched(small_part(gate, timeouts=Timeouts(in_flight_s=0))) as running:
        with Wire(running.ports["public"]) as wire:
            wire.send("/stuck")
            await until(lambda: gate.waiting == 1)
            running.stop.ask()
            await running.launch
            assert (await wire.reply()).status == 500


async def test_task_continues_after_its_caller_is_cancelled() -> None:
    """Cancellation ends the wait of the caller and not the task; a drain waits for the task."""
    tasks, gate = Tasks(), asyncio.Event()
    done: list[str] = []

    async def order() -> None:
        await gate.wait()
        done.append("settled")

    waiting = asyncio.create_task(tasks.run(order()))
    await until(lambda: len(tasks) == 1)
    waiting.cancel()
    draining = asyncio.create_task(tasks.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    gate.set()
    await draining
    assert (done, len(tasks)) == (["settled"], 0)
