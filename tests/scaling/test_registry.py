"""Does the cache relate pods, targets and scalers?"""

import json
from typing import Any

from borough_operator.decision.model import History
from borough_operator.running.registry import DEPLOYMENTS, PODS, REPLICA_SETS, SCALERS, Registry
from borough_operator.sources.protocol import Target

SHOP = "shop"
PAY = Target(SHOP, "Deployment", "pay")


class Cache:
    """A registry with methods that deliver objects."""

    def __init__(self) -> None:
        self.registry = Registry(pods=True)
        self.added: list[str] = []
        self.registry.added = lambda name: self.added.append(name[1])
        self._version = 0

    def see(self, resource: str, name: str, owner: str = "", **obj: Any) -> None:
        self._version += 1
        meta = {
            "namespace": SHOP, "name": name, "uid": f"{resource}-{name}",
            "resourceVersion": str(self._version), "generation": 1,
            "creationTimestamp": f"2026-11-23T08:30:{self._version:02}Z",
        }  # fmt: skip  # a table
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
                 spec={"replicas": 2}, status={"readyReplicas": ready})  # fmt: skip  # a table

    def pod(self, name: str, owner: str, address: str, *, ready: bool = True) -> None:
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        ports = [{"name": "metrics", "containerPort": 9090}]
        self.see(PODS, name, owner, spec={"containers": [{"ports": ports}]},
                 status={"podIP": address, "conditions": [condition]})  # fmt: skip  # a table


def test_metrics_urls_are_those_of_all_ready_pods_of_the_target() -> None:
    """Pods of an old template are included, since they carry load; unready pods and those of others
    are not.
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


def test_metrics_url_has_a_named_or_numbered_port_and_ipv6() -> None:
    """A pod without such a port has no URL."""
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


def test_newest_replica_set_has_the_greatest_revision() -> None:
    """Whatever the order in which they were delivered."""
    cache = Cache()
    cache.deployment()
    cache.replica_set("new", 7, 3)
    cache.replica_set("old", 2, 1)
    workload = cache.registry.workload(PAY)
    assert workload is not None
    newest = cache.registry.newest_replica_set(workload)
    assert newest is not None
    assert newest.ready == 3


def test_older_of_two_auto_scalers_has_the_target() -> None:
    """The younger one conflicts; one in mode Advise does not."""
    cache = Cache()
    cache.scaler("first", mode="Advise")
    cache.scaler("second")
    cache.scaler("third")
    scalers = {name: entry.record.scaler for (_, name), entry in cache.registry.entries.items()}
    conflicts = {name: cache.registry.conflicting(each) for name, each in scalers.items() if each}
    assert conflicts == {"first": None, "second": None, "third": (SHOP, "second")}


def test_new_process_recovers_the_history_of_the_status() -> None:
    """The last written number, and a hold."""
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


def test_invalid_status_gives_an_empty_history() -> None:
    """The status was written by another client: the scaler starts anew."""
    cache = Cache()
    for name, status in (
        ("a", {"appliedReplicas": 4, "reversals": ["yesterday"]}),
        ("b", {"hold": {"manager": "kubectl"}}),
    ):
        cache.scaler(name, status=status)
        assert cache.registry.entries[SHOP, name].history == History()


def test_recreated_scaler_has_an_empty_history() -> None:
    """Another uid is another scaler."""
    cache = Cache()
    cache.scaler("pay", status={"appliedReplicas": 4})
    cache.scaler("pay", metadata={"uid": "another"})
    assert cache.registry.entries[SHOP, "pay"].history.applied is None
    assert cache.added == ["pay", "pay"]


def test_changed_status_does_not_trigger_an_evaluation() -> None:
    """The watch delivers the operator's own writes."""
    cache = Cache()
    cache.scaler("pay")
    cache.scaler("pay", status={"appliedReplicas": 4})
    assert cache.added == ["pay"]
    assert json.loads(cache.registry.entries[SHOP, "pay"].record.status) == {"appliedReplicas": 4}


def test_invalid_spec_is_kept_with_its_refusal() -> None:
    """An older schema may have accepted it; its status must say why."""
    cache = Cache()
    cache.see(SCALERS, "odd", spec={"replicas": {"max": 3}})
    record = cache.registry.entries[SHOP, "odd"].record
    assert record.scaler is None
    assert "targetRef" in record.refusal
