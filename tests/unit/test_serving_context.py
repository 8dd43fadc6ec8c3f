"""Does each request begin in a context of its own?"""

import asyncio
from contextvars import ContextVar

from starlette.types import Receive, Scope, Send

from borough.config import Timeouts
from borough.serving.listener import Listener, bind
from borough_telemetry import Telemetry
from serving import HOST, Wire, on_uvloop, say

caller: ContextVar[str] = ContextVar("caller", default="unset")


async def who_was_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the caller that the context names, and set a caller in it."""
    await asyncio.sleep(0)
    found = caller.get()
    caller.set(scope["path"])
    await say(send, found)


async def ask_three_at_once(*, reset: bool) -> list[bytes]:
    """The callers that three pipelined requests find in their contexts."""
    listening = bind("PUBLIC_PORT", HOST, 0)
    port = listening.getsockname()[1]
    listener = Listener(who_was_here, listening, Telemetry("t"), asyncio.Event(), Timeouts())
    listener.config.reset_contextvars = reset
    serving = asyncio.create_task(listener.run_until_stopped())
    with Wire(port) as wire:
        wire.send("/ada", "/grace", "/alan")
        found = [(await wire.reply()).body for _ in range(3)]
        listener.stop()
        await serving
    return found


@on_uvloop
async def test_pipelined_requests_do_not_share_context() -> None:
    """Each request begins in an empty context, whatever the one before it set."""
    assert await ask_three_at_once(reset=True) == [b"unset"] * 3


@on_uvloop
async def test_shared_context_is_detected() -> None:
    """Without the setting, uvicorn runs the second request in the context of the first."""
    assert await ask_three_at_once(reset=False) == [b"unset", b"/ada", b"/grace"]
