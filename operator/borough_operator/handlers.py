"""Kopf's part: it watches and tells us what it sees, and nothing else.

Only on.startup, on.cleanup, on.login and on.event are used. Timers, daemons, indexes and handlers
of changes put finalizers and annotations on objects and cost tasks for each; on.event stores
nothing, so that an object can always be deleted and an operator that is down is in nobody's way.
"""

from collections.abc import Sequence
from typing import Any

import aiohttp
import kopf

from borough_operator.kube.credentials import Credentials
from borough_operator.running.wiring import Operator
from borough_operator.settings import configure


def registry(operator: Operator, credentials: Credentials) -> kopf.OperatorRegistry:
    """The handlers of one operator; nothing is global."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        """As our own client does, so that both trust the same servers. Kopf closes the session, and
        asks for another when a token was refused.
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

    async def seen(resource: kopf.Resource, event: kopf.RawEvent, **_: Any) -> None:
        operator.seen(resource.plural, event["type"], event["object"])

    for each in operator.resources:
        kopf.on.event(each.group, each.version, each.plural, registry=handlers)(seen)
    return handlers


async def serve(operator: Operator, credentials: Credentials, namespaces: Sequence[str]) -> None:
    """Watch these namespaces until SIGTERM, or until the operator has failed. Raises OSError where
    the ops port is taken: here, since Kopf would try a start that fails again, each minute.
    """
    try:
        await operator.serve()
        await kopf.operator(
            registry=registry(operator, credentials),
            namespaces=namespaces,
            standalone=True,
            # Without peers nobody hears it, but else Kopf asks the system for the user's name.
            identity="borough-operator",  # type: ignore[arg-type]  # a NewType it keeps to itself
            stop_flag=operator.over,
        )
    finally:
        await operator.stop()  # Kopf cleans up only after a start that came to its end
