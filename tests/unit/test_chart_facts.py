"""Do the generated chart values describe the application as it is?"""

from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

import borough_shop.app
import library.app
import loyalty
from borough import commands, shapes
from borough.app import App

APPS: dict[str, App] = {
    "borough_shop.app:APP": borough_shop.app.APP,
    "library.app:APP": library.app.APP,
    "loyalty:APP": loyalty.APP,
}


def facts(name: str) -> dict[str, Any]:
    """The values of the application, as `borough chart` generates them."""
    app = APPS[name]
    values = yaml.safe_load(commands.chart(app, app.settings(), name))
    assert set(values) == {"application"}
    return dict(values["application"])


@pytest.mark.parametrize("name", APPS)
def test_chart_values_have_every_shape_as_serve_computes_it(name: str) -> None:
    """Hosted, served and called capabilities of every part agree, also in extracted shapes."""
    app = APPS[name]
    known = shapes.every(shapes.load(app.calls, app.shapes), app.calls)
    parts = facts(name)["parts"]
    assert [shape for shape, _ in groupby(parts, lambda part: part["shape"])] == list(known)
    assert {
        (part["shape"], part["name"]): (part["hosts"], part["serves"], part["calls"], part["door"])
        for part in parts
    } == {
        (shape.name, part): (
            list(hosted),
            sorted(shape.served_to_others(part, app.calls)),
            sorted(shapes.needed(hosted, app.calls)),
            "gateway" in hosted,
        )
        for shape in known.values()
        for part, hosted in shape.parts.items()
    }


@pytest.mark.parametrize("name", APPS)
def test_chart_values_have_the_objectives_of_every_part(name: str) -> None:
    """A part that is scaled by latency has the threshold that its callers rely on."""
    app = APPS[name]
    for part in facts(name)["parts"]:
        found = app.objectives_of(part["name"], part["hosts"])
        assert part["objectives"] == (found.model_dump(exclude_none=True) if found else {})


@pytest.mark.parametrize("name", APPS)
def test_chart_values_have_the_call_graph_and_the_settings(name: str) -> None:
    """Network policies and the check of settings are generated from these values only."""
    app, values = APPS[name], facts(name)
    assert {c["name"]: set(c["calls"]) for c in values["capabilities"]} == app.calls
    assert {c["name"] for c in values["capabilities"] if not c["door"]} == set(app.contracts)
    assert set(values["settings"]) == set(app.settings.model_fields)
    assert (values["name"], values["version"], values["app"]) == (app.name, app.version, name)
    assert values["seeds"] == (app.seed is not None)


@pytest.mark.parametrize("name", APPS)
def test_last_path_of_every_shape_is_the_catch_all(name: str) -> None:
    """One part gets `/`, after all other paths, so that every public path is routed."""
    for _, parts in groupby(facts(name)["parts"], lambda part: part["shape"]):
        paths = [path for part in parts for path in part["paths"]]
        assert paths.count("/") == 1
        assert paths[-1] == "/"


def test_paths_go_to_the_part_that_the_shape_names() -> None:
    """The remaining paths go to the last part."""
    parts = [part for part in facts("borough_shop.app:APP")["parts"] if part["shape"] == "roles"]
    assert {part["name"]: part["paths"] for part in parts} == {
        "browse": ["/v1/menu", "/v1/profile"],
        "checkout": ["/"],
    }


def test_no_chart_value_is_a_map_that_helm_would_merge() -> None:
    """Helm merges maps of values in an upgrade, so an entry that the application no longer has
    would remain.
    """
    assert [key for key, value in facts("library.app:APP").items() if isinstance(value, dict)] == []


def test_application_without_a_gateway_has_no_paths(tmp_path: Path) -> None:
    """No part has a door, and none has a public path."""
    (file := tmp_path / "shapes.toml").write_text('one.parts.app = ["catalog", "loans", "notices"]')
    closed = replace(library.app.APP, gateway=None, shapes=file, objectives=None)
    values = yaml.safe_load(commands.chart(closed, closed.settings(), "closed:APP"))["application"]
    assert {(part["door"], *part["paths"]) for part in values["parts"]} == {(False,)}
