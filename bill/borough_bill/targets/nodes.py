"""The machines of a cluster: who shares whose cores.

On a single node everything that is measured shares its cores with everything else, and no network
lies between two parts. A report that does not say so would be taken for more.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from borough_bill.analysis.lines.formats import listed
from borough_bill.targets.pods import Pod

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Names this boot of this kernel, in every container on it too; only Linux has it."""


class Node(NamedTuple):
    """A machine of the cluster. `here` says whether it is this one."""

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
    """Where the pods of each deployment run, for the report."""
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
