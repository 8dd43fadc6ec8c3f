"""Are pods read directly, and misbehaving ones tolerated?"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.fetching import FORGET_AFTER
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.pods import ACCEPT, Pods
from borough_operator.sources.protocol import Ask, Target
from scaling.servers import Clock, serving

MAPPING = SeriesMapping(("staging",))
RATE, IN_FLIGHT = Need(Measure.RATE), Need(Measure.IN_FLIGHT)
ORDERS = Target("staging", "Deployment", "orders")
STEP = 5.0


@dataclass
class PodServer:
    """Targets whose pods are paths of one server."""

    url: str = ""
    requests: dict[str, int] = field(default_factory=dict)
    """The counter of each pod by its path. A pod without one does not respond."""
    of: dict[Target, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def addresses(self, target: Target) -> list[str]:
        return [f"{self.url}/{pod}" for pod in self.of.get(target, [])]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        pod = request.path.removeprefix("/")
        self.asked.append(pod)
        assert request.headers["Accept"] == ACCEPT
        match pod.rstrip("0123456789"):
            case "hangs":
                await asyncio.Event().wait()
            case "missing":
                return web.Response(status=404)
            case "page":
                return web.Response(text="http_server_active_requests lots\n")
            case "endless":
                return web.Response(body=b"#" * (5 << 20))
        return web.Response(
            text=f"http_server_request_duration_seconds_count {self.requests[pod]}\n"
            "http_server_active_requests 2\n"
        )


@pytest.fixture
async def server() -> AsyncIterator[PodServer]:
    server = PodServer()
    async with serving(server) as server.url:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def source(server: PodServer, clock: Clock) -> AsyncIterator[Pods]:
    source = Pods(server.addresses, MAPPING, clock=clock)
    yield source
    await source.close()


async def read(source: Pods, need: Need = RATE, target: Target = ORDERS) -> Reading:
    one = Ask(target, need)
    return (await source.read([one]))[one]


async def test_second_scrape_gives_a_rate(source: Pods, server: PodServer, clock: Clock) -> None:
    """Over all pods, since the first scrape; in-flight needs one scrape."""
    server.of[ORDERS] = ["a", "b"]
    server.requests = {"a": 1000, "b": 2000}
    assert await read(source, IN_FLIGHT) == Reading(Freshness.FRESH, 4)
    assert (await read(source)).detail.endswith("_count was read only once so far")
    server.requests = {"a": 1100, "b": 2050}
    clock.now += STEP
    assert await read(source) == Reading(Freshness.FRESH, 150 / STEP)


async def test_step_is_measured_by_the_second_scrape_after_it(
    source: Pods, server: PodServer, clock: Clock
) -> None:
    """Wherever between two scrapes it came, so a decision follows within two intervals."""
    server.of[ORDERS] = ["a"]
    rates = []
    for more in (0, 50, 50, 125, 200, 200):  # from 10 a second to 40, halfway between two looks
        server.requests["a"] = server.requests.get("a", 0) + more
        rates.append((await read(source)).value)
        clock.now += STEP
    assert rates == [0, 10, 10, 25, 40, 40]


async def test_pods_are_scraped_once_for_all_needs(
    source: Pods, server: PodServer, clock: Clock
) -> None:
    """And for a while for all callers."""
    server.of[ORDERS], server.requests = ["a"], {"a": 1}
    asks = [Ask(ORDERS, need) for need in (RATE, IN_FLIGHT, Need(Measure.DURATION))]
    await source.read(asks)
    clock.now += 0.4
    await asyncio.gather(*(source.read([one]) for one in asks))
    assert server.asked == ["a"]


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ("hangs", "did not respond"),
        ("missing", "returned 404"),
        ("page", "has lots for http_server_active_requests, which is not a quantity"),
        ("endless", "returned more than 4 MiB, the limit"),
    ],
)
async def test_misbehaving_pod_is_named_and_extrapolated(
    source: Pods, server: PodServer, pod: str, words: str
) -> None:
    """The third is taken to do as much as the two that respond."""
    server.of[ORDERS], server.requests = ["a", "b", pod], {"a": 0, "b": 0}
    reading = await read(source, IN_FLIGHT)
    assert reading.freshness is Freshness.FRESH
    assert reading.detail == f"1 of 3 pods returned no metrics: {server.url}/{pod} {words}"


async def test_hanging_pods_are_an_error_and_delay_no_other_target(
    source: Pods, server: PodServer
) -> None:
    """They time out together, and other targets are read meanwhile."""
    stuck = Target("staging", "Deployment", "stuck")
    server.of = {ORDERS: ["a"], stuck: [f"hangs{i}" for i in range(40)]}
    server.requests = {"a": 0}
    waiting = asyncio.create_task(read(source, IN_FLIGHT, stuck))
    assert (await read(source, IN_FLIGHT)).freshness is Freshness.FRESH
    assert not waiting.done()
    reading = await waiting
    assert reading.freshness is Freshness.ERROR
    assert reading.detail.startswith("40 of 40 pods returned no metrics: ")


async def test_query_goal_on_pods_is_an_error(source: Pods) -> None:
    """The reading says that it needs Prometheus."""
    reading = await read(source, Need(Measure.QUERY, "sum(queue)"))
    assert reading == Reading(
        Freshness.ERROR, detail="the source Pods has no PromQL: a Query goal needs Prometheus"
    )


async def test_target_that_is_not_read_is_dropped(
    source: Pods, server: PodServer, clock: Clock
) -> None:
    """With its counters, so that memory is bounded by the present scalers."""
    gone = Target("staging", "Deployment", "gone")
    server.of, server.requests = {ORDERS: ["a"], gone: ["a"]}, {"a": 0}
    await read(source, target=gone)
    for _ in range(2):
        clock.now += FORGET_AFTER
        await read(source)
    assert set(source._counters) == {ORDERS}  # noqa: SLF001  # its memory is tested
