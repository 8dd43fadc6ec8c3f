"""The template of the route that served a request, in constant time.

`scope["route"]` has the route, but neither the prefix of its router nor the path at which its app
was mounted. FastAPI's public `iter_route_contexts` has both, but visits every route: so it is
called once, and again only for a route that was added later.

Before FastAPI 0.137 `app.routes` had every route with its whole path. 0.137.0 and 0.137.1 have
routers there without a public API for their routes, so they are not supported.
"""

from collections.abc import Iterator, Sequence

from fastapi import routing
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import ASGIApp, Scope

from borough_telemetry.signals import UNMATCHED

Served = tuple[object, list[str]]
"""A route and its templates: several where its router was included more than once. The key is
its id(), since routes have no hash; the route is kept, since the id() of a deleted object may be
used again.
"""
FOREIGN = 1_000
"""The maximum number of cached routes of apps whose routes cannot be listed."""


class Templates:
    """The route templates of one app; an app without routes has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[int, Served] = {}
        self._foreign: dict[int, Served] = {}

    def of(self, scope: Scope) -> str:
        """The template, prefixes included; `unmatched` without a route.

        Before Starlette 1.7 a route that is not FastAPI's is in the scope by its endpoint alone.
        """
        by = scope.get("route") or scope.get("endpoint")
        if by is None:
            return UNMATCHED
        _, templates = self._known.get(id(by)) or self._foreign.get(id(by)) or self._find(by)
        if len(templates) == 1:
            return templates[0]
        for template in templates:
            if compile_path(template)[0].match(scope["path"]):
                return template
        return UNMATCHED

    def _find(self, by: object) -> Served:
        """Visit all current routes. One that is not among them stays unmatched."""
        self._known = {}
        for route, template in _walk(getattr(self._app, "routes", ()), ""):
            _, templates = self._known.setdefault(id(route), (route, []))
            if template not in templates:
                templates.append(template)
        if id(by) in self._known:
            return self._known[id(by)]
        if len(self._foreign) == FOREIGN:
            self._foreign.clear()
        return self._foreign.setdefault(id(by), (by, [UNMATCHED]))


def _walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[object, str]]:
    for context in getattr(routing, "iter_route_contexts", iter)(routes):
        route, path = getattr(context, "original_route", context), getattr(context, "path", None)
        if path is None:  # a Host: its app has a name, and no path
            continue
        template = prefix + path
        if isinstance(route, Mount):
            yield route.app, f"{template}/{{path}}"  # an app without routes, such as static files
            yield from _walk(route.routes, template)
        else:
            yield route, template
            yield getattr(context, "endpoint", None), template
