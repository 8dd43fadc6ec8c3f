"""Is a request shared by concurrent callers, and does one that hangs delay no other?"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from borough_operator.sources.fetching import FORGET_AFTER, HANGING_WAIT, SingleFlight
from scaling.virtual import run_virtually

TIMEOUT = 3.0
SHARED_FOR = 2.0


def now() -> float:
    return asyncio.get_running_loop().time()


def shared(ask: Callable[[str], Awaitable[str]], max_in_flight: int = 8) -> SingleFlight[str, str]:
    return SingleFlight(
        ask,
        for_seconds=SHARED_FOR,
        timeout=TIMEOUT,
        wait=TIMEOUT,
        max_in_flight=max_in_flight,
        clock=now,
    )


class Upstream:
    """Returns the key in capitals; a key in `hanging` never returns."""

    def __init__(self, *hanging: str) -> None:
        self.hanging = set(hanging)
        self.fetched = Counter[str]()

    async def __call__(self, key: str) -> str:
        self.fetched[key] += 1
        if key in self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(0.1)
        return key.upper()


def test_concurrent_callers_share_one_request() -> None:
    """It is sent once, and again when its result is too old."""

    async def scenario() -> None:
        upstream = Upstream()
        flights = shared(upstream)
        found = await asyncio.gather(*(flights.get(["load"]) for _ in range(100)))
        assert found == [{"load": "LOAD"}] * 100
        await asyncio.sleep(SHARED_FOR)
        assert await flights.get(["load"]) == {"load": "LOAD"}
        assert upstream.fetched["load"] == 1
        await asyncio.sleep(0.1)
        await flights.get(["load"])
        assert upstream.fetched["load"] == 2

    run_virtually(scenario())


def test_hanging_request_delays_its_callers_once() -> None:
    """The first caller waits for the timeout, later ones `HANGING_WAIT`, until it responds again;
    callers of other keys do not wait.
    """

    async def scenario() -> None:
        upstream = Upstream("slow")
        flights = shared(upstream)
        begun = now()
        first, other = await asyncio.gather(flights.get(["slow"]), flights.get(["quick"]))
        assert (first, other) == ({"slow": None}, {"quick": "QUICK"})
        assert now() - begun == TIMEOUT
        await asyncio.sleep(SHARED_FOR + 1)
        begun = now()
        assert await flights.get(["slow", "quick"]) == {"slow": None, "quick": "QUICK"}
        assert now() - begun == HANGING_WAIT
        upstream.hanging.clear()
        await asyncio.sleep(TIMEOUT + SHARED_FOR + 1)
        begun = now()
        assert await flights.get(["slow"]) == {"slow": "SLOW"}
        assert now() - begun < HANGING_WAIT
        await flights.close()

    run_virtually(scenario())


def test_hanging_requests_leave_slots_for_others() -> None:
    """Once they are known to hang they share slots of their own."""

    async def scenario() -> None:
        hanging = [f"hang-{i}" for i in range(40)]
        upstream = Upstream(*hanging)
        flights = shared(upstream, max_in_flight=8)
        for _ in range(8):  # until each of them had a slot and is known to hang
            await asyncio.gather(*(flights.get([name]) for name in hanging))
            await asyncio.sleep(SHARED_FOR)
        await asyncio.gather(*(flights.get([name]) for name in hanging))
        begun = now()
        assert await flights.get(["quick"]) == {"quick": "QUICK"}
        assert now() - begun < HANGING_WAIT
        await flights.close()

    run_virtually(scenario())


def test_cancelled_caller_does_not_cancel_the_request() -> None:
    """The other callers still get the result."""

    async def scenario() -> None:
        upstream = Upstream()
        flights = shared(upstream)
        leaver = asyncio.create_task(flights.get(["load"]))
        stayer = asyncio.create_task(flights.get(["load"]))
        await asyncio.sleep(0.05)
        leaver.cancel()
        assert await stayer == {"load": "LOAD"}
        assert upstream.fetched["load"] == 1

    run_virtually(scenario())


def test_unread_result_is_dropped() -> None:
    """The query of a deleted scaler does not stay in memory."""

    async def scenario() -> None:
        flights = shared(Upstream())
        for name in ("gone", "stays"):
            await flights.get([name])
        await asyncio.sleep(FORGET_AFTER + 1)
        await flights.get(["stays"])
        assert list(flights._requests) == ["stays"]  # noqa: SLF001  # its memory is tested

    run_virtually(scenario())
