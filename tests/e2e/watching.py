"""Every change in a namespace during a watch: the replicas of each Deployment, and the reasons.

The API server sends every change as it happens, so what is found here has the time of the change
and not of a look; nothing that lasted only a moment is missed.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from e2e.cluster import wait_until

PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ServiceScaler": "/apis/borough.dev/v1alpha1/namespaces/{}/servicescalers",
}
ENDED_S = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was from that moment on, in Unix time."""

    at: float
    kind: str
    object: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def replicas(self) -> int:
        """What the spec of a Deployment asks for."""
        return int(self.object["spec"]["replicas"])

    @property
    def desired(self) -> int | None:
        """What a scaler says its target should have; None before its first decision."""
        found = self.object.get("status", {}).get("desiredReplicas")
        return None if found is None else int(found)

    @property
    def reason(self) -> str:
        """Of a scaler's last decision."""
        return str(self.object.get("status", {}).get("reason", ""))

    def says(self, condition: str) -> str:
        """Whether it holds: True, False or Unknown; nothing where a scaler does not have it."""
        return str(self.condition(condition).get("status", ""))

    def condition(self, name: str) -> dict[str, Any]:
        """A condition of a scaler; empty where it has none of that name."""
        conditions = self.object.get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == name), {})


def sees(seen: Seen) -> bool:
    """Whether a scaler's metrics can be trusted."""
    return seen.says("MetricsHealthy") == "True"


def held(seen: Seen) -> bool:
    """Whether a scaler holds a number that was set by hand."""
    return seen.says("ManualHold") == "True"


def many(seen: Seen) -> bool:
    """Whether a Deployment is asked to have more than one pod."""
    return seen.replicas > 1


def one(seen: Seen) -> bool:
    """Whether it is asked to have one."""
    return seen.replicas == 1


class Watch:
    """Watches a namespace while the context lasts, and records."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._seen: list[Seen] = []
        self._watches: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind, path in PATHS.items():
            words = ["kubectl", "get", "--raw", f"{path.format(self._namespace)}?watch=true"]
            watch = subprocess.Popen(  # noqa: S603  # our own words
                words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
            )
            thread = threading.Thread(target=self._read, args=(kind, watch), daemon=True)
            self._watches.append(watch)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        ended = [watch for watch in self._watches if watch.poll() is not None]
        for watch in self._watches:
            watch.kill()
            watch.wait(ENDED_S)
        for thread in self._threads:
            thread.join(ENDED_S)
        for watch in self._watches:
            if watch.stdout is not None:
                watch.stdout.close()
        assert error is not None or not ended, "a watch ended: not everything was seen"

    def _read(self, kind: str, watch: "subprocess.Popen[str]") -> None:
        assert watch.stdout is not None
        for line in watch.stdout:
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                self._seen.append(Seen(time.time(), kind, event["object"]))

    def of(self, kind: str, name: str, since: float = 0.0) -> Iterator[Seen]:
        """Every state of an object that began after `since`, in their order."""
        return (
            seen
            for seen in tuple(self._seen)
            if seen.kind == kind and seen.name == name and seen.at > since
        )

    def names(self, kind: str) -> set[str]:
        """All that were there."""
        return {seen.name for seen in tuple(self._seen) if seen.kind == kind}

    def last(self, kind: str, name: str, before: float = float("inf")) -> Seen:
        """The state an object was in at a moment. Raises LookupError where it was not there."""
        found = [seen for seen in self.of(kind, name) if seen.at <= before]
        if not found:
            raise LookupError(f"{kind} {name} was not seen")
        return found[-1]

    def first(
        self, kind: str, name: str, holds: Callable[[Seen], bool], since: float = 0.0
    ) -> Seen | None:
        """The first state after `since` of which this holds."""
        return next((seen for seen in self.of(kind, name, since) if holds(seen)), None)

    def wait(  # noqa: PLR0913  # what, of whom, since when, how long
        self,
        what: str,
        kind: str,
        name: str,
        holds: Callable[[Seen], bool],
        *,
        since: float = 0.0,
        within: float,
    ) -> Seen:
        """The same, waited for. Raises NotInTime."""
        return wait_until(what, lambda: self.first(kind, name, holds, since), within)

    def replicas(self, name: str, since: float, until: float = float("inf")) -> list[int]:
        """What a Deployment was asked to have, from the number it had at `since` on, each number
        that differs from the one before.
        """
        numbers = [self.last("Deployment", name, since).replicas]
        for seen in self.of("Deployment", name, since):
            if seen.at <= until and seen.replicas != numbers[-1]:
                numbers.append(seen.replicas)
        return numbers
