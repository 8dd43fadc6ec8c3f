"""How Kopf is to behave here: it watches, and writes nothing.

Each value stands against a known way to go wrong: deaf watches, a full list in one answer, a
watcher that gives up, finalizers and annotations on everybody's objects.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import kopf

PAGE = 250
"""Objects of one answer to the first list; they are also what is handled in a row."""


class Backoffs(Iterable[float]):
    """Seconds between tries, without end: a watcher that gave up would be deaf for good."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.25
        while True:
            yield pause * random.uniform(0.5, 1.5)  # noqa: S311  # it spreads load, and keeps no secret
            pause = min(10.0, pause * 2)


class NothingStored(kopf.DiffBaseStorage):
    """Kopf compares an object with what it was for handlers of changes. There are none here, and
    the copy it would make of every object is most of what an event costs.
    """

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing."""


def configure(settings: kopf.OperatorSettings) -> None:
    """Set everything in which we differ from Kopf's defaults."""
    settings.posting.enabled = False  # our own Events say more, and are one a change
    settings.scanning.disabled = True  # else it lists all namespaces and CRDs of the cluster
    settings.peering.standalone = True
    settings.watching.chunk_size = PAGE
    settings.watching.connect_timeout = 5.0
    settings.watching.server_timeout = 300  # a whole number: 300.0 would be refused
    settings.watching.inactivity_timeout = 70.0  # bookmarks come every 60
    settings.networking.request_timeout = 60.0
    settings.networking.connect_timeout = 5.0
    settings.networking.error_backoffs = Backoffs()
    settings.queueing.idle_timeout = 0.5  # each idle worker holds the object it saw last
    settings.queueing.error_delays = (1, 2, 5, 10, 30)
    settings.persistence.finalizer = "borough.dev/operator"  # never used: see handlers
    settings.persistence.diffbase_storage = NothingStored()
    settings.process.ultimate_exiting_timeout = 20.0
