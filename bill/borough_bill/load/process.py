"""The generator's process: it reads a job a line and writes messages a line, until the input ends.

The input ends when the parent process ends, for any reason, so this process does not outlive it.
"""

import argparse
import asyncio
import os
import sys

import uvloop

from borough_bill.load.attack import Attack
from borough_bill.load.door_pools import set_up
from borough_bill.load.generator import Job, JobFailed, Message, Progress
from borough_bill.load.priority import request_priority
from borough_bill.load.schedule import BadSchedule
from borough_bill.load.wire import BadAddress
from borough_bill.load.workload import BadWorkload, workload

LINE_LIMIT = 1 << 24
"""Bytes of the longest job, which holds the keys of all customers."""


def write_message(message: Message) -> None:
    """Write one line."""
    print(message.model_dump_json(exclude_none=True), flush=True)  # noqa: T201  # the protocol


def write_progress(progress: Progress) -> None:
    """Write one line of progress."""
    write_message(Message(progress=progress))


async def run_job(line: bytes) -> None:
    """Run the job of a line, and write how it ended."""
    try:
        job = Job.model_validate_json(line)
        load = workload(job.workload).with_shares(job.shares)
        attack = Attack(job, load, write_progress)
        if job.set_up:
            await set_up(job, load)
        recording = await attack.run()
    except (BadAddress, BadSchedule, BadWorkload, JobFailed, OSError) as error:
        write_message(Message(error=str(error)))
    else:
        write_message(Message(recording=recording.path))


async def serve() -> None:
    """Run jobs until the input ends, which also cancels a job that is under way."""
    jobs = asyncio.StreamReader(LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(jobs), sys.stdin
    )
    line = await jobs.readline()
    while line:
        run = asyncio.create_task(run_job(line))
        following = asyncio.create_task(jobs.readline())
        await asyncio.wait({run, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done() and not following.result():
            run.cancel()
            return
        await run
        line = await following


def main() -> None:
    """Pin the process to its core, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", type=int, help="the core to stay on")
    cpu = parser.parse_args().cpu
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
        request_priority()
    uvloop.run(serve())


if __name__ == "__main__":
    main()
