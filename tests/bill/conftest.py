"""A synthetic measurement with known costs and seeded noise."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pytest
from aiohttp import web

from borough_bill.results import (
    RUNGS,
    CriticalPath,
    Freeze,
    Hop,
    HopRung,
    Machine,
    Plan,
    Result,
    Rung,
    Summary,
    Window,
)
from borough_shop.app import APP

Serve = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]

CAPABILITIES = tuple(APP.contracts)
PARTS = {
    "monolith": ("app",),
    "monolith-again": ("app",),
    "apis": ("catalogue", "ordering", "members"),
    "extract-payments": ("app", "payments"),
    "microservices": ("gateway", *CAPABILITIES),
    "baseline": ("baseline",),
}
SHAPES = tuple(name for name in PARTS if name.partition("-")[0] not in {"monolith", "baseline"})
"""Those that are measured beside the monolith."""
ORDERS, SECONDS = 60, 2.0


@dataclass(frozen=True)
class Synthetic:
    """The known costs: mean latency (ms) and CPU (us) of an order, by subject and by rung."""

    seed: int = 4
    blocks: int = 10
    noise: float = 0.02
    latency_ms: Mapping[str, float] = field(
        default_factory=lambda: {
            "monolith": 6.0,
            "monolith-again": 6.0,
            "apis": 6.8,
            "extract-payments": 6.9,
            "microservices": 9.5,
            "baseline": 2.5,
        }
    )
    cpu_us: Mapping[str, float] = field(
        default_factory=lambda: {
            "monolith": 4000,
            "monolith-again": 4000,
            "apis": 4500,
            "extract-payments": 4600,
            "microservices": 6600,
            "baseline": 1500,
        }
    )
    rungs_ms: tuple[float, ...] = (6.0, 6.3, 8.4, 9.2, 9.5, 9.55, 10.4)
    rungs_us: tuple[float, ...] = (4000, 4200, 5700, 6300, 6600, 6650, 7300)
    handler_us: float = 400.0
    slip_ms: float = 0.15

    def plan(self) -> Plan:
        """The plan: six subjects and the ladder."""
        return Plan(
            blocks=self.blocks,
            seconds=SECONDS,
            warm_up_s=0.4,
            rate=30,
            workload="orders",
            noun="order",
            reference="monolith",
            again="monolith-again",
            shapes=SHAPES,
            baseline="baseline",
            top="microservices",
            settings={"BOROUGH_SQLITE_SYNCHRONOUS": "NORMAL"},
            placement="subjects on core 0, the generator on core 1",
        )

    def result(self) -> Result:
        """A complete result with these costs."""
        chance = np.random.default_rng(self.seed)
        return Result(
            kind="preliminary",
            created=datetime(2026, 3, 1, 12, tzinfo=UTC),
            seed=self.seed,
            commit="0123abc",
            machine=Machine(
                cpu="a made-up CPU",
                cores=2,
                memory_gib=8,
                kernel="Linux 6.1",
                python="CPython 3.11.7",
                packages={"aiohttp": "3.14.5"},
            ),
            plan=self.plan(),
            windows=tuple(self._windows(chance)),
            hop_ladder=tuple(self._hops(chance)),
            freeze=Freeze(p95_s=0.501, p99_s=0.903),
            critical_path=CriticalPath(
                traces=500, path_ms=10.2, hop_ms=3.3, hops=4.0, edges={"payments.charge": 0.8}
            ),
            audits={shape: () for shape in PARTS if shape != "baseline"},
            notes=("Made up, for a test.",),
        )

    def _windows(self, chance: np.random.Generator) -> Iterator[Window]:
        for block in range(self.blocks):
            block_factor = chance.normal(1, 0.05)  # shared by all subjects of the block
            order_factors = chance.gamma(9, 1 / 9, ORDERS)  # likewise, one for each order
            for subject, ms in self.latency_ms.items():
                cpu_us = self.cpu_us[subject] * chance.normal(1, self.noise)
                parts = PARTS.get(subject, (subject,))
                yield self._window(
                    chance, order_factors, block_factor * ms, cpu_us, parts, block=block,
                    experiment="shapes", subject=subject,
                    hops=self._edges(subject),
                    rss_mib={f"{part}-0": 80 + chance.normal(0, 0.4) for part in parts},
                    pss_mib={f"{part}-0": 45 + chance.normal(0, 0.4) for part in parts},
                    transactions={"orders": 4 * ORDERS} if subject != "baseline"
                    else {"orders": ORDERS},
                )  # fmt: skip  # a table of what a window holds
            for rung, ms, cpu_us in zip(RUNGS, self.rungs_ms, self.rungs_us, strict=True):
                yield self._window(
                    chance, order_factors, block_factor * ms,
                    cpu_us * chance.normal(1, self.noise), ("app",),
                    block=block, experiment="ladder", subject="microservices", rung=rung,
                )  # fmt: skip  # likewise
        for block in range(5):
            for subject in self.latency_ms:
                busy = 0.004 * len(PARTS.get(subject, "x")) * chance.normal(1, 0.05)
                yield Window(
                    block=block,
                    experiment="idle",
                    subject=subject,
                    seconds=1.0,
                    cpu_s={"app-0": busy},
                )

    def _window(
        self,
        chance: np.random.Generator,
        order_factors: np.ndarray,
        ms: float,
        cpu_us: float,
        parts: tuple[str, ...],
        **facts: object,
    ) -> Window:
        times = ms * order_factors * chance.normal(1, self.noise) / 1000
        slip = self.slip_ms * chance.gamma(9, 1 / 9, ORDERS) / 1000
        return Window.model_validate(
            {
                "seconds": SECONDS,
                "offered": ORDERS,
                "served": ORDERS,
                "latency": Summary.of(times, sketch=True),
                "from_sent": Summary.of(times - slip / 10),
                "slip": Summary.of(slip, sketch=True),
                "cpu_s": {f"{part}-0": cpu_us * ORDERS / 1e6 / len(parts) for part in parts},
                "generator_cpu_s": 0.02,
                **facts,
            }
        )

    def _edges(self, subject: str) -> dict[str, Hop]:
        """Payments is remote in two shapes, and called once by every order."""
        if subject not in ("extract-payments", "microservices"):
            return {}
        handler = self.handler_us * ORDERS / 1e6
        return {
            "payments.charge": Hop(
                calls=ORDERS,
                total_s=handler + 700e-6 * ORDERS,
                server_s=handler + 250e-6 * ORDERS,
                handler_s=handler,
            )
        }

    def _hops(self, chance: np.random.Generator) -> Iterator[HopRung]:
        rungs: dict[Rung, float] = dict(zip(RUNGS, (8, 60, 420, 520, 560, 565, 640), strict=True))
        for block, pause in product(range(5), (0, 20)):
            for rung, us in rungs.items():
                mean = us * chance.normal(1, self.noise) * (3 if pause else 1)
                yield HopRung(
                    block=block,
                    rung=rung,
                    in_flight=1,
                    pause_ms=pause,
                    calls=1000,
                    mean_us=mean,
                    p50_us=mean * 0.95,
                    p99_us=mean * 2,
                    cpu_caller_us=mean * 0.4,
                    cpu_callee_us=mean * 0.4,
                )


@pytest.fixture(scope="session")
def synthetic() -> Synthetic:
    """The costs that tests use, changed by `dataclasses.replace`."""
    return Synthetic()


@pytest.fixture(scope="session")
def measured(synthetic: Synthetic) -> Result:
    """A valid result."""
    return synthetic.result()


Planting = Callable[..., Result]


@pytest.fixture(scope="session")
def planted(synthetic: Synthetic) -> Planting:
    """Makes a result with other costs, given by name."""

    def plant(**differences: object) -> Result:
        return replace(synthetic, **differences).result()  # type: ignore[arg-type]  # by name, checked at run time

    return plant


BARE = """
import sys
sys.modules.update(dict.fromkeys(["jinja2", "matplotlib", "scipy"]))  # so that importing them fails
from borough_bill.__main__ import main
main()
"""


@pytest.fixture
def bare() -> tuple[str, ...]:
    """The command line of `borough-bill` where its extra is not installed."""
    return sys.executable, "-c", BARE


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves a handler for every path on a free port, and returns the base URL."""
    async with AsyncExitStack() as stack:

        async def serve(handler: Callable[[web.Request], Awaitable[web.Response]]) -> str:
            app = web.Application()
            app.router.add_get("/{path:.*}", handler)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield serve
