"""Does the generator find what wrk finds, where both can be right?

wrk is a closed loop in C. On one connection to a server that always takes as long, nothing waits
for anything else, and the two must agree.
"""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from borough_bill.frozen import server
from borough_bill.generator import Generator, Job
from programs import program

ABSENT = "wrk is not installed: apt-get install wrk"
DELAY_S = 0.02
MEDIAN = re.compile(r"^ +50% +([0-9.]+)ms$", re.MULTILINE)


@pytest.fixture
def wrk() -> str:
    """The program; CI leaves it out no more than the databases."""
    return program("wrk", ABSENT)


async def median_of_wrk(wrk: str, url: str) -> float:
    """Seconds."""
    process = await asyncio.create_subprocess_exec(
        wrk, "-t1", "-c1", "-d1s", "--latency", url, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    median = MEDIAN.search(said)
    assert median, said
    return float(median[1]) / 1_000


async def test_wrk_and_the_generator_agree(wrk: str, tmp_path: Path) -> None:
    """Within a tenth, at the median, of a server that takes 20 ms for every answer."""
    async with Generator() as generator, server(delay=DELAY_S) as (url, _):
        theirs = await median_of_wrk(wrk, url)
        job = Job(
            doors={"": (url,)},
            workload="probe",
            arrivals="constant",
            rate=40,
            seconds=1,
            out=tmp_path / "run.npz",
        )
        ours = float(np.median((await generator.run(job)).latencies()))

    assert theirs >= DELAY_S * 0.95  # the loop's timers are whole milliseconds
    assert ours == pytest.approx(theirs, rel=0.1)
