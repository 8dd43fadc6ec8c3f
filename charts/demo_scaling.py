"""Demonstrates the operator on the platform that `make up` installed, in about five minutes.

    python charts/demo_scaling.py

Each part of the shop starts with one pod, and with a ServiceScaler whose goals give only payments
too much load when orders multiply. Then requests are sent at a constant rate, after a while with
four times the share of orders; payments is scaled by hand; the load ends. Every few seconds a line
shows what the operator reads and does, by its own metrics. At the end, also after an error, scalers
and load are removed, and each part has its former number of pods. Expectations that were not met
are listed, with exit status 1.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[1]
SHOP, OPERATOR = "borough", "borough-operator"
"""Names of the releases, and of their namespaces."""
IN_SHOP = ("--namespace", SHOP)
LABELS = "app.kubernetes.io/instance=borough,app.kubernetes.io/part-of=borough"
GROWS = "payments"
EVERY_S = 5.0
"""Seconds between two lines."""
RATE, CALM_S, BUSY_S = 24, 45, 150
"""Requests a second, and seconds of load before and after orders multiply."""
HOLD_S, WINDOW_S, LARGEST = 45, 45, 6
GROWN_S, GONE_S = 60, 120
"""Seconds within which an effect must be observed."""
FEW, PLENTY = "10", "500"
"""Requests a second that one pod can carry: of payments, which hashes cards, and of all others."""
METRICS = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
)


@dataclass(slots=True)
class State:
    """What the operator's metrics show of one scaler."""

    current: int = 0
    ready: int = 0
    reason: str = ""
    load: float | None = None
    """Requests a second, as the operator read them last."""

    @property
    def size(self) -> str:
        """Ready and requested pods, or one number where they are equal."""
        return f"{self.current}" if self.current == self.ready else f"{self.ready}/{self.current}"

    @property
    def rate(self) -> str:
        return "-" if self.load is None else f"{self.load:.1f}"


@dataclass(slots=True)
class Timeline:
    """The printed table, and its rows."""

    parts: list[str]
    began: float = field(default_factory=time.monotonic)
    rows: list[dict[str, State]] = field(default_factory=list)

    def row(self) -> dict[str, State]:
        """Print the current states, or that they cannot be read."""
        at = f"{time.monotonic() - self.began:4.0f}s"
        try:
            states = read_metrics()
        except CommandFailed as error:
            say(f"{at:>5}  the operator does not respond: {str(error).splitlines()[-1][:80]}")
            return {}
        sizes = (f"{states.get(part, State()).size:>{len(part)}}" for part in self.parts)
        door, grows = states.get("gateway", State()), states.get(GROWS, State())
        say(f"{at:>5}  {door.rate:>5}  {grows.rate:>8}  {'  '.join(sizes)}  {grows.reason}")
        self.rows.append(states)
        return states

    def until(self, holds: Callable[[dict[str, State]], bool], within: float) -> bool:
        """Print lines until `holds`; returns whether it did within this many seconds."""
        ends = time.monotonic() + within
        while time.monotonic() < ends:
            began = time.monotonic()
            if holds(self.row()):
                return True
            time.sleep(max(0.0, began + EVERY_S - time.monotonic()))  # until the next line
        return False


class CommandFailed(Exception):
    """kubectl failed; the message is its output."""


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201  # a demonstration


def note(text: str) -> None:
    """Print a note between the lines."""
    say(f"{'':>5}  -- {text}")


def kubectl(*words: str, text: str = "") -> str:
    """The output of kubectl. Raises CommandFailed."""
    done = subprocess.run(  # noqa: S603  # constant arguments
        ["kubectl", *words], input=text, capture_output=True, text=True, check=False  # noqa: S607  # the user's
    )  # fmt: skip  # the command on one line
    if done.returncode:
        found = done.stderr.strip() or done.stdout.strip()
        raise CommandFailed(found or f"kubectl {words[0]} failed")
    return done.stdout


def read_metrics() -> dict[str, State]:
    """The state of each part by the operator's metrics. Raises CommandFailed."""
    target = ("--namespace", OPERATOR, f"deployment/{OPERATOR}")
    page = kubectl("exec", *target, "--", "python", "-c", METRICS)
    states: dict[str, State] = {}
    for sample in (s for family in text_string_to_metric_families(page) for s in family.samples):
        if sample.labels.get("namespace") != SHOP or "scaler" not in sample.labels:
            continue
        part = sample.labels["scaler"].removeprefix(f"{SHOP}-")
        state = states.setdefault(part, State())
        match sample.name.removeprefix("borough_scaler_"):
            case "current_replicas":
                state.current = int(sample.value)
            case "ready_replicas":
                state.ready = int(sample.value)
            case "reason" if sample.value:
                state.reason = sample.labels["reason"]
            case "goal_value":
                state.load = sample.value
            case _:
                pass  # not in the table
    return states


def scaler(part: str) -> dict[str, Any]:
    """A scaler of a part by request rate, which only payments will exceed."""
    return {
        "apiVersion": "borough.dev/v1alpha1",
        "kind": "ServiceScaler",
        "metadata": {"name": f"{SHOP}-{part}", "namespace": SHOP},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": f"{SHOP}-{part}"},
            "replicas": {"min": 1, "max": LARGEST},
            "goals": [{"type": "RequestRate", "perReplica": FEW if part == GROWS else PLENTY}],
            "behavior": {"interval": "5s", "down": {"window": f"{WINDOW_S}s", "maxPercent": 50}},
            "manualHold": f"{HOLD_S}s",
        },
    }


@contextmanager
def scaled(before: dict[str, int]) -> Iterator[None]:
    """A context in which every part starts with one pod and has a scaler. At its end, also after
    an error, each part has as many pods as before.
    """
    manifests = {"apiVersion": "v1", "kind": "List", "items": [scaler(part) for part in before]}
    try:
        resize(dict.fromkeys(before, 1), "to begin with")
        kubectl("apply", "--filename", "-", text=json.dumps(manifests))
        yield
    finally:
        try:
            kubectl("delete", "servicescalers", *IN_SHOP, "--all")
        finally:
            resize(before, "as before")


def resize(wanted: dict[str, int], why: str) -> None:
    """Give each part this number of pods, and print each change."""
    for part, pods in sizes().items():
        if pods != wanted.get(part, pods):
            say(f"{part}: {pods} -> {wanted[part]} pods, {why}")
            scale(part, wanted[part])


def scale(part: str, pods: int) -> None:
    """Scale a part by hand."""
    kubectl("scale", f"deployment/{SHOP}-{part}", *IN_SHOP, f"--replicas={pods}")


@contextmanager
def load(timeline: Timeline, seconds: int, skew: str = "") -> Iterator[None]:
    """A context with requests from inside the cluster, and lines until they end. Raises SystemExit
    if they do not end, or not all are served.
    """
    options = {"CLUSTER": "current", "RATE": str(RATE), "FOR": str(seconds), "SKEW": skew}
    job = subprocess.Popen(  # noqa: S603  # constant arguments
        [ROOT / "charts" / "cluster.sh", "load"], env=os.environ | options,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip  # the command on one line
    try:
        yield
        if not timeline.until(lambda _: job.poll() is not None, seconds + GONE_S):
            sys.exit(f"The load of {seconds} s has not ended {GONE_S} s later.")
        output, _ = job.communicate()
    except BaseException:
        job.kill()
        kubectl("delete", "job", f"{SHOP}-load", *IN_SHOP, "--ignore-not-found")
        raise
    note(next((line for line in output.splitlines() if " served" in line), output.strip()))
    if job.returncode:
        raise SystemExit(output)


def sizes() -> dict[str, int]:
    """The number of pods that each part of the shop should have. Raises CommandFailed."""
    words = (*IN_SHOP, "--selector", LABELS, "--output", "json")
    found = json.loads(kubectl("get", "deployments", *words))["items"]
    names = (one["metadata"]["name"].removeprefix(f"{SHOP}-") for one in found)
    return dict(zip(names, (one["spec"]["replicas"] for one in found), strict=True))


def ready() -> dict[str, int]:
    """The parts and their sizes. Raises SystemExit if the platform is not suitable."""
    try:
        parts = sizes()
        taken = kubectl("get", "servicescalers", *IN_SHOP, "--output", "name").split()
        kubectl("get", "deployment", OPERATOR, "--namespace", OPERATOR)
    except CommandFailed as error:
        raise SystemExit(f"{error}\nThe platform is not there: make up CLUSTER=current") from None
    if GROWS not in parts:
        raise SystemExit(f"{GROWS} is no part of its own here: make up SHAPE=microservices")
    if taken:
        raise SystemExit(f"Scaled already: {', '.join(taken)}; make up without SCALING ends that")
    return parts


def main() -> None:
    """Run the demonstration."""
    before = ready()
    others = [part for part in before if part != GROWS]
    timeline = Timeline([*sorted(others), GROWS])
    failures: list[str] = []

    def expect(what: str, holds: Callable[[State], bool], within: float, *of: str) -> None:
        parts = of or (GROWS,)
        if not timeline.until(lambda s: all(p in s and holds(s[p]) for p in parts), within):
            failures.append(what)
            note(f"not seen in {within:.0f} s: {what}")

    with scaled(before):
        names = "  ".join(timeline.parts)
        say(f"{'TIME':>5}  {'REQ/S':>5}  {'ORDERS/S':>8}  {names}  REASON OF {GROWS.upper()}")
        expect("one pod of each part", lambda s: s.current == s.ready == 1, GROWN_S, *before)
        timeline.rows.clear()  # until then, parts may have had more
        note(f"{RATE} requests a second, 15 % of them orders")
        with load(timeline, CALM_S):
            pass
        note("the same rate, 60 % of them orders")
        with load(timeline, BUSY_S, GROWS):
            expect(f"{GROWS} grows", lambda s: s.ready == s.current > 1, GROWN_S)
            note(f"by hand: kubectl scale deployment/{SHOP}-{GROWS} --replicas=1")
            scale(GROWS, 1)
            expect("the number is held", lambda s: s.reason == "ManualHold", 3 * EVERY_S)
            path = "jsonpath={.status.conditions[?(@.type=='ManualHold')].message}"
            note(kubectl("get", "servicescaler", f"{SHOP}-{GROWS}", *IN_SHOP, "--output", path))
            expect("the hold ends", lambda s: s.reason != "ManualHold", HOLD_S + 4 * EVERY_S)
            expect(f"{GROWS} grows again", lambda s: s.ready == s.current > 1, GROWN_S)
        note("no load")
        expect(f"{GROWS} shrinks", lambda s: s.current == 1, WINDOW_S + GONE_S)
    grown = {p for row in timeline.rows for p in others if p in row and row[p].current != 1}
    failures += [f"{part} stays as it is" for part in sorted(grown)]
    if failures:
        sys.exit(f"Not seen: {'; '.join(failures)}.")
    most = max(row[GROWS].current for row in timeline.rows if GROWS in row)
    say(f"{GROWS} grew from 1 to {most} pods and back, and no other part did.")


if __name__ == "__main__":
    try:
        main()
    except CommandFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
