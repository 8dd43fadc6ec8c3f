"""Can two deployments be compared by their URLs alone?"""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from borough_bill.__main__ import app
from borough_bill.analysis.bill import bill
from borough_bill.analysis.lines import latency
from borough_bill.analysis.runs import Runs, mean_latency, series
from borough_bill.analysis.statistics import difference
from borough_bill.experiments import foreign
from borough_bill.experiments.compare import planned
from borough_bill.experiments.folder import Folder, WrongFolder
from borough_bill.experiments.foreign import (
    A,
    B,
    CannotCompare,
    Deployment,
    first_requests,
    intend,
    measure,
)
from borough_bill.experiments.run import FREEZE
from borough_bill.load.generator import Generator
from borough_bill.load.wire import BadAddress
from borough_bill.report.sections import validity
from borough_bill.results import Freeze, Plan, Result, Window, read, write
from borough_bill.statuses import VOID
from borough_bill.targets.attribution import ProcessGone
from borough_bill.targets.machine import Placement

DELAY_MS = 60
"""Large enough to be significant in three short blocks on a busy machine."""
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
        """The mean wait of its orders, in ms."""
        with urllib.request.urlopen(f"{self.url}/waited") as answer:  # noqa: S310  # our own server
            return float(answer.read())


@pytest.fixture(scope="module")
def shops() -> Iterator[tuple[Shop, Shop]]:
    """Two instances of the same app; the second one waits before it answers."""
    processes = [
        subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, str(Path(__file__).with_name("foreign.py")), str(delay)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for delay in (0, DELAY_MS)
    ]
    try:
        plain, slow = (Shop((p.stdout or sys.stdin).readline().strip(), p.pid) for p in processes)
        yield plain, slow
    finally:
        for process in processes:
            process.terminate()
            process.communicate()


PLAIN = {A: Deployment.at("http://a"), B: Deployment.at("http://b")}


def plan_of(
    workload: Path,
    deployments: Mapping[str, Deployment] = PLAIN,
    rate: float = 100,
) -> Plan:
    """Three short blocks."""
    return planned(
        deployments, Placement.here(), workload=str(workload), rate=rate, seconds=0.4, blocks=3,
        most=3,
    )  # fmt: skip  # a plan at a glance


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """A workload file for the bookshop."""
    path = tmp_path / "bookshop.toml"
    path.write_text(WORKLOAD)
    return path


class Interrupted(Exception):
    """Takes the place of Ctrl-C."""


def test_known_delay_is_measured_by_an_interrupted_and_resumed_run(
    shops: tuple[Shop, Shop], workload: Path, tmp_path: Path
) -> None:
    """Latency, CPU and memory of two foreign deployments, by the command itself. Complete blocks
    are not measured again.
    """
    plain, slow = shops
    deployments = {
        A: Deployment.at(plain.url, [plain.pid]),
        B: Deployment.at(slow.url, [slow.pid]),
    }
    folder, plan = Folder(tmp_path / "run"), plan_of(workload, deployments)
    begun: list[str] = []

    def begin_stage(what: str, _: float) -> None:
        begun.append(what)
        if len(begun) == 3 + 2:  # the first block, and into the second
            raise Interrupted

    async def begin() -> None:
        async with Generator() as generator:
            await measure(folder, intend(folder, plan, None), deployments, generator, begin_stage)

    with pytest.raises(Interrupted):
        asyncio.run(begin())
    before = folder.windows()
    folder.put(FREEZE, Freeze(p95_s=0.5, p99_s=0.9))  # test_freeze takes the ten seconds
    ended = CliRunner().invoke(
        app,
        [
            *("compare", "--a", plain.url, "--b", slow.url, "--workload", str(workload)),
            *("--pids-a", str(plain.pid), "--pids-b", str(slow.pid), "--rate", "100"),
            *("--seconds", "0.4", "--blocks", "3", "--most-blocks", "3"),
            *("--folder", str(folder.path)),
        ],
    )

    result = read(folder.path / "result.json")
    found = bill(result)
    assert ended.exit_code == (VOID if found.void else 0), ended.output
    assert "block 1 ..." not in ended.stdout
    assert "block 3 ..." in ended.stdout
    assert result.windows[:3] == before[:3]
    assert len(result.windows) == 9
    runs = Runs(result)
    line = next(latency(runs))
    assert line is not None
    (cell,) = line.cells
    assert cell.differs or (cell.limit or 0) >= slow.waited_ms  # on a busy machine
    slower, faster = (series(runs.windows(name), mean_latency) for name in (B, A))
    interval = difference(slower, faster, level=0.999)  # at 95 % it fails one time in 20
    assert interval.low is not None
    assert interval.low <= slow.waited_ms <= (interval.high or 0)
    assert all(w.cpu_s and w.rss_mib and w.served == w.offered for w in result.windows)
    assert {check.name for check in found.checks} >= {"freeze", "slip", "A/A latency", "A/A CPU"}
    assert {one.family for one in found.families if not one.measured} == {"hops", "books"}
    assert validity(found) in " ".join(ended.stdout.split())
    assert (folder.path / "report.html").as_uri() in ended.stdout
    assert "SHA-256" in (folder.path / "bill.md").read_text()


def test_bill_of_a_comparison_is_printed_from_its_result(measured: Result, tmp_path: Path) -> None:
    """It has no ladder, no hops and no auditor."""
    plan = measured.plan.model_copy(update={"baseline": None, "top": None, "ladder": False})
    subjects = {plan.reference, plan.again, *plan.shapes}
    compared = measured.model_copy(
        update={
            "kind": "compare",
            "plan": plan,
            "windows": tuple(
                window.model_copy(update={"hops": {}, "transactions": {}})
                for window in measured.windows
                if window.experiment == "shapes" and window.subject in subjects
            ),
            "hop_ladder": (),
            "critical_path": None,
            "audits": {},
        }
    )
    write(compared, tmp_path / "result.json")

    again = CliRunner().invoke(app, ["report", str(tmp_path)])

    assert again.exit_code == 0, again.output
    text = again.stdout
    assert 0 < text.index("Valid: all") < text.index("Per order") < text.index("How it was")
    assert (tmp_path / "report.html").read_text().count("<svg") == 2
    assert json.loads((tmp_path / "bill.json").read_text())["kind"] == "compare"
    assert "The ladder" not in text


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "nonsense"])
def test_text_that_is_no_url_is_refused_by_name(url: str) -> None:
    """Before anything is measured."""
    with pytest.raises(BadAddress, match=url):
        Deployment.at(url)


def test_missing_process_of_a_deployment_is_refused_by_pid() -> None:
    """Its CPU would count as 0."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    with pytest.raises(ProcessGone, match=str(gone.pid)):
        Deployment.at("http://localhost", [os.getpid(), gone.pid])


async def introduced(folder: Path, workload: Path, deployments: Mapping[str, Deployment]) -> None:
    """Send the first requests, which precede the first block."""
    run = Folder(folder)
    intent = intend(run, plan_of(workload), 7)
    async with Generator() as generator:
        await first_requests(run, intent, deployments, generator, lambda *_: None)


def test_unexpected_answers_are_an_error_before_the_first_block(
    shops: tuple[Shop, Shop], workload: Path, tmp_path: Path
) -> None:
    """A deployment that only fails would seem cheap."""
    workload.write_text(WORKLOAD.replace("secret", "wrong"))
    deployments = {B: Deployment.at(shops[0].url)}

    with pytest.raises(CannotCompare, match=r"b, http.*failed.*x order: answered 401"):
        asyncio.run(introduced(tmp_path / "run", workload, deployments))


async def test_unreachable_deployment_is_refused_by_name(workload: Path, tmp_path: Path) -> None:
    """The message has its letter, its URL and the connection error."""
    deployments = {A: Deployment.at("http://127.0.0.1:9")}

    with pytest.raises(CannotCompare, match=r"^a, http://127\.0\.0\.1:9: .*no connection"):
        await introduced(tmp_path / "run", workload, deployments)


def test_interrupted_run_is_resumed_with_its_own_options_only(
    workload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of different plans, code or workloads are not one measurement. Without a block, any
    options are accepted.
    """
    folder = Folder(tmp_path / "run")
    intend(folder, plan_of(workload, rate=50), 8)
    plan = plan_of(workload)
    first = intend(folder, plan, 7)
    folder.keep(Window(block=0, experiment="idle", subject=A, seconds=1))
    with_pids = {**PLAIN, A: Deployment.at("http://a", [os.getpid()])}

    assert intend(folder, plan, None) == first
    workload.write_text(WORKLOAD.replace("Ulysses", "Dubliners"))
    refused = r"run holds an unfinished run with other options"
    for other, seed in (
        (plan_of(workload), 7),
        (plan.model_copy(update={"rate": 50}), 7),
        (plan.model_copy(update={"labels": plan_of(workload, with_pids).labels}), 7),
        (plan, 8),
    ):
        with pytest.raises(WrongFolder, match=refused):
            intend(folder, other, seed)
    monkeypatch.setattr(foreign, "commit", lambda: "0123abc")
    with pytest.raises(WrongFolder, match=refused):
        intend(folder, plan, 7)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"--a": "nonsense"}, "--a: nonsense is no address"),
        ({"--b": "http://h:port"}, "--b: http://h:port is no address"),
        ({"--pids-a": "12,x"}, "--pids-a: '12,x' are not pids"),
        ({"--pids-b": "4194305"}, "--pids-b: process 4194305"),  # above the kernel's largest
        ({"--workload": "gone.toml"}, "--workload: workload gone.toml cannot be read"),
        ({"--rate": "0"}, "--rate"),
        ({"--keys": "gone.json"}, "--keys: gone.json does not hold API keys"),
        ({"--a": "k8s://shops"}, "--a: k8s://shops is not a release like k8s://NAMESPACE/RELEASE"),
        ({"--a": "k8s://s/b", "--pids-a": "1"}, "--pids-a: the pods of k8s://s/b expose their"),
        ({"--b": "k8s://s/b"}, "--a, --b: a release is compared with a release"),
    ],
)
def test_wrong_option_is_refused_by_its_name(options: dict[str, str], text: str) -> None:
    """Before anything is started or written."""
    given = {"--a": "http://a", "--b": "http://b", "--workload": "probe"} | options

    result = CliRunner().invoke(app, ["compare", *(w for pair in given.items() for w in pair)])

    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", "").split()).replace(
        "Invalid value for ", ""
    )
