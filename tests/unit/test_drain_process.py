"""Does a process answer its requests in flight after SIGTERM or SIGINT?"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serving import PATIENCE_S, Wire

PROGRAM = """
import asyncio, uvloop
from borough.config import Settings
from borough.serving.server import serve
from borough_telemetry import Telemetry
from serving import say, small_part

async def slow(scope, receive, send):
    print("begun", flush=True)
    await asyncio.to_thread(input)
    await say(send, scope["path"])

async def close():
    print("closed", flush=True)

async def main():
    settings = Settings(public_port=0, ops_port=0, drain_s=0)
    await serve(small_part(slow, close=close), settings)

uvloop.run(main())
"""
"""A part whose requests wait for a line on standard input."""

Process = asyncio.subprocess.Process


async def line(process: Process) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def finish_requests(process: Process) -> None:
    """Let a waiting request continue."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    """A process that serves the part."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_request_in_flight_is_answered_after_the_signal(
    process: Process, number: signal.Signals
) -> None:
    """New connections are refused, the answer is sent, the part closes, and the exit code is 0."""
    port = json.loads(await line(process))["public_port"]
    async with asyncio.timeout(PATIENCE_S):
        with Wire(port) as wire:
            wire.send("/order")
            assert await line(process) == "begun"
            process.send_signal(number)
            await refused(port)
            await finish_requests(process)
            reply = await wire.reply()
            assert (reply.status, reply.body, reply.last) == (200, b"/order", True)
            assert (await line(process), await process.wait()) == ("closed", 0)


async def refused(port: int) -> None:
    """Return once the port refuses connections."""
    while True:
        try:
            with Wire(port):
                await asyncio.sleep(0.01)
        except ConnectionRefusedError:
            return
