"""An application as data: its capabilities, their calls, its doors, and its shapes.

    APP = App(
        name="library",
        version="1.0",
        capabilities=(catalog.CAPABILITY, loans.CAPABILITY),
        gateway=Gateway(calls=(Catalog, Loans), make=doors),
        shapes=Path(__file__).with_name("shapes.toml"),
        objectives=Path(__file__).with_name("slo.toml"),
    )

`borough.compose` puts it together, in production and in every test.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.resources.abc import Traversable
from inspect import getfile
from pathlib import Path
from typing import Any

from borough import shapes
from borough.audit import Law
from borough.capability import Capability
from borough.config import Settings, with_fields_of
from borough.events import Event
from borough.objectives import Objectives, WrongObjectives
from borough.objectives import read as read_objectives
from borough.outbox import Routes
from borough.signals import OURS
from borough_telemetry.signals import Signal

GATEWAY = "gateway"
"""The capability that has the doors: it calls others, and stores nothing."""


class WrongApp(Exception):
    """An inconsistent application; the message names what is wrong with it."""


async def _at_rest(store: Any) -> bool:
    return not hasattr(store, "at_rest") or bool(await store.at_rest())


async def _ledger(store: Any) -> Any:
    return await store.ledger() if hasattr(store, "ledger") else ()


def _store(_part: Any, store: Any) -> Capability:
    service: Capability = store
    return service


@dataclass(frozen=True, kw_only=True, eq=False)
class Definition:
    """One capability of an application.

    `sql(database)` makes the store; where the capability publishes events, its outbox is passed
    too. Tests run `sql` over a database in memory, or `memory()`, which has the same interface.
    `make(part, store)` makes the service: it takes its store and never opens one, and gets from the
    part what else it needs (`borough.compose.Composition`). Without it the store is the service.
    `calls` are the contracts that the service asks for. `consumes` names, for each kind of event,
    the contract's method that takes it. `settings` is a model whose fields are read from the
    environment beside those of the kit.

    For the auditor (`borough.audit`): `ledger(store)` reads all rows, by default with the method of
    that name where the store has one, `laws` find violations in the ledgers of all capabilities,
    and `counts(ledger)` returns the number of rows of each kind; `at_rest(store)` returns whether
    no work is in progress, and `until(store)` how long it may last.
    """

    contract: type[Capability]
    sql: Callable[..., Any]
    memory: Callable[..., Any] | None = None
    make: Callable[[Any, Any], Capability] = _store
    calls: tuple[type[Capability], ...] = ()
    publishes: tuple[type[Event], ...] = ()
    consumes: Mapping[type[Event], str] = field(default_factory=dict)
    settings: type[Any] | None = None
    signals: tuple[Signal, ...] = ()
    laws: tuple[Law, ...] = ()
    ledger: Callable[[Any], Awaitable[Any]] = _ledger
    counts: Callable[[Any], Mapping[str, int]] | None = None
    at_rest: Callable[[Any], Awaitable[bool]] = _at_rest
    until: Callable[[Any], Awaitable[datetime | None]] | None = None

    @property
    def name(self) -> str:
        """The name of the contract."""
        return self.contract.name

    @property
    def migrations(self) -> Path:
        """The revisions of the schema: the folder beside the module that declares the contract."""
        return Path(getfile(self.contract)).with_name("migrations")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gateway:
    """The doors. `make(part)` returns the public ASGI app; `openapi(part)` its document."""

    calls: tuple[type[Capability], ...]
    make: Callable[[Any], Any]
    settings: type[Any] | None = None
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class App:
    """An application. `shapes` and `objectives` are TOML files (`borough.shapes`,
    `borough.objectives`); `seed(stores, options)` writes the initial rows into the stores, and
    returns a sentence. Raises WrongApp where its pieces do not fit together.
    """

    name: str
    version: str
    capabilities: tuple[Definition, ...]
    shapes: Traversable
    gateway: Gateway | None = None
    seed: Callable[[Mapping[str, Any], Mapping[str, str]], Awaitable[str]] | None = None
    objectives: Traversable | None = None

    def __post_init__(self) -> None:
        names = [definition.name for definition in self.capabilities]
        if twice := sorted({name for name in names if names.count(name) > 1 or name == GATEWAY}):
            raise WrongApp(f"{self.name}: {', '.join(twice)} cannot be a capability twice")
        for caller, callees in self.calls.items():
            if unknown := sorted(callees - set(names)):
                raise WrongApp(f"{self.name}: {caller} calls {', '.join(unknown)}: there is none")
        for definition in self.capabilities:
            for event, method in definition.consumes.items():
                if method not in definition.contract.endpoints:
                    raise WrongApp(f"{definition.name} has no method {method} for {event.name}")
        self.in_order  # noqa: B018  # raises WrongApp for a cycle
        self._check_objectives()

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """Every capability but the gateway, by name."""
        return {definition.name: definition for definition in self.capabilities}

    @cached_property
    def contracts(self) -> Mapping[str, type[Capability]]:
        """The contract of every capability but the gateway, by name."""
        return {definition.name: definition.contract for definition in self.capabilities}

    @cached_property
    def calls(self) -> Mapping[str, frozenset[str]]:
        """Callees by caller, event deliveries included; the base of policies, traces and charts."""
        calls = {} if self.gateway is None else {GATEWAY: _names(self.gateway.calls)}
        for definition in self.capabilities:
            consumers = {c for kind in definition.publishes for c in self.consumers[kind]}
            calls[definition.name] = _names(definition.calls) | consumers
        return calls

    @cached_property
    def consumers(self) -> Routes:
        """The consumers of each kind of event, in the order of the application."""
        published = {kind for definition in self.capabilities for kind in definition.publishes}
        return {
            kind: tuple(d.name for d in self.capabilities if kind in d.consumes)
            for kind in published
        }

    def routes(self, definition: Definition) -> Routes:
        """The consumers of what this capability publishes."""
        return {kind: self.consumers[kind] for kind in definition.publishes}

    @cached_property
    def in_order(self) -> tuple[Definition, ...]:
        """Every capability, those that are called before those that call them."""
        graph = {name: callees for name, callees in self.calls.items() if name != GATEWAY}
        try:
            names = tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise WrongApp(f"{self.name}: capabilities call each other: {circle}") from None
        return tuple(self.definitions[name] for name in names)

    @cached_property
    def settings(self) -> type[Settings]:
        """The settings model: the fields of the kit and of every capability."""
        own = [d.settings for d in (*self.capabilities, self.gateway) if d and d.settings]
        return with_fields_of(*own)

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        """The metrics that parts expose beside the signals of telemetry."""
        own = [signal for definition in self.capabilities for signal in definition.signals]
        doors = () if self.gateway is None else self.gateway.signals
        return (*OURS, *own, *doors)

    @cached_property
    def objectives_by_name(self) -> Mapping[str, Objectives]:
        """The objectives by the name of a capability or of a part. Raises WrongApp."""
        try:
            return {} if self.objectives is None else read_objectives(self.objectives)
        except WrongObjectives as error:
            raise WrongApp(f"{self.name}: {error}") from None

    def objectives_of(self, part: str, hosted: Sequence[str]) -> Objectives | None:
        """Those of a part of a shape: its own, or those of the doors where it has them, or of the
        only capability that it hosts.
        """
        known = self.objectives_by_name
        asked = GATEWAY if GATEWAY in hosted else hosted[0] if len(hosted) == 1 else ""
        return known.get(part) or known.get(asked)

    def _check_objectives(self) -> None:
        """Raises WrongApp where one names neither a capability nor a part."""
        if not (unknown := set(self.objectives_by_name) - set(self.calls)):
            return
        known = shapes.load(self.calls, self.shapes).values()
        if unknown := unknown.difference(*(shape.parts for shape in known)):
            raise WrongApp(
                f"{self.name}: objectives file {self.objectives}, {min(unknown)}: there is "
                "neither a capability nor a part of that name"
            )

    def replacing(self, *others: Definition) -> "App":
        """The same application with other definitions in the place of those of the same names."""
        by_name = {other.name: other for other in others}
        return replace(self, capabilities=tuple(by_name.pop(d.name, d) for d in self.capabilities))

    def adding(self, *others: Definition, shapes: Traversable) -> "App":
        """The same application with more capabilities, in shapes that host them."""
        return replace(self, capabilities=(*self.capabilities, *others), shapes=shapes)


def load(reference: str) -> App:
    """The application that `MODULE:NAME` names. Raises WrongApp."""
    module, _, name = reference.partition(":")
    try:
        found = getattr(import_module(module), name or "APP")
    except (ImportError, AttributeError) as error:
        raise WrongApp(f"--app {reference}: {error}") from None
    if not isinstance(found, App):
        raise WrongApp(f"--app {reference}: that is no borough.app.App")
    return found


def _names(contracts: Iterable[type[Capability]]) -> frozenset[str]:
    return frozenset(contract.name for contract in contracts)
