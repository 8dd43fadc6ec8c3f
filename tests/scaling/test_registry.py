"""Does the cache know whose pods are whose, and who scales what?"""

import json
from typing import Any

from borough_operator.decision.model import History
from borough_operator.running.registry import DEPLOYMENTS, PODS, REPLICA_SETS, SCALERS, Registry
from borough_operator.sources.protocol import Target

SHOP = "shop"
PAY = Target(SHOP, "Deployment", "pay")


class Cache:
    """A registry and those who tell it."""

    def __init__(self) -> None:
        self.registry = Registry(pods=True)
        self.arrived: list[str] = []
        self.registry.added = lambda name: self.arrived.append(name[1])
        self._version = 0

    def see(self, resource: str, name: str, owner: str = "", **obj: Any) -> None:
        self._version += 1
        meta = {
            "namespace": SHOP, "name": name, "uid": f"{resource}-{name}",
            "resourceVersion": str(self._version), "generation": 1,
            "creationTimestamp": f"2026-11-23T08:30:{self._version:02}Z",
        }  # fmt: skip  # who it is
        if owner:
            meta["ownerReferences"] = [{"uid": owner, "controller": True}]
        meta |= obj.pop("metadata", {})
        self.registry.watched[resource].updated({"metadata": meta, **obj})

    def scaler(self, name: str, *, port: str = "metrics", mode: str = "Auto", **obj: Any) -> None:
        spec = {
            "targetRef": {"kind": "Deployment", "name": "pay"},
            "mode": mode,
            "replicas": {"max": 10},
            "goals": [{"type": "RequestRate", "perReplica": "50"}],
            "source": {"type": "Pods", "port": port},
        }
        self.see(SCALERS, name, spec=spec, **obj)

    def deployment(self) -> None:
        template: dict[str, Any] = {"spec": {"containers": []}}
        self.see(DEPLOYMENTS, "pay", kind="Deployment", spec={"replicas": 2, "template": template})

    def replica_set(self, name: str, revision: int, ready: int) -> None:
        notes = {"annotations": {"deployment.kubernetes.io/revision": str(revision)}}
        self.see(REPLICA_SETS, name, "deployments-pay", metadata=notes,
                 spec={"replicas": 2}, status={"readyReplicas": ready})  # fmt: skip  # one glance

    def pod(self, name: str, owner: str, address: str, *, ready: bool = True) -> None:
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        ports = [{"name": "metrics", "containerPort": 9090}]
        self.see(PODS, name, owner, spec={"containers": [{"ports": ports}]},
                 status={"podIP": address, "conditions": [condition]})  # fmt: skip  # one glance


def test_addresses_are_those_of_all_ready_pods_of_the_target() -> None:
    """Of the old template too, since they bear load; not of others, and not of pods that do not
    serve.
    """
    cache = Cache()
    cache.scaler("pay")
    cache.deployment()
    cache.replica_set("old", 1, 1)
    cache.replica_set("new", 2, 1)
    cache.pod("a", "replicasets-old", "10.0.0.1")
    cache.pod("b", "replicasets-new", "10.0.0.2")
    cache.pod("c", "replicasets-new", "10.0.0.3", ready=False)
    cache.pod("d", "replicasets-other", "10.0.0.4")
    found = cache.registry.metrics_urls(PAY)
    assert sorted(found) == ["http://10.0.0.1:9090/metrics", "http://10.0.0.2:9090/metrics"]


def test_a_port_is_a_name_or_a_number_and_an_address_may_be_of_version_six() -> None:
    """As the scaler's spec says it; a pod without such a port has no address."""
    for port, found in (
        ("8000", ("http://[fd00::1]:8000/metrics",)),
        ("metrics", ("http://[fd00::1]:9090/metrics",)),
        ("other", ()),
    ):
        cache = Cache()
        cache.scaler("pay", port=port)
        cache.deployment()
        cache.replica_set("new", 2, 1)
        cache.pod("a", "replicasets-new", "fd00::1")
        assert cache.registry.metrics_urls(PAY) == found


def test_the_newest_replica_set_is_that_of_the_greatest_revision() -> None:
    """Also after the one before it was removed."""
    cache = Cache()
    cache.deployment()
    cache.replica_set("new", 7, 3)
    cache.replica_set("old", 2, 1)
    workload = cache.registry.workload(PAY)
    assert workload is not None
    newest = cache.registry.newest_replica_set(workload)
    assert newest is not None
    assert newest.ready == 3


def test_the_older_of_two_that_act_has_the_target() -> None:
    """The younger is told of it; who advises is in nobody's way."""
    cache = Cache()
    cache.scaler("first", mode="Advise")
    cache.scaler("second")
    cache.scaler("third")
    scalers = {name: entry.record.scaler for (_, name), entry in cache.registry.entries.items()}
    rivals = {name: cache.registry.conflicting(each) for name, each in scalers.items() if each}
    assert rivals == {"first": None, "second": None, "third": (SHOP, "second")}


def test_a_new_process_remembers_what_the_status_says() -> None:
    """The number that was given, and somebody's hold."""
    cache = Cache()
    hold = {
        "manager": "kubectl",
        "replicas": 8,
        "since": "2026-11-23T08:30:00Z",
        "until": "2026-11-23T08:45:00Z",
    }
    cache.scaler("pay", status={"appliedReplicas": 4, "hold": hold})
    history = cache.registry.entries[SHOP, "pay"].history
    assert history.applied == 4
    assert history.hold is not None
    assert history.hold.manager == "kubectl"


def test_a_status_that_cannot_be_read_is_no_memory() -> None:
    """Somebody wrote there what we never would: its scaler begins anew, and ends nobody."""
    cache = Cache()
    for name, status in (
        ("a", {"appliedReplicas": 4, "reversals": ["yesterday"]}),
        ("b", {"hold": {"manager": "kubectl"}}),
    ):
        cache.scaler(name, status=status)
        assert cache.registry.entries[SHOP, name].history == History()


def test_a_scaler_that_was_made_anew_remembers_nothing() -> None:
    """It has the name of another, and nothing else of it."""
    cache = Cache()
    cache.scaler("pay", status={"appliedReplicas": 4})
    cache.scaler("pay", metadata={"uid": "another"})
    assert cache.registry.entries[SHOP, "pay"].history.applied is None
    assert cache.arrived == ["pay", "pay"]


def test_a_change_of_status_is_no_arrival() -> None:
    """Our own writes come back by the watch, and hurry nobody."""
    cache = Cache()
    cache.scaler("pay")
    cache.scaler("pay", status={"appliedReplicas": 4})
    assert cache.arrived == ["pay"]
    assert json.loads(cache.registry.entries[SHOP, "pay"].record.status) == {"appliedReplicas": 4}


def test_a_spec_that_cannot_be_read_is_kept_with_its_sentence() -> None:
    """An older schema may have let it in: it is somebody's, and is answered."""
    cache = Cache()
    cache.see(SCALERS, "odd", spec={"replicas": {"max": 3}})
    record = cache.registry.entries[SHOP, "odd"].record
    assert record.scaler is None
    assert "targetRef" in record.refusal
