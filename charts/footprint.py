"""What the platform weighs: a line a pod, with its memory as the kubelet of its node counts it.

    python charts/footprint.py NAMESPACE... [--absent NAME=QUANTITY] [--json]

RSS is a pod's anonymous memory, what nobody else can have; its working set adds the pages of files
and the memory shared by its processes that were used lately. A pod that has no figure, because it
does not run or has only just begun, counts with the memory it requests, and is marked; so does what
is not installed and is named by --absent.
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


@dataclass(frozen=True, slots=True)
class Weight:
    """A pod's memory, in MiB; where `assumed`, both figures are what it requests."""

    namespace: str
    pod: str
    rss_mib: float
    working_set_mib: float
    request_mib: float
    assumed: bool


def ask(path: str) -> Any:
    """What the API server answers. Raises SystemExit with kubectl's complaint."""
    words = ["kubectl", "get", "--raw", path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)


def bytes_of(quantity: str) -> float:
    """Kubernetes' notation of an amount of memory. Raises SystemExit where it is none."""
    number = quantity.rstrip("".join(UNITS))
    try:
        return float(number) * UNITS[quantity[len(number) :]]
    except (KeyError, ValueError):
        raise SystemExit(f"{quantity!r} is no amount of memory: it is like 256Mi") from None


def requested(pod: Mapping[str, Any]) -> float:
    """Bytes its containers request."""
    asked = (c.get("resources", {}).get("requests", {}) for c in pod["spec"]["containers"])
    return sum(bytes_of(requests.get("memory", "0")) for requests in asked)


def weights(namespaces: Iterable[str]) -> list[Weight]:
    """Of every pod of these namespaces that has not ended."""
    pods = [
        pod
        for namespace in namespaces
        for pod in ask(f"/api/v1/namespaces/{namespace}/pods")["items"]
        if pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    nodes = sorted({pod["spec"]["nodeName"] for pod in pods if "nodeName" in pod["spec"]})
    told = {
        figures["podRef"]["uid"]: figures.get("memory", {})
        for node in nodes
        for figures in ask(f"/api/v1/nodes/{node}/proxy/stats/summary")["pods"]
    }
    return [_weight(pod, told.get(pod["metadata"]["uid"], {})) for pod in pods]


def _weight(pod: Mapping[str, Any], memory: Mapping[str, int]) -> Weight:
    request = requested(pod)
    rss = memory.get("rssBytes")
    return Weight(
        namespace=pod["metadata"]["namespace"],
        pod=pod["metadata"]["name"],
        rss_mib=(request if rss is None else rss) / MIB,
        working_set_mib=memory.get("workingSetBytes", request) / MIB,
        request_mib=request / MIB,
        assumed=rss is None,
    )


def absent(words: Iterable[str]) -> list[Weight]:
    """What is not installed, at what it would request."""
    found = []
    for name, _, quantity in (word.partition("=") for word in words):
        mib = bytes_of(quantity) / MIB
        found.append(Weight("(not installed)", name, mib, mib, mib, assumed=True))
    return found


def table(found: Iterable[Weight]) -> str:
    """A line a pod, and their sum."""
    rows: list[tuple[str, ...]] = [
        ("NAMESPACE", "POD", "RSS MiB", "WORKING SET MiB", "REQUEST MiB")
    ]
    listed = list(found)
    total = Weight("total", "", *_sums(listed), assumed=False)
    for one in (*listed, total):
        figures = (one.rss_mib, one.working_set_mib, one.request_mib)
        name = f"{one.pod} *" if one.assumed else one.pod
        rows.append((one.namespace, name, *(f"{figure:.0f}" for figure in figures)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at > 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    if any(one.assumed for one in listed):
        lines.append("* does not run here: counted with the memory it requests")
    return "\n".join(lines)


def _sums(found: Iterable[Weight]) -> tuple[float, float, float]:
    figures = [(one.rss_mib, one.working_set_mib, one.request_mib) for one in found]
    return tuple(map(sum, zip(*figures, strict=True))) if figures else (0, 0, 0)  # type: ignore[return-value]  # three columns


def main() -> None:
    """Weigh, and say."""
    parser = argparse.ArgumentParser(description="What the pods of these namespaces weigh.")
    parser.add_argument("namespaces", nargs="+", metavar="NAMESPACE")
    parser.add_argument("--absent", action="append", default=[], metavar="NAME=QUANTITY")
    parser.add_argument("--json", action="store_true", help="for machines")
    told = parser.parse_args()
    found = [*weights(told.namespaces), *absent(told.absent)]
    if told.json:
        pods = [asdict(one) for one in found]
        rss, working_set, _ = _sums(found)
        said = json.dumps({"rss_mib": rss, "working_set_mib": working_set, "pods": pods})
    else:
        said = table(found)
    sys.stdout.write(said + "\n")


if __name__ == "__main__":
    main()
