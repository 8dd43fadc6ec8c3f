"""Does `borough-bill load` report what happened, and what voids it?"""

import asyncio
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from borough_bill.__main__ import app
from borough_bill.load.command import LoadResult, sentences
from borough_bill.load.frozen import server
from borough_bill.load.generator import JobFailed
from borough_bill.load.recording import REQUEST, Header, Recording


async def test_load_is_sent_and_recorded(tmp_path: Path) -> None:
    """With the CPU of a process, and customers' keys from a file, which are not recorded."""
    workload, keys, out = tmp_path / "w.toml", tmp_path / "keys.json", tmp_path / "new" / "run.npz"
    workload.write_text("classes.look = { path = '/', headers = { key = '{{api_key}}' } }")
    keys.write_text(json.dumps({"ada": "secret-of-ada"}))
    async with server() as (url, process):
        options = f"load {url} --workload {workload} --keys {keys} --pid {process.pid} --out {out}"
        pace = "--rate 200 --seconds 0.3 --warm-up 0.1 --arrivals constant"
        done = await asyncio.to_thread(CliRunner().invoke, app, f"{options} {pace}")

    assert "60 of 60 served, " in done.output
    assert f"process {process.pid}: " in done.output
    assert Recording.read(out).served == 60
    assert b"secret-of-ada" not in out.read_bytes()


def test_output_reports_a_late_generator_and_wrong_answers() -> None:
    """A void run is visible without reading the records."""
    row = (1.0, 1.1, 1.2, 1.3, 503, 0, False, False)
    header = Header(
        job={},
        run="",
        classes=("look",),
        window_begin_s=1,
        window_s=1,
        cpu={},
        generator_cpu_s=0.0001,
        connections=1,
        held_back=7,
        reasons={"look: answered 503": 1},
    )
    output = " ".join(sentences(Recording(Path("run.npz"), header, np.array([row], REQUEST))))

    assert "0 of 1 served" in output
    assert "1 times, warm-up included: look: answered 503" in output
    assert "7 requests had to wait: every connection was busy" in output
    assert "VOID: 99 % of slip is 100.0 ms, above 5 ms" in output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--workload probe --seconds inf", "seconds: Input should be a finite number"),
        ("--workload probe --keys absent.json", "absent.json does not hold API keys by name"),
        ("--workload shop --share order", "--share order: it is CLASS=SHARE, like order=0.6"),
        ("--workload shop --share order=many", "--share order=many: it is CLASS=SHARE"),
        ("--workload shop --share order=1.5", "shares.order: Input should be less than or"),
        ("--workload shop --share order=nan", "shares.order: Input should be "),
        ("--workload shop --share order=0.2 --share order=0.3", "order has a share already"),
        ("--workload shop --share oder=0.2 --keys KEYS", "no class oder among browse, order, "),
    ],
)
def test_wrong_option_of_load_is_refused_by_name(
    options: str, complaint: str, tmp_path: Path
) -> None:
    """The message names the option and what is wrong with it."""
    keys = tmp_path / "keys.json"
    keys.write_text('{"ada": "secret-of-ada"}')
    arguments = options.replace("KEYS", str(keys))
    done = CliRunner().invoke(app, f"load http://127.0.0.1:1 {arguments}")

    assert isinstance(done.exception, JobFailed)
    assert complaint in str(done.exception)


async def test_json_output_has_all_figures_of_the_table(bare: tuple[str, ...]) -> None:
    """One line of JSON holds the figures of the table, and each failure's reason and time.

    The command needs no extra, and writes only to a temporary folder.
    """
    async with server() as (url, _):
        options = ("--workload", "probe", "--rate", "100", "--seconds", "0.3", "--warm-up", "0.1")
        done = await asyncio.to_thread(
            subprocess.run,
            [*bare, "load", url, *options, "--json"],
            stdout=subprocess.PIPE,
            check=True,
        )
    (line,) = done.stdout.splitlines()
    found = LoadResult.model_validate_json(line)

    assert found.requests == found.served == found.classes["probe"].served > 10
    assert found.statuses == {200: found.requests}
    assert found.warm_up.requests > 0
    assert 0.2 < found.seconds < 10
    assert found.latency_ms.p50 is not None
    assert found.from_sent_ms.mean is not None
    assert found.slip_ms.mean is not None
    assert (found.reasons, found.first_failures) == ({}, ())


def test_json_output_has_each_failure() -> None:
    """With class, status, reason and time; the exit status is 1."""
    arguments = "--workload probe --rate 100 --seconds 0.2 --warm-up 0 --arrivals constant --json"
    done = CliRunner().invoke(app, f"load http://127.0.0.1:1 {arguments}")
    found = LoadResult.model_validate_json(done.stdout)

    assert done.exit_code == 1
    assert (found.served, found.failed, found.statuses) == (0, 20, {0: 20})
    assert found.latency_ms.mean is None
    (why,) = found.reasons
    assert why == f"probe: {found.first_failures[0].reason}"
    assert "no connection" in why
    assert [failure.at_s for failure in found.first_failures] == pytest.approx(
        [0.01 * number for number in range(20)], abs=0.02
    )


def test_bill_without_its_extra_is_refused_before_measuring(
    bare: tuple[str, ...], tmp_path: Path
) -> None:
    """The message names the missing packages and the extra."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and arguments
        [*bare, "demo", "--folder", str(tmp_path / "demo")],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "a bill needs jinja2, matplotlib, scipy" in done.stderr
    assert "borough-bill[report]" in done.stderr
    assert not (tmp_path / "demo").exists()
