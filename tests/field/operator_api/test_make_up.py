"""Does a repeated `make up` succeed and keep the parts' pods, whatever wrote their number?

It runs charts/cluster.sh with both Helms on a real API server. No pod runs there, so the `helm` on
its path does not wait; the other two charts and the Helm tests are skipped.
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
    """The namespace of `make up`."""

    name = "borough"

    def __init__(self, server: ApiServer, tools: Path) -> None:
        self.server = server
        self._tools = tools

    def up(self, **variables: str) -> dict[str, int]:
        """Run `make up` and return the number of replicas of each part."""
        done = subprocess.run(  # noqa: S603  # constant arguments
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
        """Write a number as the operator does."""
        scale = {"metadata": {"name": name}, "spec": {"replicas": replicas}}
        self.server.ask(
            "PATCH",
            f"{self.path('Deployment', name)}/scale?fieldManager={MANAGER}&force=true",
            {"apiVersion": "autoscaling/v1", "kind": "Scale", **scale},
            "application/apply-patch+yaml",
        )

    def down(self) -> None:
        """Uninstall the shop; its claims and its namespace stay."""
        subprocess.run(  # noqa: S603  # constant arguments
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
    """With both Helms in turn; nothing is installed yet."""
    of_control_plane("kubectl")
    helm = program(request.param, f"{request.param} is not installed: Helm 3 and, as helm4, Helm 4")
    shim = tmp_path / "helm"
    shim.write_text(WITHOUT_WAITING.format(program=helm))
    shim.chmod(0o755)
    found = Shop(server, tmp_path)
    yield found
    found.down()


def test_part_keeps_its_pods_when_scaling_is_disabled(shop: Shop) -> None:
    """The operator's number is used without being stated."""
    assert set(shop.up(SCALING="payments,orders").values()) == {1}
    shop.give("borough-payments", 4)
    shop.give("borough-orders", 3)

    found = shop.up(SCALING="orders")
    assert (found["payments"], found["orders"]) == (4, 3)
    assert [one["metadata"]["name"] for one in shop.all("ServiceScaler")] == ["borough-orders"]

    found = shop.up(SHAPE="monolith")
    assert found == {"app": 1}


def test_number_set_by_hand_is_kept_until_the_next_run(shop: Shop) -> None:
    """It causes no conflict, whether Helm or a scaler takes the number over."""
    shop.up()
    shop.scale("borough-payments", 3)
    assert shop.up()["payments"] == 1

    shop.scale("borough-payments", 3)
    assert shop.up(SCALING="payments")["payments"] == 3
    assert shop.up()["payments"] == 3
