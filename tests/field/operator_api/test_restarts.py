"""What survives when the operator, the API server or the way between them breaks?"""

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
    """In a namespace that no operator looks at yet."""
    return Scene(namespace, prometheus)


@pytest.fixture
def start(
    server: ApiServer, namespace: Namespace, prometheus: Prometheus, tmp_path: Path
) -> Iterator[Start]:
    """Starts operators of this test, as the administrator; all end with it."""
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


def test_a_killed_operator_removes_nothing_earlier_than_a_living_one(
    scene: Scene, start: Start
) -> None:
    """After SIGKILL in the middle of a window the next process waits for a whole one, and takes
    the number it finds for its own.
    """
    scene.load(400)
    scene.create(behavior=FAST | {"down": {"window": "8s", "maxPercent": 100}})
    first = start()
    until(lambda: scene.replicas() > 8)
    scene.all_ready(given := scene.replicas())
    until(lambda: scene.status().get("appliedReplicas") == given)
    fell = time.monotonic()
    scene.load(10)
    time.sleep(2)  # of the window; a busy machine may take some more of it
    first.kill()
    began = time.monotonic()
    start()
    until(lambda: scene.replicas() < given)
    assert time.monotonic() - began > 8
    assert time.monotonic() - fell > 8 + 2
    assert "hold" not in scene.status()


def test_a_hold_outlives_the_process_that_began_it(scene: Scene, start: Start) -> None:
    """A new process holds a person's number until the time that the old one said."""
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


def test_a_scale_while_the_operator_was_down_is_held_too(scene: Scene, start: Start) -> None:
    """What a person did meanwhile is a person's doing still."""
    scene.load(100)
    scene.create(3)
    first = start()
    until(lambda: scene.status().get("appliedReplicas"))
    assert first.stop() == 0
    scene.scale(8)
    start()
    until(lambda: scene.status().get("hold", {}).get("manager") == "kubectl")
    assert scene.replicas() == 8


def test_what_is_deleted_while_the_operator_is_down_is_gone(scene: Scene, start: Start) -> None:
    """Nothing waits for an operator that may never come back, and the next one minds nothing."""
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


def test_sigterm_ends_it_by_itself(start: Start) -> None:
    """A rollout of the operator is a short time without one: nothing it does is waited out."""
    operator = start()
    until(operator.ready)
    assert operator.stop() == 0


def test_a_restarted_api_server_is_heard_again(
    server: ApiServer, scene: Scene, start: Start
) -> None:
    """Watches come back by themselves: what changes afterwards is seen."""
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


def test_an_api_server_out_of_breath_is_given_time(
    server: ApiServer, scene: Scene, start: Start, tmp_path: Path
) -> None:
    """A storm of 429 delays what is done, and neither stops nor kills the operator."""
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


def test_an_expired_watch_is_begun_anew(
    server: ApiServer, scene: Scene, start: Start, tmp_path: Path
) -> None:
    """A watch whose version the server has forgotten lists again and goes on."""
    with Proxy(server) as proxy:
        proxy.expired = 6
        start(proxy.kubeconfig(tmp_path))
        until(lambda: proxy.expired == 0)
        scene.load(400)
        scene.create()
        assert until(lambda: scene.replicas() > 8)


def test_what_cannot_be_read_stops_nobody(scene: Scene, start: Start) -> None:
    """`cpu: 1000`, which the API server stores as 1k, is scaled like any other; a target of which
    something cannot be read at all is its own scaler's reason, from the first list on and later.
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


def test_a_forbidden_namespace_is_said_and_stops_no_other(
    server: ApiServer, scene: Scene, start: Start
) -> None:
    """Where the operator has no rights it says so and is not ready; elsewhere it works."""
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


def test_it_waits_for_its_definition(tmp_path: Path, prometheus: Prometheus) -> None:
    """Started before its CRD, it is not ready and says why; once the CRD is there, it works."""
    server = ApiServer(tmp_path)
    server.start()
    try:
        namespace = Namespace(server)
        namespace.create(workload("earlier"))
        operator = Operator(
            server.kubeconfig(), tmp_path,
            f"--namespaces={namespace.name}", f"--prometheus-url={prometheus.url}",
        )  # fmt: skip  # who, where, and what
        operator.start()
        until(lambda: "servicescalers" in operator.ask("/readyz")[1])
        assert operator.ask("/livez")[0] == 200
        assert operator.metric("borough_operator_watch_lag_seconds") == 0  # none has begun
        install_crd(server)
        scene = Scene(namespace, prometheus)
        scene.load(400)
        scene.create()
        until(lambda: scene.replicas() > 8)
        until(lambda: operator.metric("borough_operator_watch_lag_seconds") == 0)
        assert operator.stop() == 0
    finally:
        server.stop()
