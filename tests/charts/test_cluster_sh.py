"""What does charts/cluster.sh do with kind, and which errors does it report?

The programs that it calls are stand-ins, which record their arguments and return the answers that
a test sets; `.ci/run` calls it on a real kind.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = """#!/bin/sh
words="$(basename "$0") $*"
echo "$words" >> "$CALLS"
while IFS='|' read -r pattern status text; do
	case $words in $pattern)
		[ -z "$text" ] || printf '%b\\n' "$text"
		exit "$status" ;;
	esac
done < "$ANSWERS"
"""
"""Its answer is the first whose pattern matches; otherwise it succeeds without output."""
PROGRAMS = ("docker", "helm", "kind", "kubectl")
COMPLETE = "docker exec borough-control-plane test -e /kind/borough-complete"
CREATE, DELETE = "kind create cluster", "kind delete cluster"
NODES = "borough-control-plane\\nborough-worker"
PUBLISHED = {
    "docker port borough-control-plane 30080/tcp": (0, "127.0.0.1:8080"),
    "docker port borough-control-plane 30030/tcp": (0, "0.0.0.0:3000\\n[::]:3000"),
    "docker port *": (1, ""),
    "kubectl get node borough-control-plane *": (0, "172.18.0.3"),
}
THERE = {
    "kind get clusters": (0, "other\\nborough"),
    "kind get nodes *": (0, NODES),
    "docker inspect --format {{.State.Running}} *": (0, "true"),
    "docker inspect --format {{range .NetworkSettings.Networks}}*": (0, "172.18.0.1 fc00::1 "),
    "helm version *": (0, "v3.22.0"),
}
READY = {"kubectl get nodes *": (0, NODES), COMPLETE: (1, "")}

Answers = dict[str, tuple[int, str]]


@dataclass
class Machine:
    """A machine whose programs are stand-ins."""

    folder: Path
    answers: Answers = field(default_factory=dict)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script with these arguments."""
        lines = (f"{pattern}|{code}|{text}\n" for pattern, (code, text) in self.answers.items())
        (self.folder / "answers").write_text("".join(lines))
        for name in PROGRAMS:
            (self.folder / name).write_text(STAND_IN)
            (self.folder / name).chmod(0o755)
        self.calls_file.write_text("")
        return subprocess.run(  # noqa: S603  # arguments of the tests
            [ROOT / "charts" / "cluster.sh", *words],
            env={
                "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
                "CALLS": str(self.calls_file), "ANSWERS": str(self.folder / "answers"),
                "BUILD": "no", **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip  # as a table

    def finds(self, answers: Answers) -> None:
        """Add answers with precedence over all others."""
        known = {pattern: one for pattern, one in self.answers.items() if pattern not in answers}
        self.answers = {**answers, **known}

    @property
    def calls_file(self) -> Path:
        return self.folder / "calls"

    def calls(self, beginning: str) -> list[str]:
        """The recorded calls with this prefix, in order."""
        return [c for c in self.calls_file.read_text().splitlines() if c.startswith(beginning)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With kind's cluster, complete, its two ports published; answers of a test have precedence."""
    return Machine(tmp_path, {**THERE, **PUBLISHED})


def test_missing_cluster_is_created_and_marked_as_complete(machine: Machine) -> None:
    """From the configuration of the repository; the node image is the one it names."""
    machine.answers["kind get clusters"] = (0, "other")
    assert machine.run("up").returncode == 0
    assert machine.calls(CREATE) == [
        "kind create cluster --name borough --config docs/kind.yaml --wait 5m"
    ]
    assert machine.calls("docker exec") == [COMPLETE.replace("test -e", "touch")]


def test_configuration_and_node_image_of_the_user_are_used(machine: Machine) -> None:
    """With the cluster name that the other verbs use."""
    machine.answers["kind get clusters"] = (0, "other")
    assert machine.run("up", KIND_CONFIG="mine.yaml", KIND_IMAGE="mirror/node:1").returncode == 0
    assert machine.calls(CREATE) == [
        "kind create cluster --name borough --config mine.yaml --wait 5m --image mirror/node:1"
    ]


def test_interrupted_creation_is_restarted(machine: Machine) -> None:
    """Without the mark, and with a node that is not ready, the cluster is deleted and created."""
    not_ready = {"kubectl wait --for=condition=Ready nodes --all --timeout=10s": (1, "")}
    machine.finds({**READY, **not_ready})
    done = machine.run("up")
    assert done.returncode == 0, done.stderr
    assert "was interrupted" in done.stderr
    assert machine.calls("kind delete") + machine.calls(CREATE) == [
        "kind delete cluster --name borough",
        "kind create cluster --name borough --config docs/kind.yaml --wait 5m",
    ]


@pytest.mark.parametrize(
    "found",
    [
        {"docker inspect --format {{.State.Running}} *": (1, "")},
        {COMPLETE: (1, ""), "kind get kubeconfig *": (1, "")},
    ],
    ids=["no container", "no kubeconfig"],
)
def test_creation_without_a_control_plane_is_restarted(machine: Machine, found: Answers) -> None:
    """Its creation was interrupted very early."""
    machine.finds(found)
    machine.run("up")
    assert len(machine.calls(DELETE)) == len(machine.calls(CREATE)) == 1


def test_complete_cluster_is_not_changed(machine: Machine) -> None:
    """Also when a node is not ready at once."""
    assert machine.run("up").returncode == 0
    assert machine.calls(DELETE) + machine.calls(CREATE) == []


def test_cluster_made_manually_with_ready_nodes_is_used(machine: Machine) -> None:
    """It gets the mark; and the context of kubectl is set, which an interrupted kind had not
    done.
    """
    machine.finds(READY)
    assert machine.run("up").returncode == 0
    assert machine.calls("kind export") == ["kind export kubeconfig --name borough"]
    assert machine.calls(DELETE) + machine.calls(CREATE) == []
    assert machine.calls("docker exec")[-1] == COMPLETE.replace("test -e", "touch")


@pytest.mark.parametrize(
    "found",
    [
        {"docker inspect --format {{.State.Running}} *": (0, "false")},
        {
            **READY,
            "kubectl wait --for=condition=Ready nodes --all --timeout=10s": (1, ""),
            "kubectl --namespace borough get all *": (0, "pod/borough-orders-1"),
        },
        {"kubectl wait --for=condition=Ready nodes *": (1, "")},
    ],
    ids=["its control plane is stopped", "it has a shop", "it was complete once"],
)
def test_cluster_that_may_hold_orders_is_never_deleted(machine: Machine, found: Answers) -> None:
    """The error says what is wrong with it, and how to delete it."""
    machine.finds(found)
    done = machine.run("up")
    assert done.returncode == 1
    assert "make down" in done.stderr
    assert machine.calls(DELETE) + machine.calls(CREATE) == []


@pytest.mark.parametrize("ip", ["172.18.0.3/32", "fc00::3/128"])
def test_policies_allow_the_node_that_publishes_a_port_and_no_other(
    machine: Machine, ip: str
) -> None:
    """A packet by its port has its address, or this machine's where the pod runs on it."""
    machine.answers["kubectl get node borough-control-plane *"] = (0, ip.partition("/")[0])
    assert machine.run("up").returncode == 0
    (shop,) = machine.calls("helm upgrade --install borough charts/borough ")
    (grafana,) = machine.calls("helm upgrade --install observability ")
    nodes = f"networkPolicy.nodes={{{ip},172.18.0.1/32,fc00::1/128}}"
    assert f"service.type=NodePort,service.nodePort=30080,{nodes}" in shop
    assert f"grafana.service.nodePort=30030,{nodes}" in grafana


def test_printed_addresses_are_those_that_kind_publishes(machine: Machine) -> None:
    """Ports may be in use, and the user's configuration may have others."""
    machine.answers["docker port borough-control-plane 30080/tcp"] = (0, "127.0.0.1:18080")
    output = machine.run("up").stdout
    assert "at http://localhost:18080, its dashboards at http://localhost:3000." in output
    assert "port-forward" not in output


def test_port_forward_is_printed_where_kind_publishes_no_port(machine: Machine) -> None:
    """By port-forward, to Services without a node port."""
    for port in ("30080", "30030"):
        del machine.answers[f"docker port borough-control-plane {port}/tcp"]
    output = machine.run("up").stdout
    assert output.count("port-forward") == 2
    assert not any("NodePort" in call for call in machine.calls("helm"))


def test_definition_left_by_a_deleted_release_is_adopted(machine: Machine) -> None:
    """Helm would refuse to install it, without naming the remedy."""
    machine.answers["kubectl get customresourcedefinition *"] = (0, "operator elsewhere there")
    machine.answers["helm status operator --namespace elsewhere"] = (1, "")
    assert machine.run("up").returncode == 0
    (annotated,) = machine.calls("kubectl annotate")
    assert "release-name=borough-operator" in annotated
    assert "release-namespace=borough-operator" in annotated
    (operator,) = machine.calls("helm upgrade --install borough-operator ")
    assert "crds.install=true" in operator


def test_definition_without_a_release_is_adopted(machine: Machine) -> None:
    """It was applied by kubectl."""
    machine.answers["kubectl get customresourcedefinition *"] = (0, "  there")
    assert machine.run("up").returncode == 0
    assert len(machine.calls("kubectl annotate")) == 1


def test_definition_of_another_release_is_not_changed(machine: Machine) -> None:
    """One sentence reports it."""
    machine.answers["kubectl get customresourcedefinition *"] = (0, "operator elsewhere there")
    done = machine.run("up")
    assert "operator in namespace elsewhere" in done.stderr
    assert machine.calls("kubectl annotate") == []
    (operator,) = machine.calls("helm upgrade --install borough-operator ")
    assert "crds.install=false" in operator


@pytest.mark.parametrize(
    ("fails", "while_doing"),
    [
        ("kind create *", "creating cluster borough"),
        ("kind load *", "handing over borough:"),
        ("kubectl create namespace *", "making the namespaces"),
        ("helm upgrade --install borough-operator *", "installing the operator"),
        ("helm upgrade --install borough charts*", "installing the shop"),
        ("helm upgrade --install observability *", "installing what observes"),
        ("helm test borough --*", "testing the shop"),
    ],
)
def test_failure_exits_with_a_status_and_a_sentence(
    machine: Machine, fails: str, while_doing: str
) -> None:
    """Whatever the exit status of the last command of its trap."""
    machine.finds({fails: (3, "")})
    machine.answers["kubectl config current-context"] = (0, "kind-borough")
    if fails.startswith("kind create"):
        machine.answers["kind get clusters"] = (0, "")
    done = machine.run("up")
    assert done.returncode != 0
    assert f"borough: up failed (status {done.returncode}) while {while_doing}" in done.stderr


def test_image_is_loaded_into_the_kind_of_the_current_context(machine: Machine) -> None:
    """By its name; the variable for another loader has precedence."""
    machine.answers["kubectl config current-context"] = (0, "kind-other")
    assert machine.run("deliver", "borough:later").returncode == 0
    assert machine.calls("kind load") == ["kind load docker-image borough:later --name other"]
    machine.answers["docker load-it *"] = (4, "")
    assert machine.run("deliver", "borough:later", IMAGE_LOADER="docker load-it").returncode == 4
    assert machine.calls("docker") == ["docker load-it borough:later"]


def test_cluster_without_metrics_is_reported(machine: Machine) -> None:
    """It is no failure: no installed chart requires them."""
    assert "metrics-server" not in machine.run("up").stdout
    machine.answers["kubectl get apiservice v1beta1.metrics.k8s.io"] = (1, "")
    assert "There is no metrics-server" in machine.run("up").stdout
