"""Does the generator find what wrk finds, where both can be right?

wrk is a closed loop in C. On one connection to a server that always takes as long, nothing waits
for anything else, and the two must agree. They ask at the same time: what else the machine does
then can only add to an answer, and adds least to the fastest.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from borough_bill.load.frozen import ANSWER
from borough_bill.load.generator import Generator, Job
from programs import program

ABSENT = "wrk is not installed: apt-get install wrk"
DELAY_S = 0.2
SECONDS = 4
FASTEST = """
done = function(summary, latency, requests) io.write("fastest ", latency.min, " us") end
"""
"""wrk's own way to print what its report leaves out."""


@pytest.fixture
def wrk() -> str:
    """The program; CI leaves it out no more than the databases."""
    return program("wrk", ABSENT)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """What wrk prints at its end."""
    path = tmp_path / "fastest.lua"
    path.write_text(FASTEST)
    return path


async def fastest_of_wrk(wrk: str, url: str, script: Path) -> float:
    """Seconds."""
    process = await asyncio.create_subprocess_exec(
        wrk, "-t1", "-c1", f"-d{SECONDS}s", "-s", str(script), url, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    fastest = re.search(r"fastest ([0-9.]+) us", said)
    assert fastest, said
    return float(fastest[1]) / 1_000_000


@asynccontextmanager
async def slow_server() -> AsyncIterator[str]:
    """The URL of a server that answers each request after DELAY_S."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(DELAY_S)
                writer.write(ANSWER)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_wrk_and_the_generator_agree(wrk: str, script: Path, tmp_path: Path) -> None:
    """Within a tenth, at the fastest answer, of a server that takes 200 ms for every one."""
    async with Generator() as generator, slow_server() as url:
        job = Job(
            doors={"": (url,)},
            workload="probe",
            arrivals="constant",
            rate=20,
            seconds=SECONDS,
            out=tmp_path / "run.npz",
        )
        theirs, run = await asyncio.gather(fastest_of_wrk(wrk, url, script), generator.run(job))
        ours = float(run.latencies().min())

    assert theirs >= DELAY_S * 0.95  # the loop's timers are whole milliseconds
    assert ours == pytest.approx(theirs, rel=0.1)
