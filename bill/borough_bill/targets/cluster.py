"""A Kubernetes cluster, reached by kubectl with its current context.

kubectl implements every login. The metrics of a pod are read by port-forward, which connects on the
pod's own node: from elsewhere a NetworkPolicy may refuse the connection.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

from borough_bill.targets.processes import die_with_parent

KUBECTL = "kubectl"
START_TIMEOUT_S = 30.0
"""For the first output of a port-forward."""

_FORWARDS = re.compile(r"Forwarding from (\S+:\d+) ->")


class Unreachable(Exception):
    """Something in a cluster that cannot be reached; the message names it and says why."""


class Cluster(Protocol):
    """The operations that a measurement needs."""

    async def get(self, path: str) -> dict[str, Any]:
        """An object, or a list of them, by its path in the API. Raises Unreachable."""
        ...

    def forwarded(self, namespace: str, target: str, port: int) -> AbstractAsyncContextManager[str]:
        """A base URL on this machine that is forwarded to a port of `target`, pod/NAME or
        service/NAME, while the context lasts. Raises Unreachable.
        """
        ...

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """The output of a command in a container, whatever its exit status. Raises Unreachable if
        there is none.
        """
        ...


class Kubectl:
    """The cluster of kubectl's current context."""

    async def get(self, path: str) -> dict[str, Any]:
        """By `kubectl get --raw`."""
        found: dict[str, Any] = json.loads(await _output("get", "--raw", path))
        return found

    @asynccontextmanager
    async def forwarded(self, namespace: str, target: str, port: int) -> AsyncIterator[str]:
        """By `kubectl port-forward`."""
        command = ("port-forward", "--namespace", namespace, target, f":{port}")
        process = await _started(command, stderr=asyncio.subprocess.STDOUT)
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        drain = None
        try:
            address = await _forward_address(process.stdout, _command_line(command))
            drain = asyncio.create_task(_drain(process.stdout))
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
        """By `kubectl exec`."""
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


async def _drain(output: asyncio.StreamReader) -> None:
    """Read the output to its end, so that the process never blocks on a full pipe."""
    while await output.read(1 << 16):
        pass


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
