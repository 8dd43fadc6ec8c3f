"""Is what the charts are told of the shop what the shop is?"""

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from borough import commands, shapes
from borough.config import Settings
from borough_shop.app import APP

FACTS = yaml.safe_load(commands.chart(APP, Settings()))
KNOWN = shapes.load(APP.calls, APP.shapes)


def objectives(part: str, hosted: Sequence[str]) -> dict[str, Any]:
    found = APP.objectives_of(part, hosted)
    return found.model_dump(exclude_none=True) if found else {}


@pytest.mark.parametrize(
    "name", [*KNOWN, *(shapes.EXTRACT + capability for capability in APP.calls)]
)
def test_a_chart_knows_every_shape_as_a_part_does(name: str) -> None:
    """What a part hosts, serves and calls is told as `serve` will see it, extracted ones too; and
    its objectives.
    """
    shape = shapes.named(name, KNOWN, APP.calls)
    assert FACTS["shapes"][name]["parts"] == {
        part: {
            "hosts": list(hosted),
            "serves": sorted(shape.served_to_others(part, APP.calls)),
            "calls": sorted(shapes.needed(hosted, APP.calls)),
            "objectives": objectives(part, hosted),
        }
        for part, hosted in shape.parts.items()
    }


def test_a_chart_knows_the_call_graph_and_the_settings() -> None:
    """Network policies and the check of settings are made of nothing else."""
    assert {k: set(v) for k, v in FACTS["calls"].items()} == APP.calls
    assert set(FACTS["settings"]) == set(APP.settings.model_fields)


def test_every_part_that_hosts_the_gateway_has_its_paths_and_the_last_the_rest() -> None:
    """No public path leads nowhere, in whatever order the parts are read."""
    assert FACTS["shapes"]["roles"]["routes"] == {
        "browse": ["/v1/menu", "/v1/profile"],
        "checkout": ["/"],
    }
    for shape in FACTS["shapes"].values():
        doors = {part for part, facts in shape["parts"].items() if "gateway" in facts["hosts"]}
        assert set(shape["routes"]) == doors
        assert [path for paths in shape["routes"].values() for path in paths].count("/") == 1


def test_the_names_of_the_parts_are_those_of_all_shapes() -> None:
    """Prometheus asks for parts by these names, and misses one that is not among them."""
    told = yaml.safe_load(commands.part_names(APP, Settings()))["parts"]
    assert told == sorted({part for shape in FACTS["shapes"].values() for part in shape["parts"]})
