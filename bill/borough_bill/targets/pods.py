"""The pods of a release as the API server lists them, and the API keys in their Secret."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from borough_bill.targets.cluster import Cluster, Unreachable

OPS = "ops"
"""The chart's name of the port of /metrics; only pods of parts have it."""
PART = "app.kubernetes.io/component"
"""The label with the name of the part."""
KEYS = "BOROUGH_API_KEYS"


@dataclass(frozen=True, slots=True)
class Pod:
    """A replica of a part; `container` is the one with the ops port, `process` its name in the
    bill, and `env` its variables as the API server lists them.
    """

    name: str
    process: str
    node: str
    ready: bool
    container: str
    port: int
    env: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, item: Mapping[str, Any], number: int) -> Self | None:
        """The pod of a list's item, replica `number` of its part; None for a pod that is not of a
        part, or is being deleted.
        """
        meta, spec = item["metadata"], item["spec"]
        for container in spec["containers"]:
            for port in container.get("ports", ()):
                if port.get("name") == OPS and "deletionTimestamp" not in meta:
                    return cls(
                        name=meta["name"],
                        process=f"{part_of(item)}-{number}",
                        node=spec.get("nodeName", ""),
                        ready=_ready(item["status"]),
                        container=container["name"],
                        port=port["containerPort"],
                        env={given["name"]: given for given in container.get("env", ())},
                    )
        return None


def part_of(item: Mapping[str, Any]) -> str:
    """The part that a pod is a replica of; empty without a label."""
    return str(item["metadata"].get("labels", {}).get(PART, ""))


def _ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def pods(listed: Mapping[str, Any]) -> tuple[Pod, ...]:
    """The pods of parts, sorted by name; the replicas of a part are numbered in this order."""
    counted, found = Counter[str](), list[Pod]()
    for item in sorted(listed["items"], key=lambda item: item["metadata"]["name"]):
        if (pod := Pod.of(item, counted[part_of(item)])) is not None:
            counted[part_of(item)] += 1
            found.append(pod)
    return tuple(found)


async def customers(cluster: Cluster, namespace: str, given: Sequence[Pod]) -> dict[str, str]:
    """The API keys by customer, in the Secret of the pods. Raises Unreachable."""
    wanted = next((pod.env[KEYS] for pod in given if KEYS in pod.env), {})
    try:
        secret = wanted["valueFrom"]["secretKeyRef"]
    except KeyError:
        raise Unreachable(f"the pods in {namespace} have no {KEYS} from a Secret") from None
    held = await cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{secret['name']}")
    keys: dict[str, str] = json.loads(b64decode(held["data"][secret["key"]]))
    return keys
