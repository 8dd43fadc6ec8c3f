"""Can two deployments be compared of which nothing is known but their URLs?"""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from borough_bill.__main__ import app
from borough_bill.attribution import ProcessGone
from borough_bill.bill import bill
from borough_bill.experiments.folder import Folder, WrongFolder
from borough_bill.experiments.foreign import (
    AGAIN,
    A,
    B,
    CannotCompare,
    Deployment,
    intend,
    introduce,
    measure,
)
from borough_bill.generator import Generator
from borough_bill.lines.latency import latency
from borough_bill.lines.runs import Runs, mean_latency, series
from borough_bill.results import Plan, Window, read
from borough_bill.statistics import difference
from borough_bill.wire import BadAddress

DELAY_MS = 60
"""Large enough to be seen in three short blocks, whatever else this machine does meanwhile."""
WORKLOAD = """
[data]
title = ["Emma", "Ulysses", "Middlemarch"]

[classes.order]
method = "POST"
path = "/orders"
headers = {Api-Key = "secret"}
json = {title = "{{title}}"}
expect = {status = 201, json = {state = "ordered"}}
"""


@dataclass
class Shop:
    """The bookshop as a process."""

    url: str
    pid: int

    @property
    def waited_ms(self) -> float:
        """What its orders really waited on average."""
        with urllib.request.urlopen(f"{self.url}/waited") as answer:  # noqa: S310  # our own server
            return float(answer.read())


@pytest.fixture(scope="module")
def shops() -> Iterator[tuple[Shop, Shop]]:
    """Two instances of the same app; the second one waits before it answers."""
    begun = [
        subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, str(Path(__file__).with_name("foreign.py")), str(delay)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for delay in (0, DELAY_MS)
    ]
    try:
        plain, slow = (Shop((p.stdout or sys.stdin).readline().strip(), p.pid) for p in begun)
        yield plain, slow
    finally:
        for process in begun:
            process.terminate()
            process.communicate()


def plan_of(workload: Path, **changed: object) -> Plan:
    """Three short blocks."""
    return Plan.model_validate(
        {
            "blocks": 3, "seconds": 0.4, "warm_up_s": 0.05, "rate": 100, "workload": str(workload),
            "reference": A, "again": AGAIN, "shapes": (B,),
        } | changed
    )  # fmt: skip  # one glance


@pytest.fixture
def workload(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A workload file for the bookshop; with something replaced, where the test says what."""
    path = tmp_path / "bookshop.toml"
    path.write_text(WORKLOAD.replace(*getattr(request, "param", ("", ""))))
    return path


class Interrupted(Exception):
    """What Ctrl-C stands for here."""


async def test_a_planted_delay_is_found_though_the_run_was_interrupted(
    shops: tuple[Shop, Shop], workload: Path, tmp_path: Path
) -> None:
    """Latency, CPU and memory of two strangers; blocks that were whole are not measured again."""
    plain, slow = shops
    deployments = {
        A: Deployment.at(plain.url, [plain.pid]),
        B: Deployment.at(slow.url, [slow.pid]),
    }
    folder, plan = Folder(tmp_path / "run"), plan_of(workload)
    heard: list[str] = []

    def tell(what: str, _: float) -> None:
        heard.append(what)
        if len(heard) == 3 + 2:  # the first block, and into the second
            raise Interrupted

    async with Generator() as generator:
        with pytest.raises(Interrupted):
            await measure(folder, intend(folder, plan, None), deployments, generator, tell)
        before = folder.windows()
        result = await measure(folder, intend(folder, plan, None), deployments, generator, tell)

    assert sum("block 1 of 3" in what for what in heard) == 3
    assert result.windows[:3] == before[:3]
    assert len(result.windows) == 9
    assert read(folder.path / "result.json") == result
    runs = Runs(result)
    line = next(latency(runs))
    assert line is not None
    (cell,) = line.cells
    assert cell.visible
    slower, faster = (series(runs.windows(name), mean_latency) for name in (B, A))
    interval = difference(slower, faster, level=0.999)  # at 95 % every twentieth time it is not in
    assert interval.low is not None
    assert interval.low <= slow.waited_ms <= (interval.high or 0)
    assert all(w.cpu_s and w.rss_mib and w.served == w.offered for w in result.windows)
    assert {check.name for check in bill(result).checks} >= {"slip", "A/A latency", "A/A CPU"}


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "nonsense"])
def test_what_is_no_url_is_named(url: str) -> None:
    """Before anything is measured."""
    with pytest.raises(BadAddress, match=url):
        Deployment.at(url)


def test_a_process_that_is_not_there_is_named() -> None:
    """CPU of nobody would be billed as nothing."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    with pytest.raises(ProcessGone, match=str(gone.pid)):
        Deployment.at("http://localhost", [os.getpid(), gone.pid])


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        (("secret", "wrong"), "b, http.*failed.*x order: answered 401"),
        (("classes.order", "classes"), "b, http.*workload .*classes"),
    ],
    indirect=["workload"],
)
async def test_answers_that_are_not_as_expected_are_told_before_the_first_block(
    shops: tuple[Shop, Shop], workload: Path, tmp_path: Path, words: str
) -> None:
    """Errors are cheap, and would win every comparison."""
    folder, deployments = Folder(tmp_path / "run"), {B: Deployment.at(shops[0].url)}

    async with Generator() as generator:
        with pytest.raises(CannotCompare, match=words):
            await introduce(
                folder,
                intend(folder, plan_of(workload), 7),
                deployments,
                generator,
                lambda *_: None,
            )


async def test_a_deployment_that_is_not_there_is_named(workload: Path, tmp_path: Path) -> None:
    """With its letter, its URL and what the network said."""
    folder = Folder(tmp_path / "run")
    intent = intend(folder, plan_of(workload), 7)

    async with Generator() as generator:
        with pytest.raises(CannotCompare, match=r"^a, http://127\.0\.0\.1:9: .*no connection"):
            await introduce(
                folder,
                intent,
                {A: Deployment.at("http://127.0.0.1:9")},
                generator,
                lambda *_: None,
            )


def test_an_interrupted_run_goes_on_with_its_own_options_only(
    workload: Path, tmp_path: Path
) -> None:
    """Blocks of two plans are not one measurement; where there are none yet, anything goes."""
    folder = Folder(tmp_path / "run")
    intend(folder, plan_of(workload, rate=50), 8)
    first = intend(folder, plan_of(workload), 7)
    folder.keep(Window(block=0, experiment="idle", subject=A, seconds=1))

    assert intend(folder, plan_of(workload), None) == first
    for plan, seed in ((plan_of(workload, rate=50), 7), (plan_of(workload), 8)):
        with pytest.raises(WrongFolder, match=r"run holds an unfinished run with other options"):
            intend(folder, plan, seed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"--a": "nonsense"}, "--a: nonsense is no address"),
        ({"--b": "http://h:port"}, "--b: http://h:port is no address"),
        ({"--pids-a": "12,x"}, "--pids-a: '12,x' are no pids"),
        ({"--pids-b": "4194305"}, "--pids-b: process 4194305"),  # above the kernel's largest
        ({"--workload": "gone.toml"}, "--workload: workload gone.toml cannot be read"),
        ({"--rate": "0"}, "--rate"),
    ],
)
def test_the_command_names_the_option_that_is_wrong(options: dict[str, str], words: str) -> None:
    """Before anything is started or written."""
    given = {"--a": "http://a", "--b": "http://b", "--workload": "probe"} | options

    result = CliRunner().invoke(app, ["compare", *(w for pair in given.items() for w in pair)])

    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", "").split()).replace(
        "Invalid value for ", ""
    )
