"""Memory of every pod of some namespaces, as the kubelet of its node measures it.

    python charts/footprint.py NAMESPACE... [--absent NAME=QUANTITY] [--json]

RSS is a pod's anonymous memory, which is available to no other process; its working set adds pages
of files and memory shared by its processes that were used recently. A pod without a measurement,
because it does not run or has just started, counts with the memory it requests, and is marked; so
do components that are not installed and named by --absent.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MIB = 1 << 20
UNITS = {"Ki": 1 << 10, "Mi": MIB, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}
HEAD = ("NAMESPACE", "POD", "RSS MiB", "WORKING SET MiB", "REQUEST MiB")


@dataclass(frozen=True, slots=True)
class Footprint:
    """A pod's memory in MiB; if `assumed`, the first two figures are its request."""

    namespace: str
    pod: str
    rss_mib: float
    working_set_mib: float
    request_mib: float
    assumed: bool


def get(path: str) -> Any:
    """A response of the API server. Raises SystemExit with kubectl's message."""
    command = ["kubectl", "get", "--raw", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # constant arguments
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)


def bytes_of(quantity: str) -> float:
    """Bytes of an amount of memory in Kubernetes' notation. Raises SystemExit."""
    number = quantity.rstrip("".join(UNITS))
    try:
        return float(number) * UNITS[quantity[len(number) :]]
    except (KeyError, ValueError):
        raise SystemExit(f"{quantity!r} is not an amount of memory such as 256Mi") from None


def footprints(namespaces: Iterable[str]) -> list[Footprint]:
    """The footprint of every pod of these namespaces that has not ended."""
    pods = [
        pod
        for namespace in namespaces
        for pod in get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        if pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    nodes = sorted({pod["spec"]["nodeName"] for pod in pods if "nodeName" in pod["spec"]})
    measured = {
        figures["podRef"]["uid"]: figures.get("memory", {})
        for node in nodes
        for figures in get(f"/api/v1/nodes/{node}/proxy/stats/summary")["pods"]
    }
    return [_footprint(pod, measured.get(pod["metadata"]["uid"], {})) for pod in pods]


def _footprint(pod: Mapping[str, Any], memory: Mapping[str, int]) -> Footprint:
    requests = (c.get("resources", {}).get("requests", {}) for c in pod["spec"]["containers"])
    request = sum(bytes_of(each.get("memory", "0")) for each in requests)
    rss, working_set = (memory.get(name, request) for name in ("rssBytes", "workingSetBytes"))
    meta, figures = pod["metadata"], (rss / MIB, working_set / MIB, request / MIB)
    return Footprint(meta["namespace"], meta["name"], *figures, assumed="rssBytes" not in memory)


def table(found: Iterable[Footprint], total: Footprint) -> str:
    """A line for each pod, and their sum."""
    rows: list[tuple[str, ...]] = [HEAD]
    for one in (*found, total):
        name = f"{one.pod} *" if one.assumed else one.pod
        figures = (f"{mib:.0f}" for mib in (one.rss_mib, one.working_set_mib, one.request_mib))
        rows.append((one.namespace, name, *figures))
    first, second, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    layout = f"{{:<{first}}}  {{:<{second}}}" + "".join(f"  {{:>{width}}}" for width in others)
    lines = [layout.format(*row) for row in rows]
    if any(one.assumed for one in found):
        lines.append("* does not run here: counted with the memory it requests")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="Memory of the pods of these namespaces.")
    parser.add_argument("namespaces", nargs="+", metavar="NAMESPACE")
    parser.add_argument("--absent", action="append", default=[], metavar="NAME=QUANTITY")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = footprints(options.namespaces)
    for name, _, quantity in (each.partition("=") for each in options.absent):
        mib = bytes_of(quantity) / MIB
        found.append(Footprint("(not installed)", name, mib, mib, mib, assumed=True))
    columns = ("rss_mib", "working_set_mib", "request_mib")
    sums = {column: sum(getattr(one, column) for one in found) for column in columns}
    total = Footprint("total", "", **sums, assumed=False)
    document = {**sums, "pods": [asdict(one) for one in found]}
    sys.stdout.write((json.dumps(document) if options.json else table(found, total)) + "\n")


if __name__ == "__main__":
    main()
