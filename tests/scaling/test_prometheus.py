"""Does every ask get a reading with its freshness, by few queries?"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.fetching import FORGET_AFTER
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.prometheus import SHARED_FOR, Prometheus
from borough_operator.sources.protocol import Ask, Target
from scaling.servers import Clock, Scripted, of_workloads, serving, vector

MAPPING = SeriesMapping(("staging",))
RATE, IN_FLIGHT, DURATION = (Need(m) for m in (Measure.RATE, Measure.IN_FLIGHT, Measure.DURATION))


def ask(name: str, need: Need = RATE) -> Ask:
    return Ask(Target("staging", "Deployment", name), need)


def query(promql: str) -> Ask:
    return ask("orders", Need(Measure.QUERY, promql))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def script() -> Scripted:
    return Scripted()


@pytest.fixture
async def source(script: Scripted, clock: Clock) -> AsyncIterator[Prometheus]:
    async with serving(script) as url:
        source = Prometheus(url, MAPPING, clock=clock)
        yield source
        await source.close()


def set_series(script: Scripted, need: Need, value: object, age: object = 1) -> None:
    """Set value and age of one target, orders."""
    script.answers[MAPPING.value(need)] = of_workloads("staging", orders=value)
    script.answers[MAPPING.age(need.measure)] = of_workloads("staging", orders=age)


async def test_thousand_targets_need_five_queries(source: Prometheus, script: Scripted) -> None:
    """A value and an age for each of two measures, and one for silent pods, reused."""
    asks = [ask(f"part-{i}", need) for i in range(1000) for need in (RATE, IN_FLIGHT)]
    assert len(await source.read(asks)) == 2000
    await asyncio.gather(*(source.read([one]) for one in asks[:50]))
    assert len(script.asked) == len(set(script.asked)) == 5


async def test_result_is_reused_for_its_time_only(
    source: Prometheus, script: Scripted, clock: Clock
) -> None:
    """Its age grows until it is read again."""
    set_series(script, RATE, 40)
    before = await source.read([ask("orders")])
    set_series(script, RATE, 80)
    clock.now += SHARED_FOR
    within = await source.read([ask("orders")])
    clock.now += 0.1
    after = await source.read([ask("orders")])
    assert [reading[ask("orders")] for reading in (before, within, after)] == [
        Reading(Freshness.FRESH, 40, 1),
        Reading(Freshness.FRESH, 40, 1 + SHARED_FOR),
        Reading(Freshness.FRESH, 80, 1),
    ]


async def test_stopped_scrape_is_stale_and_later_empty(
    source: Prometheus, script: Scripted, clock: Clock
) -> None:
    """Whether its samples age or disappear, for as long as Prometheus's own lookback."""
    set_series(script, RATE, 40, age=MAPPING.window)
    assert (await source.read([ask("orders")]))[ask("orders")].freshness is Freshness.FRESH
    clock.now += SHARED_FOR + 1
    set_series(script, RATE, 40, age=MAPPING.window + 1)
    assert (await source.read([ask("orders")]))[ask("orders")] == Reading(
        Freshness.STALE, 40, 16, "the newest sample is 16 s old"
    )
    script.answers.clear()
    clock.now += 10
    assert (await source.read([ask("orders")]))[ask("orders")] == Reading(
        Freshness.STALE, 40, 28, "no pod responded to a scrape for 28 s"
    )
    clock.now += FORGET_AFTER
    assert (await source.read([ask("orders")]))[ask("orders")].freshness is Freshness.EMPTY


async def test_target_without_series_is_empty(source: Prometheus) -> None:
    """The detail names the series."""
    assert (await source.read([ask("orders")]))[ask("orders")].detail.endswith(
        "no series http_server_request_duration_seconds_count"
        "{namespace='staging', workload='orders'}"
    )


async def test_silent_pods_make_a_sum_stale(source: Prometheus, script: Scripted) -> None:
    """The sum lacks their load, so it must not remove a replica."""
    set_series(script, RATE, 40)
    script.answers[MAPPING.silent()] = of_workloads("staging", orders=2)
    reading = (await source.read([ask("orders")]))[ask("orders")]
    assert (reading.freshness, reading.value) == (Freshness.STALE, 40)
    assert "pods that do not respond to scrapes: 2" in reading.detail


@pytest.mark.parametrize(
    ("need", "value", "freshness", "detail"),
    [
        (RATE, 0, Freshness.FRESH, ""),
        (DURATION, "NaN", Freshness.EMPTY, "no request completed within 15 s"),
        (RATE, "NaN", Freshness.EMPTY, "has fewer than two samples within 15 s"),
        (
            IN_FLIGHT,
            -1,
            Freshness.ERROR,
            "returned the negative value -1 for http_server_act",
        ),
        (DURATION, "+Inf", Freshness.ERROR, "returned Inf"),
    ],
)
async def test_idle_target_has_rate_zero_and_no_duration(  # noqa: PLR0913  # a table
    source: Prometheus,
    script: Scripted,
    *,
    need: Need,
    value: object,
    freshness: Freshness,
    detail: str,
) -> None:
    """The duration of no requests is empty."""
    set_series(script, need, value)
    reading = (await source.read([ask("orders", need)]))[ask("orders", need)]
    assert reading.freshness is freshness
    assert detail in reading.detail


async def test_query_is_sent_once_and_fails_alone(source: Prometheus, script: Scripted) -> None:
    """Two scalers with one query share it; a failing query affects no other."""
    script.answers["sum(queue)"] = vector(({}, 12))
    script.answers["queue"] = vector(({"q": "a"}, 1), ({"q": "b"}, 2))
    other = Ask(Target("staging", "Deployment", "payments"), Need(Measure.QUERY, "sum(queue)"))
    asks = [query("sum(queue)"), other, query("queue"), query("nothing")]
    readings = await source.read(asks)
    assert [readings[one].freshness for one in asks] == [
        Freshness.FRESH,
        Freshness.FRESH,
        Freshness.ERROR,
        Freshness.EMPTY,
    ]
    assert readings[asks[0]].value == 12
    assert readings[asks[2]].detail.endswith(
        "2 series where one is needed: use sum(); the query was queue"
    )
    assert sorted(script.asked) == ["nothing", "queue", "sum(queue)"]


async def test_hanging_query_delays_no_other_target(script: Scripted, clock: Clock) -> None:
    """Other targets are read meanwhile."""
    released = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if "slow" in str((await request.post())["query"]):
            await released.wait()
        return await script(request)

    async with serving(handler) as url:
        source = Prometheus(url, MAPPING, clock=clock)
        set_series(script, RATE, 40)
        hanging = asyncio.create_task(source.read([query("slow")]))
        readings = await source.read([ask("orders"), query("quick")])
        assert [reading.freshness for reading in readings.values()] == [
            Freshness.FRESH,
            Freshness.EMPTY,
        ]
        assert not hanging.done()
        released.set()
        assert (await hanging)[query("slow")].freshness is Freshness.EMPTY
        await source.close()
