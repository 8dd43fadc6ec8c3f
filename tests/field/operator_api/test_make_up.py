"""Does `make up` go through again, whoever has given the parts their pods, and keep these?

charts/cluster.sh as it is, with both Helms, on a real API server. Nothing runs a pod there, so the
`helm` that it finds waits for none; the other two charts, and the tests of all, are left out.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from borough_operator.kube.targets import MANAGER
from operator_api.apiserver import ADMIN, ApiServer, of_control_plane
from operator_api.objects import Namespace
from programs import program

ROOT = Path(__file__).parents[3]
WITHOUT_WAITING = """#!/bin/bash
case "$1 ${{4:-}}" in "test "* | *charts/observability | *charts/borough-operator) exit 0 ;; esac
words=()
for word; do [[ $word == --wait* ]] || words+=("$word"); done
exec {program} "${{words[@]}}"
"""


class Shop(Namespace):
    """The namespace that `make up` makes."""

    name = "borough"

    def __init__(self, server: ApiServer, tools: Path) -> None:
        self.server = server
        self._tools = tools

    def up(self, **variables: str) -> dict[str, int]:
        """`make up`: the number of pods that each part is to have then. Fails with what it says."""
        done = subprocess.run(  # noqa: S603  # our own words
            [ROOT / "charts" / "cluster.sh", "up"],
            env={**self._environment(), "CLUSTER": "current", "BUILD": "no", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {
            found["metadata"]["labels"]["app.kubernetes.io/component"]: found["spec"]["replicas"]
            for found in self.all("Deployment")
        }

    def give(self, name: str, replicas: int) -> None:
        """What the operator does to a Deployment's scale."""
        scale = {"metadata": {"name": name}, "spec": {"replicas": replicas}}
        self.server.ask(
            "PATCH",
            f"{self.path('Deployment', name)}/scale?fieldManager={MANAGER}&force=true",
            {"apiVersion": "autoscaling/v1", "kind": "Scale", **scale},
            "application/apply-patch+yaml",
        )

    def down(self) -> None:
        """Without its claims, and without the namespace."""
        subprocess.run(  # noqa: S603  # our own words
            [self._tools / "helm", "uninstall", "borough", "--ignore-not-found", "-n", self.name],
            env=self._environment(),
            capture_output=True,
            check=True,
        )

    def _environment(self) -> dict[str, str]:
        path = f"{self._tools}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.server.kubeconfig(ADMIN))}


@pytest.fixture(params=["helm", "helm4"])
def shop(request: pytest.FixtureRequest, server: ApiServer, tmp_path: Path) -> Iterator[Shop]:
    """By both Helms in turn; nothing is installed yet."""
    of_control_plane("kubectl")
    helm = program(request.param, f"{request.param} is not installed: Helm 3 and, as helm4, Helm 4")
    shim = tmp_path / "helm"
    shim.write_text(WITHOUT_WAITING.format(program=helm))
    shim.chmod(0o755)
    found = Shop(server, tmp_path)
    yield found
    found.down()


def test_a_part_that_is_scaled_no_more_goes_on_with_its_pods(shop: Shop) -> None:
    """The number was the operator's, and nobody has to say it."""
    assert set(shop.up(SCALING="payments,orders").values()) == {1}
    shop.give("borough-payments", 4)
    shop.give("borough-orders", 3)

    found = shop.up(SCALING="orders")
    assert (found["payments"], found["orders"]) == (4, 3)
    assert [one["metadata"]["name"] for one in shop.all("ServiceScaler")] == ["borough-orders"]

    found = shop.up(SHAPE="monolith")
    assert found == {"app": 1}


def test_a_number_given_by_hand_is_good_until_the_next_time(shop: Shop) -> None:
    """It is no conflict, neither where Helm takes it back nor where a scaler takes it over."""
    shop.up()
    shop.scale("borough-payments", 3)
    assert shop.up()["payments"] == 1

    shop.scale("borough-payments", 3)
    assert shop.up(SCALING="payments")["payments"] == 3
    assert shop.up()["payments"] == 3
