"""Injected faults, for experiments: none by default; /readyz lists them."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TypeVar, cast

from borough.capability import Capability, Message
from borough.config import Fault
from borough.errors import Unavailable

C = TypeVar("C", bound=Capability)


def with_fault(capability: type[C], service: C, fault: Fault) -> C:
    """The service, with a fault before each of its calls."""
    ballast = bytearray(os.urandom(1_024) * 1_024 * fault.ballast_mib)

    def faulty(
        method: Callable[[Message], Awaitable[Message]],
    ) -> Callable[..., Awaitable[Message]]:
        async def call(message: Message) -> Message:
            await _inject(capability.name, fault)
            return await method(message)

        return call

    methods = {name: faulty(getattr(service, name)) for name in capability.endpoints}
    return cast(C, SimpleNamespace(**methods, ballast=ballast))


async def _inject(name: str, fault: Fault) -> None:
    if _happens(fault.crash_rate):
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.cpu_ms:
        end = time.thread_time() + fault.cpu_ms / 1_000
        while time.thread_time() < end:
            pass
    if fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1_000)
    if _happens(fault.error_rate):
        raise Unavailable(f"{name} fails on purpose (BOROUGH_FAULTS)")


def _happens(rate: float) -> bool:
    return random.random() < rate  # noqa: S311  # not for secrets
