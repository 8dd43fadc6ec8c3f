"""The template of the route that served a request, in constant time.

`scope["route"]` tells which route it was, not under which prefix its router was included nor where
its app was mounted. FastAPI's public `iter_route_contexts` knows, but walks every route; so it is
walked once, and again only when a route turns up that was not there before.

Before FastAPI 0.137 `app.routes` held every route under its whole path. 0.137.0 and 0.137.1 keep
routers there and have nothing public that looks into them, so they are outside of our range.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastapi import routing
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import ASGIApp, Scope

from borough_telemetry.signals import UNMATCHED

FOREIGN = 1_000
"""Routes of apps that cannot be walked, remembered as such."""


class _Served(NamedTuple):
    """A route and its templates: several where its router was included more than once.

    It is known by its identity, since routes have no hash; and kept, since an identity may be given
    to another object once its own is gone.
    """

    by: object
    templates: list[str]


class Templates:
    """Of one app, whatever it is made of; an app without routes has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[int, _Served] = {}
        self._foreign: dict[int, _Served] = {}

    def of(self, scope: Scope) -> str:
        """The template, prefixes included; `unmatched` where there was no route.

        Before Starlette 1.7 a route that is not FastAPI's is told by its endpoint alone.
        """
        by = scope.get("route") or scope.get("endpoint")
        if by is None:
            return UNMATCHED
        served = self._known.get(id(by)) or self._foreign.get(id(by)) or self._find(by)
        if len(served.templates) == 1:
            return served.templates[0]
        for template in served.templates:
            if compile_path(template)[0].match(scope["path"]):
                return template
        return UNMATCHED

    def _find(self, by: object) -> _Served:
        """Learn all there is now. What is no route of this app stays unmatched."""
        self._known = {}
        for route, template in _walk(getattr(self._app, "routes", ()), ""):
            templates = self._known.setdefault(id(route), _Served(route, [])).templates
            if template not in templates:
                templates.append(template)
        if id(by) in self._known:
            return self._known[id(by)]
        if len(self._foreign) == FOREIGN:
            self._foreign.clear()
        return self._foreign.setdefault(id(by), _Served(by, [UNMATCHED]))


def _walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[object, str]]:
    for route, path, endpoint in _flat(routes):
        if path is None:  # a Host: its app is known by its name, not by a path
            continue
        template = prefix + path
        if isinstance(route, Mount):
            yield route.app, f"{template}/{{path}}"  # what serves whatever comes, as static files
            yield from _walk(route.routes, template)
        else:
            yield route, template
            yield endpoint, template


def _flat(routes: Sequence[BaseRoute]) -> Iterator[tuple[BaseRoute, str | None, object]]:
    """Every route with its path and its endpoint."""
    if not hasattr(routing, "iter_route_contexts"):
        for route in routes:
            yield route, getattr(route, "path", None), getattr(route, "endpoint", None)
        return
    for context in routing.iter_route_contexts(routes):
        yield context.original_route, context.path, context.endpoint
