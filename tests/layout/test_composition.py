"""Is an application put together in one place, and do the proofs notice a wire that is missing?

The proofs of the shop and of both examples run the composition that production runs. So a wire that
is left out of it must be found by them.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import loyalty
from borough.app import App
from borough.compose import Composition, Loop
from borough.config import Settings
from borough.testing import suites
from borough.testing.simulation import InMemory, microservices, plain_settings
from borough.testing.suites import Journey
from borough_shop.app import APP as SHOP
from examples.test_library import lending
from examples.test_loyalty import buying
from library.app import APP as LIBRARY
from shop.journeys import ENDINGS, ordering
from shop.simulation import SETTINGS

PROOFS: Mapping[str, tuple[App, Journey, Settings]] = {
    "shop": (SHOP, ordering(ENDINGS["placed"]), SETTINGS),
    "library": (LIBRARY, lending, plain_settings(LIBRARY)),
    "loyalty": (loyalty.APP, buying, plain_settings(loyalty.APP, pbkdf2_iterations=0)),
}
each_proof = pytest.mark.parametrize(("app", "journey", "settings"), PROOFS.values(), ids=PROOFS)
COMPOSE = "kit/borough/compose.py"


def loops(app: App, settings: Settings) -> tuple[str, ...]:
    """What runs in the background of an application: the relays and what settles."""
    part = InMemory(app, settings=settings)
    part.compose(app.contracts)
    return tuple(part.loops)


WIRES = [
    pytest.param(*proof, name, id=f"{of}, {name}")
    for of, proof in PROOFS.items()
    for name in loops(proof[0], proof[2])
]


@each_proof
async def test_proofs_find_nothing_in_the_composition(
    app: App, journey: Journey, settings: Settings
) -> None:
    """As it is."""
    assert await suites.crashes(app, microservices(app), journey, settings=settings) == []


@pytest.mark.parametrize(("app", "journey", "settings", "wire"), WIRES)
async def test_wire_that_is_left_out_of_the_composition_fails_the_proofs(
    app: App, journey: Journey, settings: Settings, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that no part runs, or a loop that settles what a crash left."""
    whole = Composition.background

    def background(part: Composition, name: str, loop: Loop) -> None:
        if name == wire:
            loop = _Idle()
        whole(part, name, loop)

    monkeypatch.setattr(Composition, "background", background)
    assert await suites.crashes(app, microservices(app), journey, settings=settings)


class _Idle:
    """A loop that is there and does nothing."""

    async def run(self) -> None: ...
    async def once(self) -> None: ...


@each_proof
async def test_consumer_that_the_composition_forgets_fails_the_proofs(
    app: App, journey: Journey, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of those that consume an event, left out of its routes."""
    whole = App.routes
    for consumer in {name for names in app.consumers.values() for name in names}:

        def routes(app: App, definition: Any, *, without: str = consumer) -> Any:
            found = whole(app, definition)
            return {kind: tuple(n for n in names if n != without) for kind, names in found.items()}

        monkeypatch.setattr(App, "routes", routes)
        assert await suites.crashes(app, microservices(app), journey, settings=settings), consumer


def put_together(source: str) -> Iterator[str]:
    """Where a source does what the composition alone does: it makes a relay, or a service by way
    of a definition.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "Relay" or called.endswith("definition.make"):
                yield called


def test_services_and_relays_are_made_by_the_composition_alone(root: Path) -> None:
    """There is no second place that puts them together: neither for tests that are shipped, nor for
    rungs and baselines.
    """
    packages = (root / "kit", root / "services", root / "examples")
    made = {
        path.relative_to(root).as_posix()
        for package in packages
        for path in package.rglob("*.py")
        if any(put_together(path.read_text()))
    }
    assert made == {COMPOSE}


def test_second_composition_is_found() -> None:
    """By either of the two."""
    assert list(put_together("relay = Relay(outbox=outbox)")) == ["Relay"]
    assert list(put_together("s = definition.make(self, store)")) == ["definition.make"]
