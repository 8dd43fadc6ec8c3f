"""The Kopf handlers: they pass what the watches deliver to the operator.

Only on.startup, on.cleanup, on.login and on.event are used. Timers, daemons, indexes and handlers
of changes put finalizers and annotations on objects and need a task for each. on.event stores
nothing, so an object can be deleted while no operator runs. Kopf's settings avoid known failures:
watches that stall without an error, a full list in one response, a watcher that gives up.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import aiohttp
import kopf

from borough_operator.kube.credentials import Credentials
from borough_operator.running.wiring import Operator

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
    settings.persistence.finalizer = "borough.dev/operator"  # unused, as said above
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.process.ultimate_exiting_timeout = 20.0


def registry(operator: Operator, credentials: Credentials) -> kopf.OperatorRegistry:
    """The handlers of one operator, in a registry of its own."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        """A session with the operator's own credentials. Kopf closes it, and logs in again when a
        token was refused.
        """
        credentials.token.forget()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=credentials.ssl_context()),
            headers=credentials.headers(),
        )
        return kopf.AiohttpSession(server=credentials.server, aiohttp_session=session)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await operator.start()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await operator.stop()

    async def on_event(resource: kopf.Resource, event: kopf.RawEvent, **_: Any) -> None:
        operator.on_event(resource.plural, event["type"], event["object"])

    for each in operator.resources:
        kopf.on.event(each.group, each.version, each.plural, registry=handlers)(on_event)
    return handlers


async def serve(operator: Operator, credentials: Credentials, namespaces: Sequence[str]) -> None:
    """Watch these namespaces until SIGTERM or a failure of the operator.

    Raises OSError where the ops port is taken. It is bound here, since Kopf would retry a failed
    startup handler each minute.
    """
    try:
        await operator.serve()
        await kopf.operator(
            registry=registry(operator, credentials),
            namespaces=namespaces,
            standalone=True,
            # Unused without peering; without it Kopf looks up the user's name.
            identity="borough-operator",  # type: ignore[arg-type]  # a NewType it keeps to itself
            stop_flag=operator.ended,
        )
    finally:
        await operator.stop()  # Kopf calls on.cleanup only after a complete startup
