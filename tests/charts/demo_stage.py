"""A fake environment of the demonstration of scaling: the shop and its operator behind a fake
kubectl.

Time is virtual. The operator decides by the real decision function, whenever its metrics are
read; its pods are ready at once.
"""

import json
import math
import subprocess
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from borough_operator.decision.decide import decide
from borough_operator.decision.goals import needs
from borough_operator.decision.model import (
    ForeignWriter,
    Freshness,
    History,
    Observation,
    Policy,
    Reading,
)
from borough_operator.kube.spec import parse

CALM, SKEWED = 0.15, 0.6
"""The shares of orders that `make load` sends, without and with SKEW=payments."""


class Job:
    """`make load`, while it runs."""

    def __init__(self, stage: "Stage", env: dict[str, str]) -> None:
        self.rate = float(env["RATE"])
        self.orders = SKEWED if env["SKEW"] else CALM
        self.returncode: int | None = None
        self.killed = False
        self._stage = stage
        self._ends = stage.now + float(env["FOR"])

    def poll(self) -> int | None:
        """As of a process."""
        if self.returncode is None and self._stage.now >= self._ends and not self._stage.endless:
            self.returncode = 0
        return self.returncode

    def communicate(self) -> tuple[str, None]:
        """Its output."""
        return "all served\n", None

    def kill(self) -> None:
        """As of a process."""
        self.killed = True


class Stage:
    """The cluster that the demonstration reads and changes, and its clock."""

    PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT  # it replaces `subprocess`, too

    def __init__(self, demo: ModuleType, sizes: dict[str, int]) -> None:
        self.sizes = dict(sizes)
        self.scalers: dict[str, tuple[Policy, History]] = {}
        self.jobs: list[Job] = []
        self.deleted: list[str] = []
        """The deleted Jobs."""
        self.endless = False
        """Whether loads never end."""
        self.fails: dict[str, Exception] = {}
        """The error that a verb of kubectl raises once, after half of its work."""
        self.now = 0.0
        self.patience = math.inf
        """The time of an interrupt."""
        self._demo = demo
        self._writers: dict[str, ForeignWriter] = {}

    def monotonic(self) -> float:
        """The clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advances the clock."""
        self.now += seconds
        if self.now > self.patience:
            self.patience = math.inf
            raise KeyboardInterrupt

    def Popen(self, _: object, *, env: dict[str, str], **__: object) -> Job:  # noqa: N802  # its name
        """Start `make load`."""
        self.jobs.append(Job(self, env))
        return self.jobs[-1]

    def kubectl(self, verb: str, *words: str, text: str = "") -> str:
        """The answer of kubectl. Raises the error that is planned for the verb."""
        match (verb, *words):
            case ("get", "deployments", *_):
                return json.dumps({"items": [*self._deployments()]})
            case ("delete", "servicescalers", *_):
                self.scalers.clear()
            case ("delete", "job", name, *_):
                self.deleted.append(name)
            case ("scale", target, *_, number):
                self._scale(target.removeprefix("deployment/borough-"), int(number.split("=")[1]))
            case ("apply", *_):
                items = json.loads(text)["items"]
                self._apply(items[: 1 if "apply" in self.fails else None])
            case ("exec", *_):
                return "\n".join(line for part in self.scalers for line in self._decided(part))
        if verb in self.fails:
            raise self.fails.pop(verb)
        return ""

    def _deployments(self) -> Iterator[dict[str, Any]]:
        for part, pods in self.sizes.items():
            yield {"metadata": {"name": f"borough-{part}"}, "spec": {"replicas": pods}}

    def _scale(self, part: str, pods: int) -> None:
        self.sizes[part] = pods
        self._writers[part] = ForeignWriter("kubectl", self.now)

    def _apply(self, manifests: list[dict[str, Any]]) -> None:
        for one in manifests:
            one["metadata"] |= {"uid": "1", "generation": 1}
            part = one["metadata"]["name"].removeprefix("borough-")
            self.scalers[part] = parse(one).policy, History()

    def _decided(self, part: str) -> Iterator[str]:
        """What the operator exposes of a scaler after one more decision."""
        policy, history = self.scalers[part]
        rate = self._rate(part)
        decision = decide(
            policy,
            Observation(
                self.sizes[part],
                self.sizes[part],
                {need: Reading(Freshness.FRESH, rate) for need in needs(policy)},
                writer=self._writers.get(part),
            ),
            history,
            self.now,
        )
        self.scalers[part] = policy, decision.history
        if decision.write:
            self.sizes[part] = decision.replicas
            self._writers.pop(part, None)
        for name, more, value in (
            ("current_replicas", "", self.sizes[part]),
            ("ready_replicas", "", self.sizes[part]),
            ("goal_value", ',goal="RequestRate"', rate),
            ("reason", f',reason="{decision.reason}"', 1),
        ):
            labels = f'namespace="borough",scaler="borough-{part}"{more}'
            yield f"borough_scaler_{name}{{{labels}}} {value}"

    def _rate(self, part: str) -> float:
        """The current requests a second to a part."""
        running = [job for job in self.jobs if job.poll() is None and not job.killed]
        return sum(job.rate * (job.orders if part == self._demo.GROWS else 1.0) for job in running)


def stage(demo: ModuleType, sizes: dict[str, int], patch: pytest.MonkeyPatch) -> Stage:
    """A stage for a demonstration in a shop of these sizes."""
    made = Stage(demo, sizes)
    patch.setattr(demo, "kubectl", made.kubectl)
    patch.setattr(demo, "time", made)
    patch.setattr(demo, "subprocess", made)
    return made
