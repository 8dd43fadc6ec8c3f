"""A Kubernetes cluster, reached by kubectl with its current context: its nodes, the pods of a
release, and the API keys in their Secret.

kubectl implements every login. The metrics of a pod are read by port-forward, which connects on the
pod's own node: from elsewhere a NetworkPolicy may refuse the connection.
"""

import asyncio
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from borough_bill.analysis.formats import listed
from borough_bill.targets.processes import die_with_parent

KUBECTL = "kubectl"
START_TIMEOUT_S = 30.0
"""For the first output of a port-forward."""
OPS = "ops"
"""The chart's name of the port of /metrics; only pods of parts have it."""
PART = "app.kubernetes.io/component"
"""The label with the name of the part."""
KEYS = "BOROUGH_API_KEYS"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The ID of this boot of the kernel, the same in every container; only Linux has it."""

_FORWARDS = re.compile(r"Forwarding from (\S+:\d+) ->")


class Unreachable(Exception):
    """Something in a cluster that cannot be reached; the message names it and says why."""


class Kubectl:
    """The cluster of kubectl's current context."""

    async def get(self, path: str) -> dict[str, Any]:
        """An object, or a list of them, by its path in the API. Raises Unreachable."""
        found: dict[str, Any] = json.loads(await _output("get", "--raw", path))
        return found

    @asynccontextmanager
    async def forwarded(self, namespace: str, target: str, port: int) -> AsyncIterator[str]:
        """A base URL on this machine that is forwarded to a port of `target`, pod/NAME or
        service/NAME, while the context lasts. Raises Unreachable.
        """
        command = ("port-forward", "--namespace", namespace, target, f":{port}")
        process = await _started(command, stderr=asyncio.subprocess.STDOUT)
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        drain = None
        try:
            address = await _forward_address(process.stdout, _command_line(command))
            drain = asyncio.create_task(process.stdout.read())  # a full pipe would block kubectl
            yield f"http://{address}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            if drain is not None:
                await drain

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """The output of a command in a container, whatever its exit status. Raises Unreachable if
        there is none.
        """
        inside = ("--namespace", namespace, pod, "--container", container)
        return await _output("exec", *inside, "--", *command)


async def _output(*command: str) -> str:
    """The output of kubectl. Raises Unreachable with its error if there is none."""
    process = await _started(command, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    if not out.strip():
        raise Unreachable(f"{_command_line(command)}: {err.decode(errors='replace').strip()}")
    return out.decode()


async def _forward_address(output: asyncio.StreamReader, command: str) -> str:
    """The address that a port-forward listens on. Raises Unreachable with the last line of its
    output if it ends instead, or prints none in time.
    """
    last = f"no address within {START_TIMEOUT_S:.0f} s"
    with suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            while line := (await output.readline()).decode(errors="replace"):
                if found := _FORWARDS.match(line):
                    return found[1]
                last = line.strip()
    raise Unreachable(f"{command}: {last}")


async def _started(command: Sequence[str], stderr: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            KUBECTL, *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as it is typed
    except FileNotFoundError:
        raise Unreachable(f"{KUBECTL} is not on PATH: a cluster is reached by it") from None


def _command_line(command: Sequence[str]) -> str:
    return " ".join((KUBECTL, *command))


@dataclass(frozen=True, slots=True)
class Pod:
    """A replica of a part, its name in the bill, and its container with the ops port."""

    name: str
    process: str
    node: str
    ready: bool
    container: str
    port: int
    env: Mapping[str, Mapping[str, Any]]


def pods(listed: Mapping[str, Any]) -> tuple[Pod, ...]:
    """The pods of parts that are not being deleted, sorted by name, as replicas are numbered."""
    counted, found = Counter[str](), list[Pod]()
    for item in sorted(listed["items"], key=lambda item: item["metadata"]["name"]):
        meta, spec = item["metadata"], item["spec"]
        part = meta.get("labels", {}).get(PART, "")
        states = {each["type"]: each["status"] for each in item["status"].get("conditions", ())}
        ops = (
            (container, port["containerPort"])
            for container in spec["containers"]
            for port in container.get("ports", ())
            if port.get("name") == OPS
        )
        container, port = next(ops, (None, 0))
        if container is not None and "deletionTimestamp" not in meta:
            found.append(
                Pod(
                    name=meta["name"],
                    process=f"{part}-{counted[part]}",
                    node=spec.get("nodeName", ""),
                    ready=states.get("Ready") == "True",
                    container=container["name"],
                    port=port,
                    env={given["name"]: given for given in container.get("env", ())},
                )
            )
            counted[part] += 1
    return tuple(found)


async def customers(cluster: Kubectl, namespace: str, given: Sequence[Pod]) -> dict[str, str]:
    """The API keys by customer, in the Secret of the pods. Raises Unreachable."""
    wanted = next((pod.env[KEYS] for pod in given if KEYS in pod.env), {})
    try:
        secret = wanted["valueFrom"]["secretKeyRef"]
    except KeyError:
        raise Unreachable(f"the pods in {namespace} have no {KEYS} from a Secret") from None
    held = await cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{secret['name']}")
    keys: dict[str, str] = json.loads(b64decode(held["data"][secret["key"]]))
    return keys


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
