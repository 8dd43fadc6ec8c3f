"""The spans of the ladder's top rung: who takes them, and the critical path they tell of.

It cross-checks the ladder from another side: not what an order costs without a hop, but how much of
what a customer waited for lay in hops.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from borough_bill.analysis.paths import NoTrace, summarise
from borough_bill.results import CriticalPath
from borough_bill.targets.collector import read_spans
from borough_bill.targets.processes import die_with_parent, pin
from borough_bill.targets.shapes import CommandFailed

NICE = 10
"""Steps by which the collector makes way for the generator, whose core it shares."""


def _beneath() -> None:
    die_with_parent()
    os.nice(NICE)


@asynccontextmanager
async def collecting(keep: Path, cpu: int | None) -> AsyncIterator[str]:
    """A collector process that appends what it receives to `keep`; gives its address.

    Raises CommandFailed where it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.targets.collector", "--port", "0", "--keep", str(keep),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=_beneath,
    )  # fmt: skip  # the command on one line, as one would type it
    try:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        line = await process.stdout.readline()
        if not line:
            raise CommandFailed(f"the collector ended with {await process.wait()}")
        if cpu is not None:
            pin(process.pid, cpu)
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def critical_path(kept: Path, root: str) -> CriticalPath | None:
    """What the traces in this file say whose root span is called `root`; None where none is whole.
    Raises BrokenSpans.
    """
    try:
        return summarise(read_spans(kept), root)
    except NoTrace:
        return None
