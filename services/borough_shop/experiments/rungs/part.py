"""A part like any other, whose boundaries stand at a rung and move when a signal says so.

The door keeps its telemetry on every rung, as the monolith ships it: T0 is the shipped monolith and
T6 the shipped part of any other shape, both with no request traced. Calls within a part are direct
on every rung but T1, as calls to a neighbour always are.
"""

from collections.abc import Awaitable, Collection
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from borough.app import App
from borough.capability import Capability, Message
from borough.compose import PartBuilder
from borough.compose import build as compose
from borough.config import Settings
from borough.serving.lifecycle import Part
from borough.serving.server import run
from borough.transport.calls import remote
from borough_shop.app import APP
from borough_shop.experiments.rungs.boundaries import Coded, Plain, Unwatched
from borough_shop.experiments.rungs.ladder import RUNGS, Standing, Switch
from borough_telemetry import Telemetry

C = TypeVar("C", bound=Capability)


class RungBuilder(PartBuilder):
    """A part every boundary of which is the one of the rung where `standing` is."""

    def __init__(
        self, app: App, settings: Settings, telemetry: Telemetry, *, standing: Standing
    ) -> None:
        super().__init__(app, settings, telemetry)
        self.standing = standing

    def local(self, contract: type[C], service: C) -> C:
        direct = super().local(contract, service)
        coded = remote(contract, Coded(contract, direct))
        return self._whichever(contract, {"T1": coded}, otherwise=direct)

    def remote(self, contract: type[C], *, from_door: bool) -> C:
        self.standing.needs_network()
        plain = Plain(self.settings.peers[contract.name][0], self.wire)
        unwatched = cast(Telemetry, Unwatched(self.telemetry))
        resilient = self.peer(contract.name, unwatched, from_door=from_door)
        return self._whichever(
            contract,
            {"T3": remote(contract, plain), "T5": remote(contract, resilient)},
            otherwise=super().remote(contract, from_door=from_door),
        )

    def watched(self, app: ASGIApp, part: str) -> ASGIApp:
        self.standing.needs_network()
        standing, as_shipped = self.standing, super().watched(app, part)
        by_rung = tuple(app if rung in ("T3", "T5") else as_shipped for rung in RUNGS)

        def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            return by_rung[standing.index](scope, receive, send)

        return serve

    def _whichever(self, contract: type[C], boundaries: dict[str, C], *, otherwise: C) -> C:
        """Every call by the boundary of the rung, looked up as it is made: two look-ups a call."""
        standing = self.standing

        def caller(method: str) -> Any:
            calls = tuple(getattr(boundaries.get(rung, otherwise), method) for rung in RUNGS)

            def call(message: Message) -> Awaitable[Message]:
                return cast(Awaitable[Message], calls[standing.index](message))

            return call

        return cast(C, SimpleNamespace(**{name: caller(name) for name in contract.endpoints}))


async def build(
    settings: Settings,
    hosted: Collection[str],
    rung: str,
    *,
    builder: type[RungBuilder] = RungBuilder,
) -> Part:
    """Put a part together and let it follow the signals. Raises as `compose.build` does, and
    WrongSettings where the part cannot stand on that rung.
    """
    standing = Standing(rung)
    part = await compose(APP, settings, hosted, builder=partial(builder, standing=standing))
    switch = Switch(standing, part.telemetry)
    switch.facts.update(part.facts)
    switch.listen()
    return replace(part, facts=switch.facts)


def serve(settings: Settings, hosted: Collection[str], rung: str) -> None:
    """Serve it until it is told to stop."""
    run(partial(build, settings, hosted, rung), settings)
