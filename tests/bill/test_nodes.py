"""Does the report say on which nodes the deployments ran, and which cores they shared?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from borough_bill.experiments.compare import planned
from borough_bill.experiments.foreign import A, B, Deployment
from borough_bill.targets.cluster import Pod, Site, nodes_of, placement
from borough_bill.targets.machine import Placement

PLAIN = {A: Deployment.at("http://a"), B: Deployment.at("http://b")}


def node(name: str, boot: str) -> dict[str, Any]:
    """A node of the cluster, as the API server lists it."""
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "::2"}]
    return {
        "metadata": {"name": name},
        "status": {
            "capacity": {"cpu": "2"},
            "addresses": addresses,
            "nodeInfo": {"bootID": boot},
        },
    }


def pod(node: str) -> Pod:
    """A pod on this node."""
    return Pod("p", "p-0", node, ready=True, container="p", port=9090, env={})


def placed(boot: Path, pods: Mapping[str, tuple[Pod, ...]], *items: dict[str, Any]) -> str:
    return placement(pods, nodes_of({"items": items}, boot))


def test_single_node_is_reported_and_whether_it_runs_the_generator(tmp_path: Path) -> None:
    """The boot ID tells whether the generator shares the cores of that node."""
    boot = tmp_path / "boot_id"
    boot.write_text("this-boot\n")
    pods = {A: (pod("n1"),), B: (pod("n1"),)}
    assert placed(boot, pods, node("n1", "another")) == (
        "a single node, n1: all pods, the cluster's own programs share its 2 cores"
    )
    assert placed(boot, pods, node("n1", "this-boot")) == (
        "a single node, this machine: all pods, the cluster's own programs and the generator "
        "share its 2 cores"
    )


def test_nodes_of_each_deployment_are_reported() -> None:
    """A faster node for A would count as a price of B."""
    boot = Path("/gone")  # a system that does not name its boot
    pods = {A: (pod("n2"), pod("n1"), pod("n2")), B: (pod("n3"),)}
    several = [node(name, "x") for name in ("n1", "n2", "n3")]
    assert placed(boot, pods, *several) == "a on n1 and n2, b on n3, the generator elsewhere"
    assert nodes_of({"items": several}, boot)[0].addresses == ("::2",)


def test_site_is_part_of_the_plan() -> None:
    """With the sources of its figures; requests of a single class have its name."""
    site = Site("a single node", {"CPU": "the pods"})
    make = partial(planned, PLAIN, Placement(0, 1), rate=5, seconds=10, blocks=3)
    plan = make(site, workload="orders")
    assert plan.placement == "the generator on core 1; a single node"
    assert plan.sources == {"CPU": "the pods"}
    assert (plan.noun, plan.warm_up_s) == ("order", 1)
    assert make(workload="shop").noun == "request"
