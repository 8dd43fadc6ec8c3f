"""Does the cluster refuse what must not be: a pod that may too much, one pod too many away?"""

import json
from typing import Any

import pytest

from e2e.cluster import CommandFailed, apply, kubectl, wait_until
from e2e.installed import Platform
from e2e.release import is_ready
from e2e.visitor import restricted_pod

PART = "payments"


def test_a_pod_that_may_too_much_is_refused(platform: Platform) -> None:
    """The namespace enforces `restricted`, so every pod that runs there keeps to it."""
    kept, broken = restricted_pod("kept", "python"), restricted_pod("broken", "python")
    del broken["spec"]["containers"][0]["securityContext"]
    apply(platform.shop.namespace, kept, dry_run=True)
    with pytest.raises(CommandFailed, match='violates PodSecurity "restricted'):
        apply(platform.shop.namespace, broken, dry_run=True)


def test_a_part_is_scaled_by_its_name_and_not_emptied_by_evictions(platform: Platform) -> None:
    """`kubectl scale deployment/borough-payments`; then, while one pod is down, the API refuses to
    evict the next.
    """
    shop = platform.shop

    def ready() -> list[str]:
        return [pod["metadata"]["name"] for pod in shop.pods(PART) if is_ready(pod)]

    def budget_allows_one() -> bool:
        name, inside = f"{shop.name}-{PART}", ("--namespace", shop.namespace)
        allowed = ("--output", "jsonpath={.status.disruptionsAllowed}")
        return kubectl("get", "poddisruptionbudget", name, *inside, *allowed) == "1"

    def scale(replicas: int) -> None:
        inside = ("--namespace", shop.namespace)
        kubectl("scale", shop.deployment(PART), f"--replicas={replicas}", *inside)
        wait_until(f"{replicas} of {PART}", lambda: len(ready()) == replicas, within=60)

    scale(2)
    try:
        first, second = ready()
        wait_until("a budget that counts both", budget_allows_one, within=60)
        evict(shop.namespace, first)
        with pytest.raises(CommandFailed, match="disruption budget"):
            evict(shop.namespace, second)
        assert first not in ready(), "the first was still there: its eviction changed nothing"
        assert second in ready()
        wait_until(f"2 of {PART} again", lambda: len(ready()) == 2, within=60)
        wait_until("a budget that counts both again", budget_allows_one, within=60)
        evict(shop.namespace, second)  # once the part is whole, the next may go
    finally:
        wait_until(f"2 of {PART} again", lambda: len(ready()) == 2, within=60)
        scale(1)
        wait_until("the other pod gets no request", lambda: len(shop.pods(PART)) == 1, within=60)


def evict(namespace: str, pod: str) -> None:
    """Ask the API, as draining a node does. Raises CommandFailed where a budget says no."""
    metadata = {"name": pod, "namespace": namespace}
    asked: dict[str, Any] = {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata,
    }  # fmt: skip  # one glance
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "--filename", "-", input=json.dumps(asked))
