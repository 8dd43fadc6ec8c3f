"""The nodes of a cluster, and which pods share their cores.

On a single node everything measured shares its cores with everything else, and there is no network
between two parts, which the report has to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from borough_bill.analysis.formats import listed
from borough_bill.targets.pods import Pod

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The ID of this boot of the kernel, the same in every container; only Linux has it."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where deployments run, for the report; the fields are those of `Plan` and `Result`."""

    placement: str = "the deployments wherever they were started"
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Node(NamedTuple):
    """A machine of the cluster; `here` if it is this one."""

    name: str
    cores: str
    addresses: tuple[str, ...]
    here: bool


def nodes_of(found: Mapping[str, Any], boot_id: Path = BOOT_ID) -> tuple[Node, ...]:
    """From the API server's list."""
    boot = boot_id.read_text("ascii").strip() if boot_id.exists() else None
    return tuple(
        Node(
            name=item["metadata"]["name"],
            cores=item["status"]["capacity"]["cpu"],
            addresses=tuple(
                each["address"]
                for each in item["status"]["addresses"]
                if each["type"] == "InternalIP"
            ),
            here=item["status"]["nodeInfo"]["bootID"] == boot,
        )
        for item in found["items"]
    )


def placement(pods: Mapping[str, Sequence[Pod]], nodes: Sequence[Node]) -> str:
    """The nodes of each deployment's pods, as a text for the report."""
    here = next((node for node in nodes if node.here), None)
    if len(nodes) > 1:
        spread = [
            f"{at} on {listed(sorted({pod.node for pod in its}))}" for at, its in pods.items()
        ]
        return f"{', '.join(spread)}, the generator {f'on {here.name}' if here else 'elsewhere'}"
    (node,) = nodes
    name, generator = ("this machine", " and the generator") if here else (node.name, "")
    return (
        f"a single node, {name}: all pods, the cluster's own programs{generator} share its "
        f"{node.cores} cores"
    )
