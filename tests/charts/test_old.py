"""Do the released charts render, and does the definition accept what the released ones accepted?"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charts.definitions import restrictions
from charts.helm import OPERATOR, RELEASE, Helm, Object, read
from charts.objects import named, of_kind, pods

OLD = Path(__file__).parent / "old"
PACKAGES = sorted(OLD.glob("*.tgz"))
DEFINITIONS = sorted(OLD.glob("servicescaler-*.yaml"))
TODAY = OPERATOR / "files" / "servicescaler.yaml"


def file_name(path: Path) -> str:
    """The id of a test's parameter."""
    return path.name


def spec_of(definition: Object) -> dict[str, Any]:
    """The properties of a scaler's spec in the only version of a definition."""
    (version,) = definition["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def test_every_chart_and_the_definition_are_kept() -> None:
    """At least one version of each, and the README names every file."""
    kept = {path.name.rpartition("-")[0] for path in (*PACKAGES, *DEFINITIONS)}
    assert kept == {"servicescaler", *(chart.name for chart in RELEASE)}
    readme = (OLD / "README.md").read_text("utf-8")
    assert [path.name for path in OLD.iterdir() if f"`{path.name}`" not in readme] == ["README.md"]


@pytest.mark.parametrize("package", PACKAGES, ids=file_name)
def test_kept_package_renders(helm: Helm, package: Path) -> None:
    """With its default values: an upgrade starts from these objects."""
    objects = helm.objects(package, release=package.name.rpartition("-")[0])
    assert [pod.owner for pod in pods(of_kind(objects, "Deployment"))]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=file_name)
def test_kept_definition_is_that_of_its_package(helm: Helm, definition: Path) -> None:
    """The two files of one version belong together."""
    package = OLD / f"borough-operator-{definition.stem.rpartition('-')[2]}.tgz"
    objects = helm.objects(package, release="borough-operator")
    found = named(objects, "CustomResourceDefinition")["servicescalers.borough.dev"]
    assert found == read(definition)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=file_name)
def test_current_definition_accepts_what_a_kept_one_accepts(definition: Path) -> None:
    """A stored object stays valid, and keeps its fields."""
    assert restrictions(read(definition), read(TODAY)) == []


def _drop(spec: dict[str, Any]) -> None:
    del spec["properties"]["manualHold"]


def _require(spec: dict[str, Any]) -> None:
    spec["properties"]["budget"] = {"type": "integer"}
    spec["required"] = [*spec["required"], "budget"]


def _narrow(spec: dict[str, Any]) -> None:
    spec["properties"]["replicas"]["properties"]["max"]["maximum"] = 100


def _forbid(spec: dict[str, Any]) -> None:
    spec["properties"]["mode"]["enum"] = ["Auto", "Paused"]


def _rule(spec: dict[str, Any]) -> None:
    goal = spec["properties"]["goals"]["items"]
    goal["x-kubernetes-validations"] = [
        *goal.get("x-kubernetes-validations", ()),
        {"rule": "self.type != 'Query'", "message": "no queries"},
    ]


def _retype(spec: dict[str, Any]) -> None:
    spec["properties"]["targetRef"]["properties"]["name"]["type"] = "integer"


@pytest.mark.parametrize(
    ("change", "restriction"),
    [
        (_drop, "v1alpha1.spec.manualHold is dropped"),
        (_require, "v1alpha1.spec.budget is required"),
        (_narrow, "v1alpha1.spec.replicas.max: maximum is 100"),
        (_forbid, "v1alpha1.spec.mode: enum is ['Auto', 'Paused']"),
        (_rule, "v1alpha1.spec.goals[]: rule self.type != 'Query'"),
        (_retype, "v1alpha1.spec.targetRef.name: type is integer"),
    ],
)
def test_restriction_is_found(change: Callable[[dict[str, Any]], None], restriction: str) -> None:
    """With the path of the field."""
    definition = read(TODAY)
    changed = copy.deepcopy(definition)
    change(spec_of(changed))
    assert restrictions(definition, changed) == [restriction]


def test_extension_is_no_restriction() -> None:
    """A new optional field, a wider bound, another value, and one with a default."""
    definition = read(TODAY)
    changed = copy.deepcopy(definition)
    spec = spec_of(changed)
    spec["properties"]["note"] = {"type": "string"}
    spec["properties"]["budget"] = {"type": "integer", "default": 1}
    spec["required"] = [*spec["required"], "budget"]
    spec["properties"]["mode"]["enum"].append("Observe")
    spec["properties"]["replicas"]["properties"]["max"]["maximum"] = 1_000_000
    assert restrictions(definition, changed) == []


def test_version_that_is_no_longer_served_is_found() -> None:
    """And another name of the kind."""
    definition = read(TODAY)
    changed = copy.deepcopy(definition)
    changed["spec"]["versions"][0]["name"] = "v1"
    changed["spec"]["names"]["kind"] = "Scaler"
    assert restrictions(definition, changed) == ["names differs", "v1alpha1 is not served"]
