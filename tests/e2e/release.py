"""A release of one of our charts: installed, upgraded, rolled back and uninstalled as a user would.

Values are given whole, each time: nothing of an earlier upgrade is reused, so a test reads as what
it does. Whatever fails to get ready is quoted with the state of its pods.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import (
    IMAGE,
    LOAD_IMAGE,
    OPERATOR_IMAGE,
    ROOT,
    CommandFailed,
    apply,
    get,
    helm,
    kubectl,
    met,
)

READY_S = 180
"""What is installed or upgraded is ready within this: a bound, not a promise."""
CUSTOMERS = "e2e-customers"
IMAGES = {"borough": IMAGE, "borough-operator": OPERATOR_IMAGE}
"""The image under test, by the chart that runs it."""
LAST_EVENTS, LAST_WORDS, LONGEST_LINE = 15, 10, 300

Values = Mapping[str, Any]


def image_values(image: str = IMAGE) -> dict[str, str]:
    """The chart's `image` for REPOSITORY:TAG or REPOSITORY@DIGEST."""
    repository, at, digest = image.partition("@")
    if at:
        return {"repository": repository, "digest": digest}
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def customers(namespace: str, *names: str) -> dict[str, str]:
    """A Secret with a key for each of them, for the chart's `customers.existingSecret`; the keys
    by name.
    """
    keys = {name: f"key-of-{name}" for name in names}
    metadata = {"name": CUSTOMERS}
    text = {"api-keys": json.dumps(keys)}
    apply(
        namespace, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text}
    )
    return keys


@dataclass(frozen=True, slots=True)
class Release:
    """A name in a namespace; `chart` is the folder."""

    name: str
    namespace: str
    chart: Path = ROOT / "charts" / "borough"

    @property
    def fullname(self) -> str:
        """What the names of its objects begin with."""
        chart = self.chart.name
        return self.name if chart in self.name else f"{self.name}-{chart}"

    @property
    def door(self) -> str:
        """The public address, inside the cluster."""
        return f"http://{self.fullname}.{self.namespace}"

    # -- helm

    def install(self, values: Values, *, wait: bool = True, within: int = READY_S) -> None:
        """Raises CommandFailed with what its pods say, where not all is ready in time."""
        self._set("install", values, wait, within)

    def upgrade(self, values: Values, *, wait: bool = True, within: int = READY_S) -> None:
        """Make it what these values say, forgetting the earlier ones. Raises as `install`."""
        self._set("upgrade", values, wait, within)

    def rollback(self, revision: int = 0, within: int = READY_S) -> None:
        """Make it what it was at that revision; 0: before the last. Raises as `install`."""
        waiting = ("--wait", "--wait-for-jobs", "--timeout", f"{within}s")
        self._helm("rollback", self.name, str(revision), *waiting, within=within)

    def uninstall(self) -> None:
        """Take it away, and wait until its objects are gone. What the chart keeps stays."""
        self._helm("uninstall", self.name, "--wait", "--timeout", f"{READY_S}s")

    def test(self) -> str:
        """`helm test`: what it says. Raises CommandFailed, quoting the pod that failed."""
        return self._helm("test", self.name, "--timeout", f"{READY_S}s")

    def template(self, values: Values, *show_only: str) -> str:
        """The text of these templates, as `helm template` renders it for this release."""
        chosen = [word for name in show_only for word in ("--show-only", f"templates/{name}")]
        words = ("template", self.name, str(self.chart), "--namespace", self.namespace)
        return helm(*words, "--values", "-", *chosen, input=json.dumps(self._whole(values)))

    def _set(self, verb: str, values: Values, wait: bool, within: int) -> None:  # noqa: FBT001  # passed on
        waiting = ("--wait", "--wait-for-jobs", "--timeout", f"{within}s") if wait else ()
        chart = (self.name, str(self.chart), "--values", "-")
        self._helm(verb, *chart, *waiting, text=json.dumps(self._whole(values)), within=within)

    def _whole(self, values: Values) -> dict[str, Any]:
        image = IMAGES.get(self.chart.name)
        ours: dict[str, Any] = {"image": image_values(image)} if image else {}
        if self.chart.name == "borough":
            ours["load"] = {"image": image_values(LOAD_IMAGE)}
        return ours | {
            key: {**ours.get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in values.items()
        }

    def _helm(self, verb: str, *words: str, text: str = "", within: int = READY_S) -> str:
        try:
            return helm(verb, *words, "--namespace", self.namespace, input=text, within=within + 60)
        except CommandFailed as error:
            raise CommandFailed(f"{error}\n{self.explain()}") from None

    # -- what it made

    def workloads(self) -> list[dict[str, Any]]:
        """Its Deployments and StatefulSets."""
        kinds = ("deployments", "statefulsets")
        return [found for kind in kinds for found in get(kind, self._labels(), self.namespace)]

    def pods(self, component: str = "") -> list[dict[str, Any]]:
        """Its pods, or those of one part or other component: also those that end or have ended."""
        return get("pods", self._labels(component), self.namespace)

    def deployment(self, part: str) -> str:
        """What kubectl calls that part."""
        return f"deployment/{self.fullname}-{part}"

    def unready(self) -> list[str]:
        """The workloads that are not yet what they are to be, and the Jobs that are not done."""
        jobs = get("jobs", self._labels(), self.namespace)
        waited_for = [w for w in self.workloads() if not is_rolled_out(w)]
        waited_for += [job for job in jobs if not job["status"].get("succeeded")]
        return [found["metadata"]["name"] for found in waited_for]

    def explain(self) -> str:
        """Its pods, the last events, and the last words of whatever is not ready."""
        inside = ("--namespace", self.namespace)
        said = [_output("get", "pods", *inside, "--output", "wide")]
        events = _output("get", "events", *inside, "--sort-by", ".lastTimestamp").splitlines()
        said += events[-LAST_EVENTS:]
        for pod in self.pods():
            name, phase = pod["metadata"]["name"], pod["status"].get("phase")
            if phase == "Failed" or (phase == "Running" and not is_ready(pod)):
                said += [f"-- {name}:", _output("logs", name, *inside, f"--tail={LAST_WORDS}")]
        lines = (line for text in said for line in text.splitlines())
        return "\n".join(line[:LONGEST_LINE] for line in lines)

    def _labels(self, component: str = "") -> str:
        labels = f"app.kubernetes.io/instance={self.name}"
        return labels + (f",app.kubernetes.io/component={component}" if component else "")


def _output(*words: str) -> str:
    """What kubectl prints, or why it does not: it explains a failure and must not hide it."""
    try:
        return kubectl(*words)
    except CommandFailed as error:
        return str(error)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready, and not on its way out."""
    return "Ready" in met(pod) and "deletionTimestamp" not in pod["metadata"]


def is_rolled_out(workload: Mapping[str, Any]) -> bool:
    """Whether all replicas of a Deployment or StatefulSet are of its last template, and ready."""
    wanted, status = workload["spec"].get("replicas", 1), workload["status"]
    seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    return seen and counts == {wanted}
