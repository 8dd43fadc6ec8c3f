"""The spans of the ladder's top rung: their collector process, and the critical path in them.

The critical path cross-checks the ladder: it is the share of an order's latency that hops took.
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
"""The niceness of the collector, which shares the generator's core."""


def _below_generator() -> None:
    die_with_parent()
    os.nice(NICE)


@asynccontextmanager
async def collecting(keep: Path, cpu: int | None) -> AsyncIterator[str]:
    """A collector process that appends what it receives to `keep`; its OTLP address.

    Raises CommandFailed if it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "borough_bill.targets.collector", "--port", "0", "--keep", str(keep),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=_below_generator,
    )  # fmt: skip  # the command on one line, as it is typed
    try:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
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
    """The critical path of the traces in this file whose root span is `root`; None if no trace is
    complete. Raises BrokenSpans.
    """
    try:
        return summarise(read_spans(kept), root)
    except NoTrace:
        return None
