"""Does a definition that an earlier release left behind block the next one without a word?

With both Helms, on a real API server: Helm's own refusal names an annotation and no way out.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_api.apiserver import ADMIN, ApiServer, of_control_plane
from programs import program

CHART = Path(__file__).parents[3] / "charts" / "borough-operator"
DEFINITION = "crd/servicescalers.borough.dev"


class Admin:
    """Types helm and kubectl."""

    def __init__(self, helm: str, server: ApiServer) -> None:
        self._programs = {"helm": helm, "kubectl": of_control_plane("kubectl")}
        self._kubeconfig = str(server.kubeconfig(ADMIN))

    def type(self, line: str) -> str:
        """What the command complains of; empty where it succeeds."""
        name, *words = shlex.split(line)
        done = subprocess.run(  # noqa: S603  # our own words
            [self._programs[name], *words],
            env={**os.environ, "KUBECONFIG": self._kubeconfig},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr if done.returncode else ""

    def install(self, namespace: str, *words: str) -> str:
        """The operator, by its name."""
        flags = f"--namespace {namespace} --create-namespace"
        return self.type(f"helm upgrade --install scaler {CHART} {flags} {' '.join(words)}")


@pytest.fixture(scope="module")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One that knows no definition of ours: those of other tests keep theirs."""
    started = ApiServer(tmp_path_factory.mktemp("apiserver"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(params=["helm", "helm4"])
def admin(request: pytest.FixtureRequest, bare_server: ApiServer) -> Iterator[Admin]:
    """By both Helms in turn; a release in namespace `earlier` has come, and gone."""
    helm = program(request.param, f"{request.param} is not installed: Helm 3 and, as helm4, Helm 4")
    found = Admin(helm, bare_server)
    found.type(f"kubectl delete {DEFINITION} --ignore-not-found")
    assert found.install("earlier") == ""
    assert found.type("helm uninstall scaler --namespace earlier") == ""
    yield found
    for namespace in ("earlier", "later"):
        found.type(f"helm uninstall scaler --namespace {namespace} --ignore-not-found")


def test_the_next_release_of_that_name_takes_its_definition(admin: Admin) -> None:
    """It is its own."""
    assert admin.install("earlier") == ""


def test_another_release_is_told_what_to_do_and_then_installs(admin: Admin) -> None:
    """To do without bringing it, or to type what the sentence ends with."""
    said = admin.install("later")
    assert "from release scaler in namespace earlier" in said
    assert admin.install("later", "--set", "crds.install=false") == ""
    brings = ("--set", "crds.install=true")
    assert "already" in admin.install("later", *brings), "an upgrade is told as well"

    commands = said.strip().splitlines()[-1].rpartition("release's by: ")[2].split(" && ")
    assert [admin.type(command) for command in commands] == ["", ""]
    assert admin.install("later", *brings) == ""


def test_a_definition_that_kubectl_applied_is_told_of_too(admin: Admin) -> None:
    """It is from no release."""
    assert admin.type(f"kubectl delete {DEFINITION}") == ""
    assert admin.type(f"kubectl apply --filename {CHART}/files/servicescaler.yaml") == ""
    assert "from no release" in admin.install("later")
