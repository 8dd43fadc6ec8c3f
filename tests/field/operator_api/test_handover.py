"""Is the number of a part handed over between Helm and a scaler without losing pods?

With both Helms on a real API server, since they differ: Helm 3 computes a patch itself, Helm 4 uses
server-side apply.
"""

import json
import os
import subprocess
from typing import Any

import pytest

from borough_operator.kube.targets import MANAGER
from charts.helm import BOROUGH, Refused
from operator_api.objects import Namespace
from programs import program

PART = "borough-app"
SMALL = {
    "shape": "monolith",
    "store": {"kind": "external", "existingSecret": "shop"},
    "networkPolicy": {"enabled": False},
}
"""One part, with few other objects."""
ON = {"scaling": {"enabled": True}}
ADVISE = {"scaling": {"enabled": True, "mode": "Advise"}}


class Release:
    """The shop in a namespace, installed by one of the two Helms."""

    def __init__(self, program: str, namespace: Namespace) -> None:
        self._program = program
        self._namespace = namespace

    def upgrade(self, *options: str, **app: Any) -> int:
        """Install or upgrade it with these values of its part, without earlier values. Returns the
        number of replicas of its part. Raises Refused.
        """
        values = {**SMALL, "parts": {"app": app}}
        words = ("upgrade", "--install", "--reset-values", "borough", str(BOROUGH), *options)
        done = subprocess.run(  # noqa: S603  # constant arguments
            [self._program, *words, "--namespace", self._namespace.name, "--values", "-"],
            input=json.dumps(values),
            env={**os.environ, "KUBECONFIG": str(self._namespace.server.kubeconfig())},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Refused(done.stderr)
        return self.number

    def scale(self, replicas: int) -> None:
        """Write a number as the operator does."""
        path = self._namespace.path("Deployment", f"{PART}/scale")
        metadata = {"name": PART, "namespace": self._namespace.name}
        scale = {"metadata": metadata, "spec": {"replicas": replicas}}
        self._namespace.server.ask(
            "PATCH",
            f"{path}?fieldManager={MANAGER}&force=true",
            {"apiVersion": "autoscaling/v1", "kind": "Scale", **scale},
            "application/apply-patch+yaml",
        )

    @property
    def number(self) -> int:
        """Its number of replicas."""
        replicas: int = self._deployment["spec"]["replicas"]
        return replicas

    @property
    def mark(self) -> str | None:
        """The chart's annotation about the number."""
        notes: dict[str, str] = self._deployment["metadata"]["annotations"]
        return notes.get("scaling.borough.dev/replicas")

    @property
    def _deployment(self) -> dict[str, Any]:
        return self._namespace.get("Deployment", PART)


@pytest.fixture(params=["helm", "helm4"])
def helm(request: pytest.FixtureRequest) -> str:
    """Both Helms in turn."""
    name: str = request.param
    return name


@pytest.fixture
def release(helm: str, namespace: Namespace) -> Release:
    """A release that is not installed yet."""
    return Release(
        program(helm, f"{helm} is not installed: Helm 3 and, as helm4, Helm 4"), namespace
    )


def test_existing_part_keeps_its_pods_when_scaling_is_enabled(release: Release, helm: str) -> None:
    """Whether or not the operator has scaled it; Helm 4 then drops the number."""
    assert release.upgrade(replicas=3) == 3
    assert release.upgrade(replicas=3, **ON) == 3

    release.scale(6)
    assert release.upgrade(replicas=3, **ON) == 6
    assert release.mark == {"helm": "as-found", "helm4": "left-out"}[helm]

    release.scale(2)
    assert release.upgrade(replicas=3, **ON) == 2


def test_part_that_was_always_scaled_gets_no_number_from_helm(release: Release) -> None:
    """It starts with one pod; no upgrade resets it."""
    assert release.upgrade(**ON) == 1

    release.scale(5)
    assert release.upgrade(**ON) == 5
    assert release.mark == "left-out"


def test_disabling_scaling_requires_an_explicit_number(release: Release, helm: str) -> None:
    """The default is one, where six run; nothing is changed until the values state a number."""
    release.upgrade(**ON)
    release.scale(6)

    for off in ({}, ADVISE):
        with pytest.raises(Refused, match=r"parts\.app\.replicas: it has 6"):
            release.upgrade(**off)
    assert release.upgrade(**ADVISE, replicas=6) == 6
    force = ("--force-conflicts",) if helm == "helm4" else ()  # another manager owns the number
    assert release.upgrade(*force, replicas=4) == 4
    assert release.mark is None
    assert release.upgrade() == 1
