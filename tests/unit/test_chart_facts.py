"""Is what the charts are told of an application what it is?"""

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
    """What the file of values says."""
    app = APPS[name]
    values = yaml.safe_load(commands.chart(app, app.settings(), name))
    assert set(values) == {"application"}
    return dict(values["application"])


@pytest.mark.parametrize("name", APPS)
def test_a_chart_knows_every_shape_as_a_part_does(name: str) -> None:
    """What a part hosts, serves and calls is told as `serve` will see it, extracted ones too."""
    app = APPS[name]
    known = shapes.every(shapes.load(app.calls, app.shapes), app.calls)
    told = facts(name)["parts"]
    assert [shape for shape, _ in groupby(told, lambda part: part["shape"])] == list(known)
    assert {
        (part["shape"], part["name"]): (part["hosts"], part["serves"], part["calls"], part["door"])
        for part in told
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
def test_a_chart_knows_the_objectives_of_every_part(name: str) -> None:
    """A part that is scaled by latency has the threshold that its callers may rely on."""
    app = APPS[name]
    for part in facts(name)["parts"]:
        found = app.objectives_of(part["name"], part["hosts"])
        assert part["objectives"] == (found.model_dump(exclude_none=True) if found else {})


@pytest.mark.parametrize("name", APPS)
def test_a_chart_knows_the_call_graph_and_the_settings(name: str) -> None:
    """Network policies and the check of settings are made of nothing else."""
    app, told = APPS[name], facts(name)
    assert {c["name"]: set(c["calls"]) for c in told["capabilities"]} == app.calls
    assert {c["name"] for c in told["capabilities"] if not c["door"]} == set(app.contracts)
    assert set(told["settings"]) == set(app.settings.model_fields)
    assert (told["name"], told["version"], told["app"]) == (app.name, app.version, name)
    assert told["seeds"] == (app.seed is not None)


@pytest.mark.parametrize("name", APPS)
def test_every_part_that_hosts_the_gateway_has_its_paths_and_the_last_the_rest(name: str) -> None:
    """No public path leads nowhere, in whatever order the parts are read."""
    for _, parts in groupby(facts(name)["parts"], lambda part: part["shape"]):
        paths = [path for part in parts for path in part["paths"]]
        assert paths.count("/") == 1
        assert paths[-1] == "/"


def test_paths_go_to_the_part_that_the_shape_names() -> None:
    """The rest goes to the last one."""
    told = [part for part in facts("borough_shop.app:APP")["parts"] if part["shape"] == "roles"]
    assert {part["name"]: part["paths"] for part in told} == {
        "browse": ["/v1/menu", "/v1/profile"],
        "checkout": ["/"],
    }


def test_helm_replaces_what_is_told_and_merges_nothing_of_it() -> None:
    """An upgrade lays maps of values over each other: of a map, what an application no longer has
    would stay.
    """
    assert [key for key, value in facts("library.app:APP").items() if isinstance(value, dict)] == []


def test_an_application_without_doors_has_no_paths(tmp_path: Path) -> None:
    """It is only called from inside."""
    (file := tmp_path / "shapes.toml").write_text('one.parts.app = ["catalog", "loans", "notices"]')
    closed = replace(library.app.APP, gateway=None, shapes=file, objectives=None)
    told = yaml.safe_load(commands.chart(closed, closed.settings(), "closed:APP"))["application"]
    assert {(part["door"], *part["paths"]) for part in told["parts"]} == {(False,)}
