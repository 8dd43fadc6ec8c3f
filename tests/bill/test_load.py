"""Does `borough-bill load` say what happened, and what voids it?"""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from borough_bill.__main__ import app
from borough_bill.frozen import server
from borough_bill.generator import JobFailed
from borough_bill.load import sentences
from borough_bill.recording import REQUEST, Header, Recording


async def test_a_load_is_sent_and_its_records_are_kept(tmp_path: Path) -> None:
    """With the CPU of a process one asked for, and the keys of customers from a file."""
    workload, keys, out = tmp_path / "w.toml", tmp_path / "keys.json", tmp_path / "new" / "run.npz"
    workload.write_text("classes.look = { path = '/', headers = { key = '{{api_key}}' } }")
    keys.write_text(json.dumps({"ada": "secret-of-ada"}))
    async with server() as (url, pid):
        options = f"load {url} --workload {workload} --keys {keys} --pid {pid} --out {out}"
        pace = "--rate 200 --seconds 0.3 --warm-up 0.1 --arrivals constant"
        done = await asyncio.to_thread(CliRunner().invoke, app, f"{options} {pace}")

    assert "60 of 60 served, " in done.output
    assert f"process {pid}: " in done.output
    assert Recording.read(out).served == 60
    assert b"secret-of-ada" not in out.read_bytes()


def test_a_late_generator_and_wrong_answers_are_told() -> None:
    """Nobody has to look into the records to see that a run is worth nothing."""
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
    said = " ".join(sentences(Recording(Path("run.npz"), header, np.array([row], REQUEST))))

    assert "0 of 1 served" in said
    assert "1 times, warm-up included: look: answered 503" in said
    assert "7 requests had to wait: every connection was busy" in said
    assert "VOID: 99 % of slip is 100.0 ms, above 5 ms" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--workload probe --seconds inf", "seconds: Input should be a finite number"),
        ("--workload probe --keys absent.json", "absent.json does not hold API keys by name"),
    ],
)
def test_what_cannot_be_sent_is_refused(options: str, complaint: str) -> None:
    """With a sentence that names it."""
    done = CliRunner().invoke(app, f"load http://127.0.0.1:1 --out run.npz {options}")

    assert isinstance(done.exception, JobFailed)
    assert complaint in str(done.exception)
