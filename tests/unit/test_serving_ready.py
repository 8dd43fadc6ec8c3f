"""When is a part ready, and which reason does it report while it is not?"""

import asyncio

from borough.config import Timeouts
from borough.serving.lifecycle import Health, State, watch
from borough_telemetry import Telemetry
from serving import until

NOT_MIGRATED = "the schema of orders is not migrated"


async def reported(
    looks: list[str | Exception | None],
) -> tuple[list[tuple[object, object]], int]:
    """The reports before each check and after the last, and the number of announcements."""
    at_once = Timeouts(check_until_ready_s=0, check_while_ready_s=0)
    health, left = Health({}), iter(looks)
    seen: list[tuple[object, object]] = []
    announced: list[str] = []

    async def ready() -> str | None:
        report = health.report()
        seen.append((report["state"], report["reason"]))
        if len(seen) > len(looks):
            await asyncio.Event().wait()
        look = next(left)
        if isinstance(look, Exception):
            raise look
        return look

    log = Telemetry("t", log_level="critical").log
    watching = asyncio.create_task(
        watch(health, ready, lambda: announced.append("ready"), log, at_once)
    )
    await until(lambda: len(seen) > len(looks))
    watching.cancel()
    return seen[1:], len(announced)


async def test_part_is_starting_until_its_check_passes() -> None:
    """It reports each time what is missing, and announces itself when the check passes."""
    assert await reported([NOT_MIGRATED, None]) == (
        [(State.STARTING, NOT_MIGRATED), (State.READY, None)],
        1,
    )


async def test_failed_check_is_the_reason() -> None:
    """An exception makes a part unready and is reported; it never ends the loop of checks."""
    looks = [OSError("no such host"), None]
    assert await reported([*looks]) == (
        [(State.STARTING, "OSError: no such host"), (State.READY, None)],
        1,
    )


async def test_part_may_become_unready_and_ready_again() -> None:
    """It is announced once per process, however often readiness changes."""
    assert await reported([None, "the database is gone", None]) == (
        [(State.READY, None), (State.UNREADY, "the database is gone"), (State.READY, None)],
        1,
    )


async def test_check_that_times_out_is_the_reason() -> None:
    """A check has a timeout; past it the part is not ready."""
    health, log = Health({}), Telemetry("t").log

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    watching = asyncio.create_task(watch(health, hangs, lambda: None, log, Timeouts(check_s=0)))
    await until(lambda: health.report()["reason"] != "not looked yet")
    assert health.report()["reason"] == "TimeoutError: "
    watching.cancel()
