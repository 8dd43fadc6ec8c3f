"""Do two renderings differ in the expected objects only?

Pods restart when their template changes, so a template contains only what its own part reads.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from charts.cases import SHAPES, Case
from charts.helm import BOROUGH, RELEASE, Helm, Object, Objects, Values
from charts.objects import Pod, identity, named, of_kind, pods, selects


def changed(before: Objects, after: Objects) -> set[str]:
    """The objects that are new, gone or different."""
    old, new = ({identity(found): found for found in objects} for objects in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def test_every_name_begins_with_its_release(helm: Helm, example: Case) -> None:
    """A release whose name contains the chart's does not repeat it."""
    own = RELEASE[example.chart]
    for release, full in ((own, own), ("alpha", f"alpha-{example.chart.name}")):
        for found in within(helm.objects(example.chart, example.values, release=release)):
            name = found["metadata"]["name"]
            assert name == full or name.startswith(f"{full}-"), identity(found)


def test_two_releases_in_a_namespace_are_separate(helm: Helm, example: Case) -> None:
    """Neither overwrites an object of the other, or selects a pod of it."""
    chart, values = example.chart, example.values
    one, other = (within(helm.objects(chart, values, release=name)) for name in ("alpha", "beta"))

    assert {identity(found) for found in one}.isdisjoint(identity(found) for found in other)
    assert [
        (identity(found), pod.owner)
        for found in one
        if (selector := selector_of(found)) is not None
        for pod in pods(other)
        if selects(selector, pod.labels)
    ] == []


def within(objects: Objects) -> Objects:
    """The objects of a namespace: the definition of ServiceScaler is cluster-wide."""
    return tuple(found for found in objects if found["kind"] != "CustomResourceDefinition")


def selector_of(found: Object) -> Mapping[str, Any] | None:
    """The selector of pods, if it has one."""
    spec = found.get("spec", {})
    match found["kind"]:
        case "Service":
            return {"matchLabels": spec["selector"]}
        case "NetworkPolicy":
            policy: Mapping[str, Any] = spec["podSelector"]
            return policy
        case "Deployment" | "StatefulSet" | "PodDisruptionBudget" | "PodMonitor":
            selector: Mapping[str, Any] = spec["selector"]
            return selector
    return None


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """charts/borough with another version of the chart, the same of the shop."""
    copy = shutil.copytree(BOROUGH, tmp_path / "borough")
    sheet = copy / "Chart.yaml"
    lines = sheet.read_text(encoding="utf-8").splitlines()
    lines = ["version: 99.0.0" if line.startswith("version:") else line for line in lines]
    sheet.write_text("\n".join(lines), encoding="utf-8")
    return copy


def test_another_version_of_the_chart_restarts_nothing(helm: Helm, next_version: Path) -> None:
    """The templates of pods are equal."""
    before = helm.objects(BOROUGH)
    after = helm.objects(next_version, release="borough")

    assert changed(before, after), "the version is nowhere to be seen"
    assert templates(before) == templates(after)


def templates(objects: Objects) -> list[Pod]:
    """Of permanent pods, and of Jobs; the pods of tests are made anew each time."""
    return [pod for pod in pods(objects) if not pod.owner.startswith("Pod/")]


ONE_PART: dict[str, tuple[Values, set[str]]] = {
    "image": (
        {"image": {"tag": "2.0.0"}},
        {"Deployment/borough-payments"},
    ),
    "settings": (
        {"settings": {"pbkdf2_iterations": 0}},
        {"Deployment/borough-payments", "ConfigMap/borough-payments"},
    ),
    "replicas": ({"replicas": 7}, {"Deployment/borough-payments"}),
}


@pytest.mark.parametrize("what", ONE_PART)
def test_change_of_one_part_changes_that_part_only(helm: Helm, what: str) -> None:
    """Besides it only the Jobs that migrate, of which there is one for each image."""
    own, theirs = ONE_PART[what]
    before = helm.objects(BOROUGH)
    after = helm.objects(BOROUGH, {"parts": {"payments": own}})

    found = changed(before, after)
    assert {name for name in found if not name.startswith("Job/borough-migrate-")} == theirs
    assert (found != theirs) == (what == "image")


def test_digest_has_precedence_over_a_tag(helm: Helm) -> None:
    """It identifies one image, so no tag is added."""
    digest = "sha256:" + "0" * 64
    objects = helm.objects(BOROUGH, {"image": {"digest": digest, "tag": "1.2.3"}})

    images = {c["image"] for pod in pods(of_kind(objects, "Deployment")) for c in pod.containers}
    assert images == {f"borough@{digest}"}


def test_setting_reaches_every_part_and_that_of_a_part_has_precedence(helm: Helm) -> None:
    """As the kubelet passes it on: text."""
    values = {
        "settings": {"trace_ratio": 0.5, "log_level": "debug"},
        "parts": {"payments": {"settings": {"log_level": "error"}}},
    }
    maps = named(helm.objects(BOROUGH, values), "ConfigMap")

    for part in SHAPES["microservices"].parts:
        variables = maps[f"borough-{part}"]["data"]
        assert variables["BOROUGH_TRACE_RATIO"] == "0.5"
        assert variables["BOROUGH_LOG_LEVEL"] == ("error" if part == "payments" else "debug")


def test_changed_settings_restart_the_parts_that_read_them(helm: Helm, example: Case) -> None:
    """Environment is read at start, so the template changes with its map."""
    if example.chart != BOROUGH:
        pytest.skip("it has no parts")
    before = helm.objects(BOROUGH, example.values)
    settings = {**example.values.get("settings", {}), "access_log_ratio": 0.123}
    after = helm.objects(BOROUGH, {**example.values, "settings": settings})

    deployments = {identity(found) for found in of_kind(before, "Deployment")}
    assert {n for n in changed(before, after) if n.startswith("Deployment/")} == deployments
