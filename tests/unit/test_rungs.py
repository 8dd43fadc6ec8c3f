"""Does each rung of the ladder add what its name says, and nothing else?"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send

from borough import deadline
from borough.config import Settings, WrongSettings
from borough.errors import NotFound
from borough.testing.servers import listen, running
from borough.transport.calls import remote
from borough_shop.app import APP
from borough_shop.experiments.rungs.callee import (
    ANSWER,
    CALLEE,
    QUESTION,
    Callee,
    CalleeBuilder,
    FromMemory,
    HopFailed,
)
from borough_shop.experiments.rungs.hop import Plan, lost_spans, measure, summary
from borough_shop.experiments.rungs.ladder import RUNGS, Standing, Switch, signal_for
from borough_shop.experiments.rungs.part import Coded, RungBuilder, build
from borough_shop.inventory.contract import Inventory
from borough_shop.orders.contract import GetOrder, ListOrders, Orders, PlaceOrder
from borough_telemetry import Telemetry
from borough_telemetry.signals import SPANS_DROPPED
from collector import Collector
from peers import Peer, Ping, Replica
from recorded import RecordedSpans
from serving import until
from shop.memory import memory_shop
from shop.samples import a_profile, an_id, basket

CLIENT = 'http_client_request_duration_seconds_count{peer="inventory"'
SERVER = "http_server_request_duration_seconds_count{"
HOP = (sys.executable, "-m", "borough_shop.experiments.rungs", "hop")


@dataclass(slots=True)
class Hop:
    """A call over a socket, and what is observed of it at both ends."""

    site: RungBuilder
    switches: tuple[Switch, Switch]
    callee: Telemetry
    spans: RecordedSpans
    heard: list[dict[str, str]] = field(default_factory=list)

    def step(self, rung: str) -> None:
        for switch in self.switches:
            switch.step(rung)

    def observed(self) -> tuple[bool, bool, bool, int]:
        """Whether the call had a deadline, whether caller and callee counted it, and the number of
        spans.
        """
        self.site.telemetry.close()
        self.callee.close()
        spans = len(self.spans.get_finished_spans())
        return (
            deadline.HEADER in self.heard[-1],
            CLIENT in self.site.telemetry.exposition().decode(),
            SERVER in self.callee.exposition().decode(),
            spans,
        )


@asynccontextmanager
async def hop() -> AsyncIterator[Hop]:
    """Both ends in this process, with a socket between them."""
    spans = RecordedSpans()
    here, there = Standing("T3"), Standing("T3")
    far = Telemetry("callee", export=spans)
    callee_site = CalleeBuilder(CALLEE, Settings(), far, standing=there)
    callee_site.compose(["inventory"])
    heard: list[dict[str, str]] = []
    app = callee_site.internal_app("callee", [Inventory])

    async def overhear(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await app(scope, receive, send)

    async with running(overhear) as url:
        near = Telemetry("caller", export=spans)
        site = RungBuilder(APP, Settings(peers={"inventory": (url,)}), near, standing=here)
        try:
            yield Hop(site, (Switch(here, near), Switch(there, far)), far, spans, heard)
        finally:
            await site.close()
            await callee_site.close()
            near.close()
            far.close()


@pytest.mark.parametrize(
    ("rung", "observed"),
    [
        ("T3", (False, False, False, 0)),
        ("T5", (True, False, False, 0)),
        ("T6", (True, True, True, 0)),
        ("T7b", (True, True, True, 2)),
    ],
)
async def test_each_rung_adds_one_thing(rung: str, observed: tuple[bool, bool, bool, int]) -> None:
    """Bare HTTP; then a propagated deadline; then metrics; then a span at either end."""
    async with hop() as call:
        call.step(rung)
        assert await call.site.ask(Inventory).reserve(QUESTION) == ANSWER
        assert await asyncio.to_thread(call.observed) == observed


async def test_sampled_trace_is_recorded_at_both_ends() -> None:
    """On T7a the caller decides, and the callee follows."""
    async with hop() as call:
        call.step("T7a")
        ask = call.site.ask(Inventory)
        for _ in range(20):
            await ask.reserve(QUESTION)
        flags = [heard["traceparent"][-2:] for heard in call.heard]
        *_, spans = await asyncio.to_thread(call.observed)
        assert spans == 2 * flags.count("01")
        assert flags.count("00") > 10


async def test_encoding_preserves_answers_and_errors() -> None:
    """T1 calls the real services through the codec: paths, queries and errors are unchanged."""
    shop = memory_shop()
    await shop.profiles.upsert(a_profile())
    coded = remote(Orders, Coded(Orders, shop.orders))
    question = PlaceOrder(customer_id="ada", key="a/b?c=d", basket=basket(espresso=2))
    placed = (await coded.place(question)).order
    known = GetOrder(order_id=placed.order_id, customer_id="ada")
    assert await coded.get(known) == placed == await shop.orders.get(known)
    page = ListOrders(customer_id="ada", before=an_id(1), limit=3)
    assert await coded.list(page) == await shop.orders.list(page)
    gone = NotFound("it went", retry_after=3)
    with pytest.raises(NotFound) as error:
        await remote(Peer, Coded(Peer, Replica(fails=[gone]))).look(Ping())
    assert error.value is not gone
    assert error.value.problem() == gone.problem()


async def test_local_call_is_encoded_on_t1_only() -> None:
    """On every other rung the returned object is the very one that the callee returned."""
    telemetry = Telemetry("part", log_level="critical")
    standing = Standing("T0")
    switch = Switch(standing, telemetry)
    site = RungBuilder(APP, Settings(), telemetry, standing=standing)
    near = site.local(Inventory, FromMemory())
    same = []
    for rung in RUNGS:
        switch.step(rung)
        answer = await near.reserve(QUESTION)
        assert answer == ANSWER
        same += [rung] if answer is ANSWER else []
    assert same == [rung for rung in RUNGS if rung != "T1"]
    await site.close()


async def test_signal_switches_the_rung_and_readyz_confirms_it() -> None:
    """A part with remote calls ignores a signal for a rung below the network."""
    part = await build(Settings(), ["inventory"], "T6", app=CALLEE, builder=CalleeBuilder)
    try:
        assert part.facts.items() >= {"rung": "T6", "switches": 0, "faults": {}}.items()
        for rung in ("T3", "T1", "T7b"):
            os.kill(os.getpid(), signal_for(rung))
        await until(lambda: part.facts["switches"] == 2)
        assert part.facts["rung"] == "T7b"
        assert part.telemetry.ratio == 1
    finally:
        await part.close()


@pytest.mark.parametrize(
    ("rung", "sentence"),
    [("T2", "there is no rung T2; there are T0, T1, T3"), ("T1", "T1 knows no network")],
)
async def test_impossible_rung_is_refused_by_name(rung: str, sentence: str) -> None:
    """At start, before anything is served."""
    with pytest.raises(WrongSettings, match=sentence):
        await build(Settings(), ["inventory"], rung, app=CALLEE, builder=CalleeBuilder)


async def test_hop_is_measured_on_every_rung_in_every_block() -> None:
    """A line for each, with the CPU of both ends, written once all their spans are exported."""
    measured: list[dict[str, Any]] = []
    async with Collector() as collector:
        rungs = ("T0", "T3", "T7b")
        plan = Plan(rungs=rungs, blocks=2, calls=20, in_flight=2, otlp=collector.url)

        def write(line: str) -> None:
            measured.append(json.loads(line) | {"spans": len(collector.spans)})

        await measure(plan, write)
    assert sorted((m["block"], m["rung"]) for m in measured) == [
        (block, rung) for block in range(2) for rung in rungs
    ]
    for one in measured:
        assert 0 < one["p50_us"] <= one["p99_us"]
        assert one["cpu_caller_us"] > 0
        assert (one["cpu_callee_us"] > 0) == (one["rung"] != "T0")
    calls = 20 + 4  # with those that warm up
    assert [m["spans"] for m in measured if m["rung"] == "T7b"] == [2 * calls, 4 * calls]


async def test_log_of_a_dead_callee_is_quoted(tmp_path: Path) -> None:
    """The error names the callee and quotes the end of its log."""
    (log := tmp_path / "callee.log").write_text("no memory left\n")
    with listen() as closed:
        port = closed.getsockname()[1]
    process = cast(asyncio.subprocess.Process, None)
    far = Callee(url="", ops_port=port, process=process, log=log)
    with pytest.raises(HopFailed, match=r"the callee does not answer on its ops port .*\n.*memory"):
        await far.switch("T3")


def test_dropped_spans_are_reported() -> None:
    """To drop them is cheaper than to export them, which would falsify the measurement."""
    telemetry = Telemetry("caller")
    assert lost_spans(telemetry.exposition()) == []
    telemetry.count(SPANS_DROPPED, reason="queue_full")
    (line,) = lost_spans(telemetry.exposition())
    assert line.startswith('borough_spans_dropped_total{reason="queue_full"} 1')


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals a child at its parent's end"
)
async def test_callee_ends_with_a_killed_caller() -> None:
    """Also if the caller is killed."""
    measuring = subprocess.Popen([*HOP, "--rung", "T3"])  # noqa: ASYNC220, S603  # fixed arguments; it returns at once
    try:
        await until(lambda: _callees(measuring.pid) != [])
        (far,) = _callees(measuring.pid)
    finally:
        measuring.kill()
    assert measuring.wait() == -signal.SIGKILL
    await until(lambda: not _is_callee(far))


def _callees(pid: int) -> list[Path]:
    """The children of a process that run as callees."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    processes = [Path("/proc", child) for child in children]
    return [each for each in processes if _is_callee(each)]


def _is_callee(process: Path) -> bool:
    """Whether a running process is a callee; an ended one may be in /proc without a name."""
    try:
        return b"callee" in (process / "cmdline").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan(rungs=("T7b",)), "T7b exports spans: name a collector with --otlp"),
        (Plan(rungs=("T0",), callee_cpu=4_096), "--callee-cpu 4096: the CPUs to be had are"),
    ],
)
def test_impossible_plan_is_refused(plan: Plan, sentence: str) -> None:
    """The error says what is missing."""
    with pytest.raises(HopFailed, match=sentence):
        plan.check()


def test_quantiles_are_nearest_rank() -> None:
    """Nearest rank: of 1 to 100 the 50th and the 99th."""
    times = [float(number) for number in range(1, 101)]
    assert summary(times) == {"mean_us": 50.5, "p50_us": 50, "p99_us": 99}
