"""Does the generator's process run one job after another, and end with its parent?"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from borough_bill.load.frozen import server
from borough_bill.load.generator import Generator, Job, JobFailed, Progress
from borough_bill.load.recording import slip_check


async def test_process_runs_many_jobs_and_names_what_failed(tmp_path: Path) -> None:
    """A valid job, one whose server has ended, and one with an unknown workload."""
    reports: list[Progress] = []
    async with Generator() as generator:
        async with server() as (url, process):
            job = Job(
                doors={"": (url,)},
                workload="probe",
                out=tmp_path / "run.npz",
                rate=400,
                seconds=0.5,
                warm_up_s=0.1,
                pids={"the server": process.pid},
            )
            run = await generator.run(job, reports.append)
        assert run.served == len(run.measured) > 100
        assert 0 < run.header.cpu["the server"] < run.header.window_s
        assert 0 < run.header.generator_cpu_s < run.header.window_s
        assert reports[-1].left_s < 0.7

        with pytest.raises(JobFailed, match="the server cannot be measured: process"):
            await generator.run(job.model_copy(update={"doors": {"": (url,)}}))
        with pytest.raises(JobFailed, match="there is no workload nonsense"):
            await generator.run(job.model_copy(update={"workload": "nonsense"}))


async def test_stopped_generator_voids_its_recording(tmp_path: Path) -> None:
    """After SIGSTOP and SIGCONT, slip is above its limit and part of the latency."""
    async with Generator() as generator, server() as (url, _):
        job = Job(
            doors={"": (url,)}, workload="probe", out=tmp_path / "o.npz", rate=200, seconds=0.6
        )
        under_way = asyncio.Event()
        running = asyncio.create_task(generator.run(job, lambda _: under_way.set()))
        await under_way.wait()
        os.kill(generator.pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        os.kill(generator.pid, signal.SIGCONT)
        run = await running

    assert run.served == len(run.measured)
    assert slip_check([run]).void
    assert run.latencies().max() > 0.09


async def test_cancelled_run_kills_the_process(tmp_path: Path) -> None:
    """No process is left that sends requests."""
    async with Generator() as generator, server() as (url, _):
        job = Job(doors={"": (url,)}, workload="probe", out=tmp_path / "o.npz", rate=50, seconds=60)
        under_way = asyncio.Event()
        running = asyncio.create_task(generator.run(job, lambda _: under_way.set()))
        await under_way.wait()
        pid = generator.pid
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(JobFailed, match="does not run"):
            await generator.run(job)
