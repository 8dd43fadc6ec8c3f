"""The commands of `borough`, for any application, without their command-line parsing."""

import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from borough import shapes
from borough.app import GATEWAY, App
from borough.audit import Report, examine
from borough.clock import Clock
from borough.compose import PartBuilder, build, load_shapes, open_database, open_store
from borough.config import PREFIX, Settings, WrongSettings
from borough.errors import Malformed, Unavailable
from borough.objectives import Objectives
from borough.serving.server import run as run_part
from borough.stores.revisions import is_current
from borough_telemetry import Telemetry
from borough_telemetry.signals import ATTRIBUTES, OWN, PROCESS

LOOK_AGAIN_S = 1.0
"""Seconds between two tries to reach a store."""


def serve(app: App, settings: Settings, capabilities: Collection[str]) -> None:
    """Build a part and serve it until SIGTERM."""
    run_part(partial(build, app, settings, capabilities), settings)


def migrate(  # noqa: PLR0913  # the options of the verb
    app: App,
    settings: Settings,
    capabilities: Collection[str],
    *,
    admin: str = "",
    wait_s: float = 0,
    say: Callable[[str], object] = print,
) -> list[str]:
    """Migrate each capability's schema to this version; returns a line for each.

    `admin` is the address of a PostgreSQL role that first creates missing roles and schemas. A
    store that cannot be reached is tried again for `wait_s` seconds in all; `say` is called with a
    line for each that is waited for. Raises Unavailable after that, and at once WrongSettings where
    the database refuses a role.
    """
    named = [name for name in capabilities if name != GATEWAY]  # it has no store
    shapes.check_hosted(named, app.calls)
    until = time.monotonic() + wait_s
    from borough.stores.migrations import migrate as migrate_one  # noqa: PLC0415  # Alembic: 0.3 s serving can spare

    url = settings.store.get_secret_value()
    lines = []
    for definition in (app.definitions[name] for name in named):
        once = partial(migrate_one, url, definition.name, definition.migrations, admin=admin)
        lines.append(f"{definition.name}: {_in_time(once, until, say)}")
    return lines


def _in_time(migrate_once: Callable[[], str], until: float, say: Callable[[str], object]) -> str:
    said = False
    while True:
        try:
            return migrate_once()
        except Unavailable as failure:
            if time.monotonic() >= until:
                raise
            if not said:
                say(f"{failure}: it is tried again every {LOOK_AGAIN_S:.0f} s")
                said = True
            time.sleep(LOOK_AGAIN_S)


async def seed(app: App, settings: Settings, options: Mapping[str, str]) -> str:
    """Write the application's initial rows into the stores. Raises Malformed where it has none and
    there are options.
    """
    if app.seed is None:
        if options:
            raise Malformed(f"{app.name} has nothing to seed")
        return f"{app.name} has nothing to seed"
    async with opened(app, settings) as stores:
        return await app.seed(stores, options)


@asynccontextmanager
async def opened(app: App, settings: Settings) -> AsyncIterator[Mapping[str, Any]]:
    """The store of every capability, as its part would open it. Raises WrongSettings where a schema
    does not exist yet.
    """
    async with AsyncExitStack() as stack:
        stores = {}
        for definition in app.capabilities:
            name = definition.name
            database = open_database(settings, name)
            stack.push_async_callback(database.close)
            if not is_current(await database.revision(), name, definition.migrations):
                raise WrongSettings(f"the schema of {name} is not migrated: run `borough migrate`")
            stores[name] = open_store(app, definition, database)
        yield stores


async def audit(app: App, settings: Settings, *, wait: bool) -> Report:
    """Read every store, after waiting for the drain if `wait`, and judge."""
    horizon = timedelta(seconds=settings.reconcile_horizon_s)
    async with opened(app, settings) as stores:
        return await examine(app, stores, Clock(), horizon, wait=wait)


def chart(app: App, settings: Settings, name: str) -> str:
    """The application's facts that the charts need, as a values file for Helm. `name` is its
    MODULE:NAME. Lists instead of maps: Helm merges maps of values, so that entries which an
    application no longer has would remain.
    """
    known = shapes.every(load_shapes(app, settings), app.calls)
    facts = {
        "name": app.name,
        "version": app.version,
        "app": name,
        "seeds": app.seed is not None,
        "capabilities": [
            {"name": caller, "calls": sorted(callees), "door": caller == GATEWAY}
            for caller, callees in app.calls.items()
        ],
        "parts": [
            {
                "shape": shape.name,
                "name": part,
                "hosts": list(hosted),
                "serves": sorted(shape.served_to_others(part, app.calls)),
                "calls": sorted(shapes.needed(hosted, app.calls)),
                "door": GATEWAY in hosted,
                "paths": list(shape.routes()[part]) if GATEWAY in hosted else [],
                "objectives": _plain(app.objectives_of(part, hosted)),
            }
            for shape in known.values()
            for part, hosted in shape.parts.items()
        ],
        "settings": sorted(app.settings.model_fields),
    }
    return "\n".join(["# Written by `borough chart`: values of charts/borough.", *_yaml(facts)])


def _plain(objectives: Objectives | None) -> dict[str, Any]:
    return {} if objectives is None else objectives.model_dump(exclude_none=True)


def objectives(app: App, *, as_json: bool) -> str:
    """The objectives by capability or part: as JSON, or a line each."""
    known = app.objectives_by_name
    if as_json:
        return json.dumps({name: _plain(one) for name, one in known.items()})
    return "\n".join(f"{name:18} {one}" for name, one in known.items())


def _yaml(facts: Mapping[str, Any]) -> Iterator[str]:
    """A line for each fact, and for each map in a list, as JSON, which YAML contains."""
    yield "application:"
    for key, value in facts.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            yield f"  {key}:"
            yield from (f"  - {json.dumps(item)}" for item in value)
        else:
            yield f"  {key}: {json.dumps(value)}"


TYPE_NAMES = {str: "text", int: "whole number", float: "number", SecretStr: "secret"} | {
    Path | None: "path"
}


def settings_table(app: App, *, markdown: bool) -> str:
    """Every setting: variable, type, default, meaning. Defaults are not secret."""
    rows = [("Variable", "Type", "Default", "Meaning")]
    for name, field in app.settings.model_fields.items():
        default, type_ = field.default, _type_name(field.annotation)
        shown = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
        rows.append((PREFIX + name.upper(), type_, shown, field.description or ""))
    return _table(rows, markdown=markdown)


def signals_table(app: App, *, markdown: bool) -> str:
    """Every metric and every attribute of a span: name, kind, labels, meaning."""
    signals = (*OWN, *app.signals, *PROCESS)
    metrics = [("Metric", "Kind", "Labels", "Meaning")]
    metrics += [(s.series, s.kind, ", ".join(s.labels), s.help) for s in signals]
    attributes = [("Span attribute", "Meaning"), *ATTRIBUTES.items()]
    return "\n\n".join(_table(rows, markdown=markdown) for rows in (metrics, attributes))


def _table(rows: Sequence[tuple[str, ...]], *, markdown: bool) -> str:
    """The first row is the header; the last column is not padded."""
    if markdown:
        lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
        lines.insert(1, " | ".join("---" for _ in rows[0]))
        return "\n".join(f"| {line} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(get_args(annotation))
    if get_origin(annotation) is dict:
        return "JSON map"
    return TYPE_NAMES[annotation]


async def openapi(app: App) -> dict[str, Any]:
    """The OpenAPI document of the doors, as a separate gateway serves it. Raises Malformed where
    there are none.
    """
    if app.gateway is None:
        raise Malformed(f"{app.name} has no doors")
    peers = dict.fromkeys(app.contracts, ("http://peer",))
    part = PartBuilder(app, app.settings(peers=peers), Telemetry(GATEWAY))
    try:
        document: dict[str, Any] = app.gateway.make(part).openapi()
        return document
    finally:
        await part.close()
