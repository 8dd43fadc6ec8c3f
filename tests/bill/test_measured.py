"""Is a rung charged for the work after its windows, and not for polling?"""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from borough_bill.experiments.measured import MeasuredShape
from borough_bill.results import RUNGS, Rung
from borough_bill.targets import attribution
from borough_bill.targets.processes import PartDied, Ports, Process
from borough_bill.targets.shapes import LocalShape

LOOK_S, EXPORT_S = 0.003, 0.05


@dataclass
class Exporter:
    """A process with a simulated clock: a poll costs LOOK_S, the first export EXPORT_S."""

    name: str = "gateway-0"
    used: float = 0.0
    switches: int = 0
    left: float = EXPORT_S
    rung: Rung = "T7b"
    pending: int = 0

    def signal(self, number: int) -> None:
        """Export what is left, which is visible after three polls; at once if nothing is left."""
        self.rung = RUNGS[number - signal.SIGRTMIN]
        self.pending = 3 if self.left else 0
        self.used, self.left = self.used + self.left, 0.0

    def facts(self) -> dict[str, Any]:
        """Its facts; reading them is a poll."""
        self.used += LOOK_S
        self.pending -= 1
        if self.pending < 0:
            self.switches += 1
        return {"rung": self.rung, "switches": self.switches}


@dataclass
class OneProcess:
    """A deployment of one such process."""

    only: Exporter = field(default_factory=Exporter)

    @property
    def processes(self) -> tuple[Exporter, ...]:
        """The one process."""
        return (self.only,)

    @property
    def pids(self) -> Mapping[str, int]:
        """The one process."""
        return {self.only.name: 1}

    async def facts(self) -> tuple[dict[str, Any], ...]:
        """The facts of the one process."""
        return (self.only.facts(),)

    async def expositions(self) -> tuple[str, ...]:
        """Metrics that do not change."""
        return ("",)


async def test_only_the_export_is_charged_after_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU of signals and polling, which other rungs do not have, is subtracted."""
    local = OneProcess()
    monkeypatch.setattr(attribution, "cpu_seconds", lambda _: local.only.used)
    shape = MeasuredShape(cast(LocalShape, local), {}, poll_every_s=0)
    await shape.switch_to("T7b")
    local.only.left = EXPORT_S

    assert await shape.settle() == {"gateway-0": pytest.approx(EXPORT_S)}


@dataclass
class Relay(OneProcess):
    """A deployment whose relay pauses: `delivered` are its deliveries at each poll."""

    delivered: list[int] = field(default_factory=lambda: [2, 2, 2, 3])
    looks: int = 0

    async def expositions(self) -> tuple[str, ...]:
        """Three orders, and the deliveries that were made by this poll."""
        delivered = self.delivered[min(self.looks, len(self.delivered) - 1)]
        self.looks += 1
        counts = {
            'borough_orders_total{outcome="placed",reason=""}': 3,
            'borough_orders_total{outcome="rejected",reason="out-of-stock"}': 4,
            'borough_outbox_deliveries_total{result="sent"}': delivered,
            'borough_outbox_deliveries_total{result="failed"}': 5,
        }
        return ("\n".join(f"{name} {value}" for name, value in counts.items()),)


@pytest.mark.parametrize(("relays", "polls", "looks"), [(True, 1, 4), (False, 1, 2), (False, 5, 6)])
async def test_window_ends_when_every_placed_order_was_delivered(
    relays: bool,  # noqa: FBT001  # a row of the table
    polls: int,
    looks: int,
) -> None:
    """Equal counters in two polls are not enough where a relay may pause between deliveries. Later
    deliveries would be missing from the hops of the window. Where the deliveries that are due are
    not known, the counters have to be equal in more polls.
    """
    local = Relay()

    await MeasuredShape(
        cast(LocalShape, local), {}, relays=relays, unchanged_polls=polls, poll_every_s=0
    ).settle()

    assert local.looks == looks


def test_processes_are_read_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a process cannot read the CPU clock and the memory of others."""
    shape = MeasuredShape(cast(LocalShape, OneProcess()), {})
    read = dict(shape.pids)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert read == {"gateway-0": 1}
    assert shape.pids == {}


async def test_part_on_another_rung_is_refused_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the line of a rung would be measured on another."""
    local = OneProcess(Exporter(rung="T3"))
    local.shape = type("Shape", (), {"name": "microservices"})  # type: ignore[attr-defined]  # only its name is read
    monkeypatch.setattr(local.only, "signal", lambda _: None)
    shape = MeasuredShape(cast(LocalShape, local), {}, poll_every_s=0, switched_within_s=0.01)

    with pytest.raises(PartDied, match="not every part of microservices is on rung T6"):
        await shape.switch_to("T6")


async def test_part_that_died_between_windows_is_named_with_its_log(tmp_path: Path) -> None:
    """Its clock is not read between windows, and a connection error has no name."""
    log = tmp_path / "log"
    log.write_text("out of memory\n")
    ports = Ports()
    dead = Process("orders", 0, ("orders",), ports=ports, environment={}, log=log)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(PartDied, match=r"part orders-0 does not answer /metrics(.|\n)*memory"):
            await dead.metrics(http)
    ports.release()
