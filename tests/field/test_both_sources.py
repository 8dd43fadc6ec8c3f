"""Do a real Prometheus and direct scrapes give the same readings?

Simulated pods count at their own rate and are scraped by both.
"""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.pods import Pods
from borough_operator.sources.prometheus import Prometheus
from borough_operator.sources.protocol import Ask, Source, Target
from dashboards.prometheus import scraping
from scaling.servers import HOST
from waiting import becomes

SCRAPE = 0.5
MAPPING = SeriesMapping(("staging",), window=3 * SCRAPE)
PACE = 50.0
"""Requests a second of each pod."""

PODS = {
    "steady": ("staging", 2),
    "idle": ("staging", 1),
    "unreachable": ("staging", 1),
    "halved": ("staging", 2),
    "stopped": ("staging", 1),
    "abroad": ("elsewhere", 1),
}
"""Workloads: their namespace, and how many pods."""
RATE, IN_FLIGHT, DURATION = (Need(m) for m in (Measure.RATE, Measure.IN_FLIGHT, Measure.DURATION))
P75 = Need(Measure.QUANTILE, "0.75")


class Pod(BaseHTTPRequestHandler):
    """A pod is a path: /WORKLOAD/NUMBER. Half of its requests take 50 ms, half 150."""

    started = time.monotonic()
    silent: frozenset[str] = frozenset()
    """Paths that do not answer any more."""

    def do_GET(self) -> None:
        workload = self.path.split("/")[1]
        if self.path in self.silent or workload == "unreachable":
            self.send_error(503)
            return
        count = 100.0
        if workload != "idle":
            count += PACE * (time.monotonic() - self.started)
        name = "http_server_request_duration_seconds"
        text = (
            f'{name}_bucket{{le="0.1"}} {count / 2}\n{name}_bucket{{le="0.2"}} {count}\n'
            f'{name}_bucket{{le="+Inf"}} {count}\n{name}_count {count}\n{name}_sum {count / 10}\n'
            "http_server_active_requests 3\n"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")  # Prometheus 3 wants to know
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it has there
        """Say nothing."""


@pytest.fixture(scope="module")
def pods() -> Iterator[str]:
    """The base URL of all pods."""
    server = ThreadingHTTPServer((HOST, 0), Pod)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"{HOST}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def url(pods: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes them."""
    jobs = [
        {
            "job_name": f"{workload}-{number}",
            "metrics_path": f"/{workload}/{number}",
            "static_configs": [
                {"targets": [pods], "labels": {"namespace": namespace, "workload": workload}}
            ],
            "scrape_interval": f"{round(SCRAPE * 1000)}ms",
            "scrape_timeout": f"{round(SCRAPE * 1000)}ms",
        }
        for workload, (namespace, count) in PODS.items()
        for number in range(count)
    ]
    with scraping(jobs, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


def ask(workload: str, need: Need) -> Ask:
    return Ask(Target("staging", "Deployment", workload), need)


def fresh(reading: Reading) -> bool:
    return reading.freshness is Freshness.FRESH


def saying(freshness: Freshness, words: str = "") -> Callable[[Reading], bool]:
    """Of that freshness, with these words in its detail."""
    return lambda reading: reading.freshness is freshness and words in reading.detail


def near(value: float) -> Callable[[Reading], bool]:
    """Fresh, and the value but for what sampling blurs. At first a pod or two may be missing."""
    return lambda reading: fresh(reading) and reading.value == pytest.approx(value, rel=0.2)


async def until(source: Source, one: Ask, so: Callable[[Reading], bool]) -> Reading:
    """The first reading that is so."""

    async def look() -> Reading | None:
        reading = (await source.read([one]))[one]
        return reading if so(reading) else None

    found = await becomes(look)
    assert found is not None
    return found


@pytest.fixture
async def prometheus(url: str) -> AsyncIterator[Prometheus]:
    source = Prometheus(url, MAPPING)
    yield source
    await source.close()


@pytest.fixture
async def direct(pods: str) -> AsyncIterator[Pods]:
    def addresses(target: Target) -> list[str]:
        return [f"http://{pods}/{target.name}/{n}" for n in range(PODS[target.name][1])]

    source = Pods(addresses, MAPPING)
    yield source
    await source.close()


@pytest.mark.parametrize("name", ["prometheus", "direct"])
async def test_both_sources_read_the_same_values(
    prometheus: Prometheus, direct: Pods, name: str
) -> None:
    """Rate, in-flight, duration and quantile of two pods, within what sampling blurs; and of an
    idle one zero, and no duration.
    """
    source: Source = prometheus if name == "prometheus" else direct
    for need, value in {RATE: 2 * PACE, IN_FLIGHT: 6.0, DURATION: 0.1, P75: 0.15}.items():
        reading = await until(source, ask("steady", need), near(value))
        assert reading.age < MAPPING.window
    assert (await until(source, ask("idle", RATE), fresh)).value == 0
    for need in (DURATION, P75):
        await until(source, ask("idle", need), saying(Freshness.EMPTY, "no request completed"))


async def test_query_result_is_read_as_it_is(prometheus: Prometheus) -> None:
    """By a real Prometheus: a number, nothing, or an error in a sentence that names the query."""
    expected = {
        "42": (Freshness.FRESH, ""),
        "sum(http_server_active_requests)": (Freshness.FRESH, ""),
        "absent_metric": (Freshness.EMPTY, "returned an empty result"),
        "up": (Freshness.ERROR, "series where one is needed: use sum(); the query was up"),
        '"text"': (Freshness.ERROR, 'returned a string, not a number; the query was "text"'),
        "up[1m]": (Freshness.ERROR, "returned a matrix, not a number; the query was up[1m]"),
        "vector(0)/vector(0)": (Freshness.ERROR, "returned NaN; the query was vector(0)/vector(0)"),
        "sum(": (Freshness.ERROR, "parse error"),
    }
    await until(prometheus, ask("steady", IN_FLIGHT), fresh)
    asks = {promql: ask("steady", Need(Measure.QUERY, promql)) for promql in expected}
    readings = await prometheus.read(list(asks.values()))
    for promql, (freshness, words) in expected.items():
        reading = readings[asks[promql]]
        assert reading.freshness is freshness, promql
        assert words in reading.detail


async def test_silent_pods_are_stale_and_absent_ones_empty(
    prometheus: Prometheus,
) -> None:
    """One pod of two, and all of them; one that never answered, one of a namespace not watched."""
    for workload, (_, count) in PODS.items():
        if workload in ("halved", "stopped", "steady"):
            await until(prometheus, ask(workload, RATE), near(count * PACE))
    Pod.silent = frozenset({"/halved/1", "/stopped/0"})
    await until(prometheus, ask("stopped", RATE), saying(Freshness.STALE, "no pod responded"))
    await until(
        prometheus, ask("halved", RATE), saying(Freshness.STALE, "do not respond to scrapes: 1")
    )
    await until(prometheus, ask("steady", RATE), fresh)
    never = [ask("unreachable", RATE), ask("abroad", RATE)]
    readings = await prometheus.read(never)
    assert [readings[one].freshness for one in never] == [Freshness.EMPTY, Freshness.EMPTY]
