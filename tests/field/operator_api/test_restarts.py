"""What survives restarts and failures of the operator, the API server and the network?"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from borough_operator.kube.targets import REVISION
from operator_api.apiserver import ADMIN, OPERATOR, ApiServer, Object
from operator_api.objects import Namespace, install_crd, workload
from operator_api.prometheus import Prometheus
from operator_api.proxy import Proxy
from operator_api.running import Operator
from operator_api.scene import FAST, Scene
from waiting import until

Start = Callable[..., Operator]


@pytest.fixture
def scene(namespace: Namespace, prometheus: Prometheus) -> Scene:
    """In a namespace without an operator yet."""
    return Scene(namespace, prometheus)


@pytest.fixture
def start(
    server: ApiServer, namespace: Namespace, prometheus: Prometheus, tmp_path: Path
) -> Iterator[Start]:
    """Starts operators with administrator rights, which are stopped after the test."""
    started: list[Operator] = []

    def begin(kubeconfig: Path | None = None, *, namespaces: str = namespace.name) -> Operator:
        operator = Operator(
            kubeconfig or server.kubeconfig(ADMIN),
            tmp_path,
            f"--namespaces={namespaces}",
            f"--prometheus-url={prometheus.url}",
        )
        operator.start()
        started.append(operator)
        return operator

    yield begin
    for operator in started:
        operator.kill()


def test_killed_operator_removes_nothing_earlier(scene: Scene, start: Start) -> None:
    """After SIGKILL within a window the next process waits for a whole one, and adopts the present
    number.
    """
    scene.load(400)
    scene.create(behavior=FAST | {"down": {"window": "8s", "maxPercent": 100}})
    first = start()
    until(lambda: scene.replicas() > 8)
    scene.all_ready(given := scene.replicas())
    until(lambda: scene.status().get("appliedReplicas") == given)
    fell = time.monotonic()
    scene.load(10)
    time.sleep(2)  # part of the window
    first.kill()
    began = time.monotonic()
    start()
    until(lambda: scene.replicas() < given)
    assert time.monotonic() - began > 8
    assert time.monotonic() - fell > 8 + 2
    assert "hold" not in scene.status()


def test_hold_survives_the_process(scene: Scene, start: Start) -> None:
    """A new process keeps the hold with its end."""
    scene.load(100)
    scene.create(3, manualHold="1h")
    first = start()
    until(lambda: scene.status().get("appliedReplicas"))
    scene.scale(8)
    hold: Object = until(lambda: scene.status().get("hold", {}))
    first.kill()
    second = start()
    until(second.ready)
    until(lambda: second.metric("borough_operator_decisions_total", reason="ManualHold"))
    assert scene.status()["hold"]["since"] == hold["since"]
    assert scene.replicas() == 8


def test_scale_while_the_operator_is_down_is_held(scene: Scene, start: Start) -> None:
    """The new process finds the foreign number."""
    scene.load(100)
    scene.create(3)
    first = start()
    until(lambda: scene.status().get("appliedReplicas"))
    assert first.stop() == 0
    scene.scale(8)
    start()
    until(lambda: scene.status().get("hold", {}).get("manager") == "kubectl")
    assert scene.replicas() == 8


def test_objects_are_deleted_while_the_operator_is_down(scene: Scene, start: Start) -> None:
    """No finalizer blocks the deletion, and the next process starts without the object."""
    scene.load(400)
    scene.create()
    first = start()
    until(lambda: scene.replicas() > 8)
    first.kill()
    scene.namespace.delete("ServiceScaler", scene.name)
    assert scene.namespace.all("ServiceScaler") == []
    second = start()
    until(second.ready)
    assert second.metric("borough_operator_scalers") == 0
    assert second.stop() == 0


def test_sigterm_ends_the_operator_in_time(start: Start) -> None:
    """A rollout of the operator does not wait for the grace period."""
    operator = start()
    until(operator.ready)
    assert operator.stop() == 0


def test_watches_resume_after_a_restart_of_the_api_server(
    server: ApiServer, scene: Scene, start: Start
) -> None:
    """Later changes are delivered."""
    scene.load(100)
    scene.create(3)
    operator = start()
    until(lambda: scene.status().get("appliedReplicas"))
    server.restart()
    scene.load(400)
    until(lambda: scene.replicas() > 8)
    later = scene.beside()
    later.load(400)
    later.create()
    until(lambda: later.replicas() > 8)
    assert operator.ask("/livez")[0] == 200


def test_busy_api_server_delays_and_stops_nothing(
    server: ApiServer, scene: Scene, start: Start, tmp_path: Path
) -> None:
    """Responses of 429 are retried."""
    scene.load(400)
    scene.create()
    with Proxy(server) as proxy:
        proxy.busy = 5
        start(proxy.kubeconfig(tmp_path))
        until(lambda: scene.replicas() > 8)
        proxy.busy = 5
        later = scene.beside()
        later.load(400)
        later.create()
        until(lambda: later.replicas() > 8)
        assert proxy.refused == 10


def test_expired_watch_lists_again(
    server: ApiServer, scene: Scene, start: Start, tmp_path: Path
) -> None:
    """A watch whose version has expired lists again and continues."""
    with Proxy(server) as proxy:
        proxy.expired = 6
        start(proxy.kubeconfig(tmp_path))
        until(lambda: proxy.expired == 0)
        scene.load(400)
        scene.create()
        assert until(lambda: scene.replicas() > 8)


def test_unreadable_target_affects_its_own_scaler_only(scene: Scene, start: Start) -> None:
    """`cpu: 1000`, which the API server stores as 1k, is valid. A target that cannot be read is its
    own scaler's reason, from the first list and later.
    """
    large = scene.beside()
    large.load(400)
    large.create(cpu="1000")
    odd = scene.beside()
    odd.create_target()
    odd.annotate_target(REVISION, "9" * 5000)  # more digits than Python reads
    odd.create_scaler()
    operator = start()
    until(lambda: large.replicas() > 8)
    until(lambda: odd.reason() == "TargetUnreadable")
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    odd.load(400)
    odd.annotate_target(REVISION, "9")
    until(lambda: odd.replicas() > 8)
    assert operator.ready()
    assert operator.log().count("an object cannot be read") == 1


def test_forbidden_namespace_is_reported_and_affects_no_other(
    server: ApiServer, scene: Scene, start: Start
) -> None:
    """The operator is not ready and says why; in other namespaces it works."""
    scene.namespace.allow_operator()
    other = Namespace(server)
    operator = start(server.kubeconfig(OPERATOR), namespaces=f"{other.name},{scene.namespace.name}")
    scene.load(400)
    scene.create()
    until(lambda: scene.replicas() > 8)
    status, reason = operator.ask("/readyz")
    assert status == 503
    assert other.name in reason
    assert "forbidden" in reason
    assert operator.ask("/livez")[0] == 200


def test_operator_waits_for_its_definition(tmp_path: Path, prometheus: Prometheus) -> None:
    """Started before its CRD it is not ready and says why; it works once the CRD exists."""
    server = ApiServer(tmp_path)
    server.start()
    try:
        namespace = Namespace(server)
        namespace.create(workload("earlier"))
        operator = Operator(
            server.kubeconfig(), tmp_path,
            f"--namespaces={namespace.name}", f"--prometheus-url={prometheus.url}",
        )  # fmt: skip  # the options on one line
        operator.start()
        until(lambda: "servicescalers" in operator.ask("/readyz")[1])
        assert operator.ask("/livez")[0] == 200
        assert operator.metric("borough_operator_watch_lag_seconds") == 0  # no watch has started
        install_crd(server)
        scene = Scene(namespace, prometheus)
        scene.load(400)
        scene.create()
        until(lambda: scene.replicas() > 8)
        until(lambda: operator.metric("borough_operator_watch_lag_seconds") == 0)
        assert operator.stop() == 0
    finally:
        server.stop()
