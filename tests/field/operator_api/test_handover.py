"""Does the number of a part change hands, between Helm and a scaler, without a pod too few?

Asked of both Helms, on a real API server, since the answer lies between the two: Helm 3 works out a
patch by itself, Helm 4 lets the server apply.
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
"""One part, and little beside it."""
ON = {"scaling": {"enabled": True}}
ADVISE = {"scaling": {"enabled": True, "mode": "Advise"}}


class Release:
    """The shop in a namespace, by one of the two Helms."""

    def __init__(self, program: str, namespace: Namespace) -> None:
        self._program = program
        self._namespace = namespace

    def upgrade(self, *options: str, **app: Any) -> int:
        """Install it or bring it up to date, with these values of its part, and nothing kept of
        earlier ones. Answers the number of pods that its part is to have. Raises Refused.
        """
        values = {**SMALL, "parts": {"app": app}}
        words = ("upgrade", "--install", "--reset-values", "borough", str(BOROUGH), *options)
        done = subprocess.run(  # noqa: S603  # our own words
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
        """Give it a number as the operator does."""
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
        """How many pods it is to have."""
        replicas: int = self._deployment["spec"]["replicas"]
        return replicas

    @property
    def mark(self) -> str | None:
        """What the chart says of the number."""
        notes: dict[str, str] = self._deployment["metadata"]["annotations"]
        return notes.get("scaling.borough.dev/replicas")

    @property
    def _deployment(self) -> dict[str, Any]:
        return self._namespace.get("Deployment", PART)


@pytest.fixture(params=["helm", "helm4"])
def helm(request: pytest.FixtureRequest) -> str:
    """Both, in turn."""
    name: str = request.param
    return name


@pytest.fixture
def release(helm: str, namespace: Namespace) -> Release:
    """One that is not installed yet."""
    return Release(
        program(helm, f"{helm} is not installed: Helm 3 and, as helm4, Helm 4"), namespace
    )


def test_a_part_that_was_there_keeps_its_pods_when_scaling_is_switched_on(
    release: Release, helm: str
) -> None:
    """Whether nobody has scaled it yet or the operator has; Helm 4 then lets go of the number."""
    assert release.upgrade(replicas=3) == 3
    assert release.upgrade(replicas=3, **ON) == 3

    release.scale(6)
    assert release.upgrade(replicas=3, **ON) == 6
    assert release.mark == {"helm": "as-found", "helm4": "left-out"}[helm]

    release.scale(2)
    assert release.upgrade(replicas=3, **ON) == 2


def test_a_part_that_was_always_scaled_is_never_given_a_number(release: Release) -> None:
    """It begins with one pod; no upgrade puts anything back."""
    assert release.upgrade(**ON) == 1

    release.scale(5)
    assert release.upgrade(**ON) == 5
    assert release.mark == "left-out"


def test_whoever_switches_scaling_off_says_how_many_pods_there_are_to_be(
    release: Release, helm: str
) -> None:
    """The default is one, which nobody means who has six; nothing is changed until it is said."""
    release.upgrade(**ON)
    release.scale(6)

    for off in ({}, ADVISE):
        with pytest.raises(Refused, match=r"parts\.app\.replicas: it has 6"):
            release.upgrade(**off)
    assert release.upgrade(**ADVISE, replicas=6) == 6
    force = ("--force-conflicts",) if helm == "helm4" else ()  # the number was another manager's
    assert release.upgrade(*force, replicas=4) == 4
    assert release.mark is None
    assert release.upgrade() == 1
