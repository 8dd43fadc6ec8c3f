"""A Kubernetes cluster as its user reaches it: by kubectl, wherever that is logged in.

kubectl knows every way to log in, so that nobody else has to. What a pod tells is fetched by
port-forward, which enters it on its own node: from any other a NetworkPolicy may refuse it.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

from borough_bill.targets.processes import die_with_parent

KUBECTL = "kubectl"
STARTS_WITHIN = 30.0
"""Seconds until a kubectl that goes on running says its first word."""

_FORWARDS = re.compile(r"Forwarding from (\S+:\d+) ->")


class Unreachable(Exception):
    """Something in a cluster that cannot be reached; the message names it and says why."""


class Cluster(Protocol):
    """What is asked of a cluster."""

    async def get(self, path: str) -> dict[str, Any]:
        """An object, or a list of them, by its path in the API. Raises Unreachable."""
        ...

    def forwarded(self, namespace: str, target: str, port: int) -> AbstractAsyncContextManager[str]:
        """A base URL on this machine, while the context lasts: whatever is sent there reaches a
        port of `target`, pod/NAME or service/NAME. Raises Unreachable.
        """
        ...

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """What a command prints that is run in a container, however it ends. Raises Unreachable
        where it prints nothing.
        """
        ...


class Kubectl:
    """The cluster of kubectl's current context."""

    async def get(self, path: str) -> dict[str, Any]:
        """By `kubectl get --raw`."""
        found: dict[str, Any] = json.loads(await _said("get", "--raw", path))
        return found

    @asynccontextmanager
    async def forwarded(self, namespace: str, target: str, port: int) -> AsyncIterator[str]:
        """By a `kubectl port-forward` of its own."""
        command = ("port-forward", "--namespace", namespace, target, f":{port}")
        process = await _started(command, stderr=asyncio.subprocess.STDOUT)
        assert process.stdout is not None  # noqa: S101  # it was asked for
        listener = None
        try:
            address = await _forwards(process.stdout, _typed(command))
            listener = asyncio.create_task(_listen(process.stdout))
            yield f"http://{address}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            if listener is not None:
                await listener

    async def executed(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> str:
        """By `kubectl exec`."""
        inside = ("--namespace", namespace, pod, "--container", container)
        return await _said("exec", *inside, "--", *command)


async def _said(*command: str) -> str:
    """What a kubectl prints. Raises Unreachable with its complaint where that is nothing."""
    process = await _started(command, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    if not out.strip():
        raise Unreachable(f"{_typed(command)}: {err.decode(errors='replace').strip()}")
    return out.decode()


async def _forwards(words: asyncio.StreamReader, typed: str) -> str:
    """The address that a port-forward listens on, once it says so. Raises Unreachable with its last
    words where it ends instead, or has none.
    """
    last = f"no word of an address within {STARTS_WITHIN:.0f} s"
    with suppress(TimeoutError):
        async with asyncio.timeout(STARTS_WITHIN):
            while line := (await words.readline()).decode(errors="replace"):
                if found := _FORWARDS.match(line):
                    return found[1]
                last = line.strip()
    raise Unreachable(f"{typed}: {last}")


async def _listen(words: asyncio.StreamReader) -> None:
    """Hear it out, so that it never waits for somebody to listen."""
    while await words.read(1 << 16):
        pass


async def _started(command: Sequence[str], stderr: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            KUBECTL, *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as one would type it
    except FileNotFoundError:
        raise Unreachable(f"{KUBECTL} is not on PATH: a cluster is reached by it") from None


def _typed(command: Sequence[str]) -> str:
    return " ".join((KUBECTL, *command))
