"""Is a question asked once for all, and does one that hangs hold up nobody else?"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from borough_operator.sources.sharing import FORGET_AFTER, HANGING_WAIT, SingleFlight
from scaling.virtual import virtually

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


class Oracle:
    """Answers in capitals; a question in `hanging` never."""

    def __init__(self, *hanging: str) -> None:
        self.hanging = set(hanging)
        self.asked = Counter[str]()

    async def __call__(self, question: str) -> str:
        self.asked[question] += 1
        if question in self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(0.1)
        return question.upper()


def test_many_who_ask_at_once_share_one_question() -> None:
    """However many want to know, it is asked once, and again when the answer is too old."""

    async def story() -> None:
        oracle = Oracle()
        answers = shared(oracle)
        found = await asyncio.gather(*(answers.get(["load"]) for _ in range(100)))
        assert found == [{"load": "LOAD"}] * 100
        await asyncio.sleep(SHARED_FOR)
        assert await answers.get(["load"]) == {"load": "LOAD"}
        assert oracle.asked["load"] == 1
        await asyncio.sleep(0.1)
        await answers.get(["load"])
        assert oracle.asked["load"] == 2

    virtually(story())


def test_one_that_hangs_is_waited_for_once() -> None:
    """The first reader waits to the end of patience, later ones a moment, until it answers again;
    nobody who did not ask for it waits at all.
    """

    async def story() -> None:
        oracle = Oracle("slow")
        answers = shared(oracle)
        begun = now()
        first, other = await asyncio.gather(answers.get(["slow"]), answers.get(["quick"]))
        assert (first, other) == ({"slow": None}, {"quick": "QUICK"})
        assert now() - begun == TIMEOUT
        await asyncio.sleep(SHARED_FOR + 1)
        begun = now()
        assert await answers.get(["slow", "quick"]) == {"slow": None, "quick": "QUICK"}
        assert now() - begun == HANGING_WAIT
        oracle.hanging.clear()
        await asyncio.sleep(TIMEOUT + SHARED_FOR + 1)
        begun = now()
        assert await answers.get(["slow"]) == {"slow": "SLOW"}
        assert now() - begun < HANGING_WAIT
        await answers.close()

    virtually(story())


def test_many_that_hang_leave_turns_to_those_that_answer() -> None:
    """Once they are known to hang, they wait for each other only."""

    async def story() -> None:
        hanging = [f"hang-{i}" for i in range(40)]
        oracle = Oracle(*hanging)
        answers = shared(oracle, max_in_flight=8)
        for _ in range(8):  # until each of them has had its turn and is known
            await asyncio.gather(*(answers.get([name]) for name in hanging))
            await asyncio.sleep(SHARED_FOR)
        await asyncio.gather(*(answers.get([name]) for name in hanging))
        begun = now()
        assert await answers.get(["quick"]) == {"quick": "QUICK"}
        assert now() - begun < HANGING_WAIT
        await answers.close()

    virtually(story())


def test_whoever_stops_waiting_spoils_nothing_for_the_others() -> None:
    """A reader that is cancelled leaves the question to whoever still waits."""

    async def story() -> None:
        oracle = Oracle()
        answers = shared(oracle)
        leaver = asyncio.create_task(answers.get(["load"]))
        stayer = asyncio.create_task(answers.get(["load"]))
        await asyncio.sleep(0.05)
        leaver.cancel()
        assert await stayer == {"load": "LOAD"}
        assert oracle.asked["load"] == 1

    virtually(story())


def test_what_nobody_asks_for_is_forgotten() -> None:
    """A query of a scaler that is gone does not stay in memory."""

    async def story() -> None:
        answers = shared(Oracle())
        for name in ("gone", "stays"):
            await answers.get([name])
        await asyncio.sleep(FORGET_AFTER + 1)
        await answers.get(["stays"])
        assert list(answers._requests) == ["stays"]  # noqa: SLF001  # its memory is the law

    virtually(story())
