"""The generator's process: a job a line in, words about it a line out, until the input ends.

The input ends with whoever gave the jobs, however that happened, so it never outlives them.
"""

import argparse
import asyncio
import os
import sys

import uvloop

from borough_bill.load.doors import set_up
from borough_bill.load.firing import Firing
from borough_bill.load.generator import Job, JobFailed, Progress, Word
from borough_bill.load.priority import be_prompt
from borough_bill.load.schedule import BadSchedule
from borough_bill.load.wire import BadAddress
from borough_bill.load.workload import BadWorkload, workload

LINE_LIMIT = 1 << 24
"""Bytes of the longest job: it names every customer."""


def say(word: Word) -> None:
    """One line."""
    print(word.model_dump_json(exclude_none=True), flush=True)  # noqa: T201  # the protocol


def progress(progress: Progress) -> None:
    """How far the run is."""
    say(Word(progress=progress))


async def work(line: bytes) -> None:
    """Run the job of a line and say how it ended."""
    try:
        job = Job.model_validate_json(line)
        load = workload(job.workload).with_shares(job.shares)
        run = Firing(job, load, progress)
        if job.set_up:
            await set_up(job, load)
        recording = await run.go()
    except (BadAddress, BadSchedule, BadWorkload, JobFailed, OSError) as error:
        say(Word(error=str(error)))
    else:
        say(Word(recording=recording.path))


async def serve() -> None:
    """Work until the input ends, which ends a run that is under way too."""
    jobs = asyncio.StreamReader(LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(jobs), sys.stdin
    )
    line = await jobs.readline()
    while line:
        run = asyncio.create_task(work(line))
        following = asyncio.create_task(jobs.readline())
        await asyncio.wait({run, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done() and not following.result():
            run.cancel()
            return
        await run
        line = await following


def main() -> None:
    """Take the core, and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", type=int, help="the core to stay on")
    cpu = parser.parse_args().cpu
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
        be_prompt()
    uvloop.run(serve())


if __name__ == "__main__":
    main()
