"""Is everything listed before the first decision, and does a failed list affect no other?"""

import asyncio
from collections.abc import Callable
from typing import Any

from borough_operator.kube.api import NotFound, Refused, Unreachable
from borough_operator.kube.cluster import WATCHED, Cluster, Resource
from borough_operator.running.registry import DEPLOYMENTS, SCALERS, Registry
from borough_operator.running.relist import RETRY_S, Relist
from scaling.stage import SHOP, Server
from scaling.virtual import run_virtually

OTHER = "park"


class Lists(Cluster):
    """Records the requested lists, and refuses some."""

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
        Registry(pods=False), cluster, WATCHED, (SHOP, OTHER), every=300.0,
        clock=asyncio.get_running_loop().time, chance=lambda: 0.5,
    )  # fmt: skip  # a table


async def run(listing: Relist, seconds: float) -> None:
    task = asyncio.create_task(listing.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_every_resource_is_listed_at_the_start_and_periodically() -> None:
    """In each namespace, about every five minutes."""

    async def scenario() -> None:
        cluster = Lists()
        listing = relist(cluster)
        assert "not listed yet" in listing.problem()
        await run(listing, 310.0)
        assert len(cluster.asked) == 2 * len(WATCHED) * 2
        assert listing.all_tried.is_set()
        assert listing.problem() == ""

    run_virtually(scenario())


def test_refused_list_is_reported_and_retried_soon() -> None:
    """The other lists are complete meanwhile."""

    async def scenario() -> None:
        cluster = Lists()
        cluster.refused[DEPLOYMENTS, OTHER] = Refused("list deployments: forbidden")
        listing = relist(cluster)
        await run(listing, 4.0)
        assert listing.all_tried.is_set()
        assert listing.problem() == "list deployments: forbidden"
        cluster.refused.clear()
        await run(listing, RETRY_S)
        assert listing.problem() == ""

    run_virtually(scenario())


def test_missing_definition_is_recognised_by_404_only() -> None:
    """After a 404 for scalers no watch can be opened, and no response may mean the same; a 403 does
    not.
    """

    async def scenario() -> None:
        cluster = Lists()
        cluster.refused[SCALERS, SHOP] = NotFound(
            "the server could not find the requested resource"
        )
        cluster.refused[SCALERS, OTHER] = cluster.refused[SCALERS, SHOP]
        listing = relist(cluster)
        await run(listing, 10.0)
        assert not listing.crd_known.is_set()
        cluster.refused[SCALERS, SHOP] = Unreachable("no response")
        await run(listing, 10.0)
        assert not listing.crd_known.is_set()
        cluster.refused[SCALERS, SHOP] = Refused("forbidden")
        await run(listing, 10.0)
        assert listing.crd_known.is_set()

    run_virtually(scenario())


def test_unreachable_server_keeps_resources_that_were_listed() -> None:
    """A resource that was never listed is unreadable."""

    async def scenario() -> None:
        cluster = Lists()
        listing = relist(cluster)
        cluster.refused[DEPLOYMENTS, OTHER] = Unreachable("no response")
        await run(listing, 4.0)
        assert listing.problem() == "no response"
        cluster.refused = {(DEPLOYMENTS, SHOP): Unreachable("no response")}
        await run(listing, 310.0)
        assert listing.problem() == ""

    run_virtually(scenario())
