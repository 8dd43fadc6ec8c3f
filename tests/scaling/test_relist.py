"""Is everything listed before anything is decided, and does one that fails spoil the others?"""

import asyncio
from collections.abc import Callable
from typing import Any

from borough_operator.kube.api import NotFound, Refused, Unreachable
from borough_operator.kube.cluster import WATCHED, Cluster, Resource
from borough_operator.running.registry import DEPLOYMENTS, SCALERS, Registry
from borough_operator.running.relist import RETRY_S, Relist
from scaling.stage import SHOP, Server
from scaling.virtual import virtually

PARK = "park"


class Lists(Cluster):
    """Counts the lists that are asked for, and refuses some."""

    def __init__(self) -> None:
        super().__init__(Server())
        self.asked: list[tuple[str, str, float]] = []
        self.refused: dict[tuple[str, str], Refused] = {}

    async def list_all(
        self, resource: Resource, namespace: str, keep: Callable[[Any], Any]
    ) -> tuple[list[Any], str]:
        place = resource.plural, namespace
        self.asked.append((*place, asyncio.get_running_loop().time()))
        await asyncio.sleep(0.5)
        if place in self.refused:
            raise self.refused[place]
        return [], "1"


def relist(cluster: Lists) -> Relist:
    return Relist(
        Registry(pods=False), cluster, WATCHED, (SHOP, PARK), every=300.0,
        clock=asyncio.get_running_loop().time, chance=lambda: 0.5,
    )  # fmt: skip  # what, where and when


async def run(listing: Relist, seconds: float) -> None:
    task = asyncio.create_task(listing.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_each_resource_of_each_namespace_is_listed_once_and_again() -> None:
    """At the start and every five minutes or so."""

    async def story() -> None:
        cluster = Lists()
        listing = relist(cluster)
        assert "not listed yet" in listing.problem()
        await run(listing, 310.0)
        assert len(cluster.asked) == 2 * len(WATCHED) * 2
        assert listing.all_tried.is_set()
        assert listing.problem() == ""

    virtually(story())


def test_a_list_that_is_refused_is_said_and_tried_again_soon() -> None:
    """The others are in; this one has a sentence until it comes."""

    async def story() -> None:
        cluster = Lists()
        cluster.refused[DEPLOYMENTS, PARK] = Refused("list deployments: forbidden")
        listing = relist(cluster)
        await run(listing, 4.0)
        assert listing.all_tried.is_set()
        assert listing.problem() == "list deployments: forbidden"
        cluster.refused.clear()
        await run(listing, RETRY_S)
        assert listing.problem() == ""

    virtually(story())


def test_it_knows_when_the_definition_is_not_there() -> None:
    """A 404 for scalers means that nobody may watch them yet, and no answer may mean it; a 403
    does not.
    """

    async def story() -> None:
        cluster = Lists()
        cluster.refused[SCALERS, SHOP] = NotFound(
            "the server could not find the requested resource"
        )
        cluster.refused[SCALERS, PARK] = cluster.refused[SCALERS, SHOP]
        listing = relist(cluster)
        await run(listing, 10.0)
        assert not listing.crd_known.is_set()
        cluster.refused[SCALERS, SHOP] = Unreachable("nobody answers")
        await run(listing, 10.0)
        assert not listing.crd_known.is_set()
        cluster.refused[SCALERS, SHOP] = Refused("forbidden")
        await run(listing, 10.0)
        assert listing.crd_known.is_set()

    virtually(story())


def test_an_api_server_that_is_away_for_a_while_makes_nothing_unreadable() -> None:
    """What was listed once is kept by its watch; what never was is not known at all."""

    async def story() -> None:
        cluster = Lists()
        listing = relist(cluster)
        cluster.refused[DEPLOYMENTS, PARK] = Unreachable("nobody answers")
        await run(listing, 4.0)
        assert listing.problem() == "nobody answers"
        cluster.refused = {(DEPLOYMENTS, SHOP): Unreachable("nobody answers")}
        await run(listing, 310.0)
        assert listing.problem() == ""

    virtually(story())
