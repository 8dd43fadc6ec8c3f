"""Kopf's settings: it watches, and writes nothing.

Each value avoids a known failure: watches that stall without an error, a full list in one response,
a watcher that gives up, finalizers and annotations on users' objects.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import kopf

PAGE = 250
"""Objects in a page of the first list, and handled without a pause."""


class Backoffs(Iterable[float]):
    """Seconds between retries, without end: Kopf stops a watch whose backoffs are exhausted."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.25
        while True:
            yield pause * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not cryptography
            pause = min(10.0, pause * 2)


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last state of objects. Kopf compares with it for change handlers, of which there are
    none; the copy is most of the cost of an event.
    """

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def configure(settings: kopf.OperatorSettings) -> None:
    """Set every value that differs from Kopf's defaults."""
    settings.posting.enabled = False  # the operator writes its own Events
    settings.scanning.disabled = True  # it would list all namespaces and CRDs of the cluster
    settings.peering.standalone = True
    settings.watching.chunk_size = PAGE
    settings.watching.connect_timeout = 5.0
    settings.watching.server_timeout = 300  # an integer: the server refuses 300.0
    settings.watching.inactivity_timeout = 70.0  # bookmarks come every 60
    settings.networking.request_timeout = 60.0
    settings.networking.connect_timeout = 5.0
    settings.networking.error_backoffs = Backoffs()
    settings.queueing.idle_timeout = 0.5  # an idle worker keeps its last object in memory
    settings.queueing.error_delays = (1, 2, 5, 10, 30)
    settings.persistence.finalizer = "borough.dev/operator"  # unused: see handlers.py
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.process.ultimate_exiting_timeout = 20.0
