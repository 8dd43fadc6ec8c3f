"""See the operator at work on the platform that `make up` installed, in some five minutes.

    python charts/demo_scaling.py

Each part of the shop begins with one pod, and with a ServiceScaler whose goals leave only payments
too much to do when orders multiply. Then load comes, as many requests a second all the time, and
from a moment on four times the share of orders; somebody scales payments by hand; the load goes.
Every few seconds a line tells what the operator sees and does, by its own metrics. At the end, also
an early one, scalers and load are gone, and each part has what it had. Whatever does not happen is
said, and the exit status is 1.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SHOP, OPERATOR = "borough", "borough-operator"
"""Names of the releases, and of their namespaces."""
LABELS = "app.kubernetes.io/instance=borough,app.kubernetes.io/part-of=borough"
GROWS = "payments"
EVERY_S = 5.0
"""Between two lines."""
RATE, CALM_S, BUSY_S = 24, 45, 150
"""Requests a second, and seconds of load before and after orders multiply."""
HOLD_S, WINDOW_S = 45, 45
LARGEST = 6
GROWN_S, GONE_S = 60, 120
"""Bounds, and nobody's promise."""
FEW, PLENTY = "10", "500"
"""Requests a second that one pod can carry: of payments, which hashes cards, and of all others."""
METRICS = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
)
SAMPLE = re.compile(r"^(?P<name>borough_scaler_\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(slots=True)
class State:
    """What the operator tells of one scaler."""

    current: int = 0
    ready: int = 0
    reason: str = ""
    load: float | None = None
    """Requests a second, as it read them last."""


@dataclass(slots=True)
class Timeline:
    """The table, and all that was ever in it."""

    parts: list[str]
    began: float = field(default_factory=time.monotonic)
    rows: list[dict[str, State]] = field(default_factory=list)

    def head(self) -> None:
        """What the columns are."""
        names = "  ".join(self.parts)
        say(f"{'TIME':>5}  {'REQ/S':>5}  {'ORDERS/S':>8}  {names}  REASON OF {GROWS.upper()}")

    def row(self) -> dict[str, State]:
        """A line of what is now. What cannot be asked at this moment is said, and is no state."""
        at = f"{time.monotonic() - self.began:4.0f}s"
        try:
            states = look()
        except CommandFailed as error:
            say(f"{at:>5}  the operator does not answer: {str(error).splitlines()[-1][:80]}")
            return {}
        sizes = (_size(states.get(part, State())) for part in self.parts)
        cells = "  ".join(
            f"{size:>{len(part)}}" for size, part in zip(sizes, self.parts, strict=True)
        )
        door, grows = states.get("gateway", State()), states.get(GROWS, State())
        say(f"{at:>5}  {_rate(door):>5}  {_rate(grows):>8}  {cells}  {grows.reason}")
        self.rows.append(states)
        return states

    def until(self, holds: Callable[[dict[str, State]], bool], within: float) -> bool:
        """Lines until this holds of one; whether it ever did within so many seconds."""
        ends = time.monotonic() + within
        while time.monotonic() < ends:
            began = time.monotonic()
            if holds(self.row()):
                return True
            time.sleep(max(0.0, began + EVERY_S - time.monotonic()))  # until the next line
        return False

    def note(self, text: str) -> None:
        """A line between the lines."""
        say(f"{'':>5}  -- {text}")


class CommandFailed(Exception):
    """kubectl said no; the message is what it said."""


def say(text: str) -> None:
    """A line, at once."""
    print(text, flush=True)  # noqa: T201  # what a demonstration is for


def kubectl(*words: str, text: str = "") -> str:
    """What it prints. Raises CommandFailed."""
    done = subprocess.run(  # noqa: S603  # our own words
        ["kubectl", *words], input=text, capture_output=True, text=True, check=False  # noqa: S607  # the user's
    )  # fmt: skip  # one glance
    if done.returncode:
        raise CommandFailed(
            done.stderr.strip() or done.stdout.strip() or f"kubectl {words[0]} failed"
        )
    return done.stdout


def look() -> dict[str, State]:
    """By part, what the operator tells now. Raises CommandFailed."""
    target = ("--namespace", OPERATOR, f"deployment/{OPERATOR}")
    states: dict[str, State] = {}
    for line in kubectl("exec", *target, "--", "python", "-c", METRICS).splitlines():
        found = SAMPLE.match(line)
        if found is None:
            continue
        labels = dict(LABEL.findall(found["labels"]))
        if labels["namespace"] != SHOP:
            continue
        state = states.setdefault(labels["scaler"].removeprefix(f"{SHOP}-"), State())
        value = float(found["value"])
        match found["name"].removeprefix("borough_scaler_"):
            case "current_replicas":
                state.current = int(value)
            case "ready_replicas":
                state.ready = int(value)
            case "reason" if value:
                state.reason = labels["reason"]
            case "goal_value":
                state.load = value
            case _:
                pass  # more than a line can hold
    return states


def _size(state: State) -> str:
    """Ready of asked for, or one number where they agree."""
    return str(state.current) if state.current == state.ready else f"{state.ready}/{state.current}"


def _rate(state: State) -> str:
    return "-" if state.load is None else f"{state.load:.1f}"


def scaler(part: str) -> dict[str, Any]:
    """Whose goal is a rate that only payments will have to share."""
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
    """Every part begins with one pod and has a scaler while the context lasts, and nobody else has
    one. However the context ends, each has as many pods then as it had before.
    """
    manifests = {"apiVersion": "v1", "kind": "List", "items": [scaler(part) for part in before]}
    try:
        resize(dict.fromkeys(before, 1), "to begin with")
        kubectl("apply", "--filename", "-", text=json.dumps(manifests))
        yield
    finally:
        try:
            kubectl("delete", "servicescalers", "--namespace", SHOP, "--all")
        finally:
            resize(before, "as before")


def resize(wanted: dict[str, int], why: str) -> None:
    """Give each part the pods it is to have, and say so where it has others."""
    for part, pods in sizes().items():
        if pods != wanted.get(part, pods):
            say(f"{part}: {pods} -> {wanted[part]} pods, {why}")
            scale(part, wanted[part])


def scale(part: str, pods: int) -> None:
    """As a person would."""
    words = ("--namespace", SHOP, f"--replicas={pods}")
    kubectl("scale", f"deployment/{SHOP}-{part}", *words)


@contextmanager
def load(timeline: Timeline, seconds: int, skew: str = "") -> Iterator[None]:
    """Requests from inside the cluster while the context lasts, and lines until they end. Raises
    SystemExit where they do not, or not all are served.
    """
    words = {"CLUSTER": "current", "RATE": str(RATE), "FOR": str(seconds), "SKEW": skew}
    job = subprocess.Popen(  # noqa: S603  # our own words
        [ROOT / "charts" / "cluster.sh", "load"], env=os.environ | words,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip  # one glance
    try:
        yield
        if not timeline.until(lambda _: job.poll() is not None, seconds + GONE_S):
            sys.exit(f"The load of {seconds} s has not ended {GONE_S} s later.")
        said, _ = job.communicate()
    except BaseException:
        job.kill()
        kubectl("delete", "job", f"{SHOP}-load", "--namespace", SHOP, "--ignore-not-found")
        raise
    served = next((line for line in said.splitlines() if " served" in line), said.strip())
    say(f"{'':>5}  -- {served}")
    if job.returncode:
        raise SystemExit(said)


def sizes() -> dict[str, int]:
    """What each part of the shop is asked to have. Raises CommandFailed."""
    words = ("--namespace", SHOP, "--selector", LABELS, "--output", "json")
    found = json.loads(kubectl("get", "deployments", *words))["items"]
    return {
        one["metadata"]["name"].removeprefix(f"{SHOP}-"): one["spec"]["replicas"] for one in found
    }


def ready() -> dict[str, int]:
    """The parts, and their sizes. Raises SystemExit with a sentence where the platform is not what
    is needed.
    """
    try:
        parts = sizes()
        taken = kubectl("get", "servicescalers", "--namespace", SHOP, "--output", "name").split()
        kubectl("get", "deployment", OPERATOR, "--namespace", OPERATOR)
    except CommandFailed as error:
        raise SystemExit(f"{error}\nThe platform is not there: make up CLUSTER=current") from None
    if GROWS not in parts:
        raise SystemExit(f"{GROWS} is no part of its own here: make up SHAPE=microservices")
    if taken:
        raise SystemExit(f"Scaled already: {', '.join(taken)}; make up without SCALING ends that")
    return parts


def main() -> None:
    """The four acts."""
    before = ready()
    others = [part for part in before if part != GROWS]
    timeline = Timeline([*sorted(others), GROWS])
    failures: list[str] = []

    def expect(what: str, holds: Callable[[State], bool], within: float, *of: str) -> None:
        parts = of or (GROWS,)
        if not timeline.until(lambda s: all(p in s and holds(s[p]) for p in parts), within):
            failures.append(what)
            timeline.note(f"not seen in {within:.0f} s: {what}")

    with scaled(before):
        timeline.head()
        expect("one pod of each part", lambda s: s.current == s.ready == 1, GROWN_S, *before)
        timeline.rows.clear()  # until then, parts may have had more
        timeline.note(f"{RATE} requests a second, 15 % of them orders")
        with load(timeline, CALM_S):
            pass
        timeline.note("the same rate, 60 % of them orders")
        with load(timeline, BUSY_S, GROWS):
            expect(f"{GROWS} grows", lambda s: s.ready == s.current > 1, GROWN_S)
            timeline.note(f"somebody: kubectl scale deployment/{SHOP}-{GROWS} --replicas=1")
            scale(GROWS, 1)
            expect("the number is held", lambda s: s.reason == "ManualHold", 3 * EVERY_S)
            timeline.note(held())
            expect("the hold ends", lambda s: s.reason != "ManualHold", HOLD_S + 4 * EVERY_S)
            expect(f"{GROWS} grows again", lambda s: s.ready == s.current > 1, GROWN_S)
        timeline.note("no load")
        expect(f"{GROWS} shrinks", lambda s: s.current == 1, WINDOW_S + GONE_S)
    grown = {
        part
        for states in timeline.rows
        for part in others
        if part in states and states[part].current != 1
    }
    failures += [f"{part} stays as it is" for part in sorted(grown)]
    if failures:
        sys.exit(f"Not seen: {'; '.join(failures)}.")
    most = max(row[GROWS].current for row in timeline.rows if GROWS in row)
    say(f"{GROWS} grew from 1 to {most} pods and back, and no other part did.")


def held() -> str:
    """What a reader of the scaler's status finds."""
    path = "jsonpath={.status.conditions[?(@.type=='ManualHold')].message}"
    words = ("--namespace", SHOP, "--output", path)
    return kubectl("get", "servicescaler", f"{SHOP}-{GROWS}", *words)


if __name__ == "__main__":
    try:
        main()
    except CommandFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)
