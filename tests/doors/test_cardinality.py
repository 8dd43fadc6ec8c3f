"""Can requests make a part keep an unbounded number of series?

Every series costs at every scrape. So clients without a key send random paths, hosts,
methods, queries, keys, ids and trace contexts. The requests go over real sockets, since the label
of a route depends on the server as well.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr

from borough import shapes
from borough_shop.app import APP
from borough_telemetry import Telemetry
from borough_telemetry.signals import SERVER_DURATION, UNMATCHED
from collector import Collector
from parts import RunningShape, running_shape, settings_with

REQUESTS = 1_000
AT_A_TIME = 50
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
    *("PROPFIND", "M-SEARCH", "LINK", "PURGE", "REPORT", "MKCOL", "SUBSCRIBE", "UNLOCK"),
)
"""The standard ones, and others that the server lets pass."""
EXEMPLAR = 128
"""Characters an exemplar may have, by the standard."""


@pytest.fixture
async def running(sqlite_url: str) -> AsyncIterator[RunningShape]:
    """A part with a door and one that only others call, neither of them with a short deadline."""
    settings = settings_with(
        APP,
        store=SecretStr(sqlite_url),
        api_keys={"ada": SecretStr("key-of-ada")},
        rate_limit_per_s=1e6,
        rate_limit_burst=1_000_000,
        log_level="error",
    )
    shape = shapes.load(APP.calls, APP.shapes)["extract-payments"]
    async with Collector() as collector:
        settings = settings.model_copy(update={"otlp_endpoint": collector.url})
        async with running_shape(APP, shape, settings) as running:
            yield running


class RandomClient:
    """Sends what comes to mind, and remembers it."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.words: set[str] = set()

    def word(self) -> str:
        """Something that was never there before."""
        word = f"{self._chance.getrandbits(60):x}"
        self.words.add(word)
        return word

    def _path(self) -> str:
        order = str(UUID(int=self._chance.getrandbits(128), version=4))
        self.words.add(order)
        return self._chance.choice(
            (
                f"/{self.word()}",
                f"/v1/{self.word()}?{self.word()}={self.word()}",
                f"/v1/orders/{order}",
                f"/v1/orders/{self.word()}",
                f"/v1/orders?before={order}",
                f"/payments/{self.word()}",
                f"//{self.word()}/../v1/menu",
            )
        )

    def requests(self) -> Iterator[bytes]:
        """Each method as often as any other, so that only the rest is left to chance."""
        for number in range(REQUESTS):
            lines = (
                f"{METHODS[number % len(METHODS)]} {self._path()} HTTP/1.1",
                f"host: {self.word()}.example",
                f"user-agent: {self.word()}",
                f"x-api-key: {self._chance.choice(('key-of-ada', self.word()))}",
                f"idempotency-key: {self.word()}",
                f"traceparent: 00-{self._chance.getrandbits(128):032x}-{number + 1:016x}-01",
                "connection: close" if number % AT_A_TIME == AT_A_TIME - 1 else "accept: */*",
            )
            yield ("\r\n".join(lines) + "\r\n\r\n").encode()


async def visit(url: str, client: RandomClient) -> None:
    """Send every request to this address, some dozens on each connection."""
    place = urlsplit(url)
    wanted = list(client.requests())
    for start in range(0, REQUESTS, AT_A_TIME):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.writelines(wanted[start : start + AT_A_TIME])
        answers = await reader.read(-1)
        assert answers.count(b"HTTP/1.1 ") == AT_A_TIME
        writer.close()
        await writer.wait_closed()


def series(telemetry: Telemetry) -> int:
    """How many a scraper would find."""
    return sum(not line.startswith(b"#") for line in telemetry.exposition().splitlines())


@pytest.mark.parametrize("part", ["app", "payments"])
async def test_unknown_paths_and_hosts_add_no_series(running: RunningShape, part: str) -> None:
    """The first thousand may show every method, route and status once; a second thousand, with
    nothing in common with the first, adds none. No word of theirs is a label, and what exemplars
    hold is theirs only in its length.
    """
    telemetry = running.parts[part].telemetry
    url = running.doors[part] if part in running.doors else running.inner[part]
    first, second = RandomClient(1), RandomClient(2)
    await visit(url, first)
    before = series(telemetry)
    await visit(url, second)

    assert series(telemetry) == before
    exposed = telemetry.exposition().decode()
    assert not [word for word in first.words | second.words if word in exposed]
    samples = [s for family in text_string_to_metric_families(exposed) for s in family.samples]
    of_requests = [s for s in samples if s.name == f"{SERVER_DURATION.name}_count"]
    assert sum(s.value for s in of_requests) == 2 * REQUESTS
    methods = {s.labels["http_request_method"] for s in of_requests}
    assert methods == {*METHODS[:8], "_OTHER"}
    assert UNMATCHED in {s.labels["http_route"] for s in of_requests}
    exemplars = [s.exemplar.labels for s in samples if s.exemplar]
    assert exemplars
    assert all(sum(map(len, (*e, *e.values()))) <= EXEMPLAR for e in exemplars)
