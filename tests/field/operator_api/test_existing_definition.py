"""Is a definition that an earlier release left handled with a clear message?

With both Helms on a real API server: Helm's own error names an annotation and no solution.
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
    """Runs helm and kubectl."""

    def __init__(self, helm: str, server: ApiServer) -> None:
        self._programs = {"helm": helm, "kubectl": of_control_plane("kubectl")}
        self._kubeconfig = str(server.kubeconfig(ADMIN))

    def type(self, line: str) -> str:
        """The error of a command; empty where it succeeds."""
        name, *words = shlex.split(line)
        done = subprocess.run(  # noqa: S603  # constant arguments
            [self._programs[name], *words],
            env={**os.environ, "KUBECONFIG": self._kubeconfig},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr if done.returncode else ""

    def install(self, namespace: str, *words: str) -> str:
        """Install the operator. Returns the error."""
        flags = f"--namespace {namespace} --create-namespace"
        return self.type(f"helm upgrade --install scaler {CHART} {flags} {' '.join(words)}")


@pytest.fixture(scope="module")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server without the definition."""
    started = ApiServer(tmp_path_factory.mktemp("apiserver"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(params=["helm", "helm4"])
def admin(request: pytest.FixtureRequest, bare_server: ApiServer) -> Iterator[Admin]:
    """With both Helms in turn, after a release in namespace `earlier` was installed and
    uninstalled.
    """
    helm = program(request.param, f"{request.param} is not installed: Helm 3 and, as helm4, Helm 4")
    found = Admin(helm, bare_server)
    found.type(f"kubectl delete {DEFINITION} --ignore-not-found")
    assert found.install("earlier") == ""
    assert found.type("helm uninstall scaler --namespace earlier") == ""
    yield found
    for namespace in ("earlier", "later"):
        found.type(f"helm uninstall scaler --namespace {namespace} --ignore-not-found")


def test_next_release_of_that_name_adopts_the_definition(admin: Admin) -> None:
    """The definition is annotated with its name."""
    assert admin.install("earlier") == ""


def test_other_release_is_refused_with_the_commands_to_adopt_it(admin: Admin) -> None:
    """It can be installed without the definition, or after the commands of the message."""
    message = admin.install("later")
    assert "from release scaler in namespace earlier" in message
    assert admin.install("later", "--set", "crds.install=false") == ""
    brings = ("--set", "crds.install=true")
    assert "already" in admin.install("later", *brings), "an upgrade is refused too"

    commands = message.strip().splitlines()[-1].rpartition("release's by: ")[2].split(" && ")
    assert [admin.type(command) for command in commands] == ["", ""]
    assert admin.install("later", *brings) == ""


def test_definition_applied_by_kubectl_is_refused_too(admin: Admin) -> None:
    """It belongs to no release."""
    assert admin.type(f"kubectl delete {DEFINITION}") == ""
    assert admin.type(f"kubectl apply --filename {CHART}/files/servicescaler.yaml") == ""
    assert "from no release" in admin.install("later")
