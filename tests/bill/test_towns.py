"""Is a rung charged what its windows left to do, and not what it took to find that out?"""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from borough_bill.experiments import towns
from borough_bill.experiments.towns import Town, Waits
from borough_bill.results import RUNGS, Rung
from borough_bill.targets.processes import PartDied, Ports, Process
from borough_bill.targets.shapes import LocalShape

LOOK_S, EXPORT_S = 0.003, 0.05
AT_ONCE = Waits(look_every_s=0)


@dataclass
class Exporter:
    """A process whose clock is made up: a look costs LOOK_S, the first export EXPORT_S."""

    name: str = "gateway-0"
    used: float = 0.0
    switches: int = 0
    left: float = EXPORT_S
    rung: Rung = "T7b"
    pending: int = 0

    def signal(self, number: int) -> None:
        """Export what there is; it takes three looks, and none where nothing is left."""
        self.rung = RUNGS[number - signal.SIGRTMIN]
        self.pending = 3 if self.left else 0
        self.used, self.left = self.used + self.left, 0.0

    def facts(self) -> dict[str, Any]:
        """What it says when it is looked at."""
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
        """It alone."""
        return (self.only,)

    @property
    def pids(self) -> Mapping[str, int]:
        """It alone."""
        return {self.only.name: 1}

    async def facts(self) -> tuple[dict[str, Any], ...]:
        """Of it alone."""
        return (self.only.facts(),)

    async def expositions(self) -> tuple[str, ...]:
        """Nothing changes."""
        return ("",)


async def test_only_the_export_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals, waiting and looking are on no other rung, so they are taken off again."""
    local = OneProcess()
    monkeypatch.setattr(towns, "cpu_seconds", lambda _: local.only.used)
    town = Town(cast(LocalShape, local), {}, waits=AT_ONCE)
    await town.arm("T7b")
    local.only.left = EXPORT_S

    assert await town.settle() == {"gateway-0": pytest.approx(EXPORT_S)}


@dataclass
class Relay(OneProcess):
    """A deployment whose relay rests: it says the same in every look until the last of `told`."""

    told: list[int] = field(default_factory=lambda: [2, 2, 2, 3])
    looks: int = 0

    async def expositions(self) -> tuple[str, ...]:
        """Three orders, and as many deliveries as have been made by this look."""
        told = self.told[min(self.looks, len(self.told) - 1)]
        self.looks += 1
        counts = {
            'borough_orders_total{outcome="placed",reason=""}': 3,
            'borough_orders_total{outcome="rejected",reason="out-of-stock"}': 4,
            'borough_outbox_deliveries_total{result="sent"}': told,
            'borough_outbox_deliveries_total{result="failed"}': 5,
        }
        return ("\n".join(f"{name} {value}" for name, value in counts.items()),)


@pytest.mark.parametrize(("relays", "still", "looks"), [(True, 1, 4), (False, 1, 2), (False, 5, 6)])
async def test_a_window_ends_when_every_placed_order_was_told_of(
    relays: bool,  # noqa: FBT001  # a row of the table
    still: int,
    looks: int,
) -> None:
    """That nothing moves between two looks is not enough where a relay may rest, and all there is
    where none relays: what is told later would be missing from the window's hops. Where it cannot
    be known what is to be told, nothing moves for longer.
    """
    local = Relay()

    await Town(cast(LocalShape, local), {}, relays=relays, still=still, waits=AT_ONCE).settle()

    assert local.looks == looks


def test_processes_are_read_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux lets others read the CPU clock and the memory of a process."""
    town = Town(cast(LocalShape, OneProcess()), {})
    read = dict(town.pids)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert read == {"gateway-0": 1}
    assert town.pids == {}


async def test_a_part_on_another_rung_is_waited_for_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That it switched is not enough: a line would stand for a rung nobody stood on."""
    local = OneProcess(Exporter(rung="T3"))
    local.shape = type("Shape", (), {"name": "microservices"})  # type: ignore[attr-defined]  # its name is all that is asked for
    monkeypatch.setattr(local.only, "signal", lambda _: None)
    waits = replace(AT_ONCE, switched_within_s=0.01)

    with pytest.raises(PartDied, match="not every part of microservices stands on rung T6"):
        await Town(cast(LocalShape, local), {}, waits=waits).arm("T6")


async def test_a_part_that_died_after_its_window_is_named_and_quoted(tmp_path: Path) -> None:
    """Between two windows nobody reads its clock, and a refused connection names nobody."""
    log = tmp_path / "log"
    log.write_text("out of memory\n")
    ports = Ports()
    dead = Process("orders", 0, ("orders",), ports=ports, environment={}, log=log)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(PartDied, match=r"part orders-0 does not answer /metrics(.|\n)*memory"):
            await dead.metrics(http)
    ports.release()
