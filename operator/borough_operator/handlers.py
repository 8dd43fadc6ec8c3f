"""The Kopf handlers: they pass what the watches deliver to the operator.

Only on.startup, on.cleanup, on.login and on.event are used. Timers, daemons, indexes and handlers
of changes put finalizers and annotations on objects and need a task for each. on.event stores
nothing, so an object can be deleted while no operator runs.
"""

from collections.abc import Sequence
from typing import Any

import aiohttp
import kopf

from borough_operator.kube.credentials import Credentials
from borough_operator.running.wiring import Operator
from borough_operator.settings import configure


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
