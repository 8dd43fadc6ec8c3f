"""One scenario of five minutes for two shops, step by step; `test_load_scaling` checks its record.

Orders multiply; a person scales by hand; a version crashes; Prometheus is stopped; the load falls;
the operator is killed, and at last uninstalled. All of it once, on one installation: a step begins
when the one before has had its effect, and what must not happen has the whole time in which to
happen. Between the calm load and the busy one, which are Jobs, there are no requests for some
seconds.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from e2e.cluster import CommandFailed, Forward, apply, exec_python, kubectl, wait_until
from e2e.load import audit, counted, together, turn
from e2e.release import Release, is_ready
from e2e.scaling import BUSY, CALM, HOLD_S, INTERVAL_S, OURS, RIVAL, TARGET, WINDOW_S, Stage, scaler
from e2e.watching import Watch, held, many, one, sees

CALM_S, BUSY_S = 20, 135
LOOK_S = 0.2
"""How often the first charge after a pause is looked for."""
CRASHING_S = 20
SETTLED_S = 3 * INTERVAL_S
"""In which what had to wait during the hold has been served."""
FALLEN_S = 30
"""From the end of the load to the kill."""
GROWN_S, HPA_S, SOON_S = 60, 120, 30
"""Bounds, not promises: for ours, for the HPA, for what takes a few intervals."""
BROKEN = ["python", "-c", "raise SystemExit('this version is broken')"]
OF_RIVAL = "payments"
EXHAUST = """
import os, time
with open("/proc/1/oom_score_adj", "w") as first:
    first.write("1000")
for _ in range(100):
    if not os.fork():
        held = bytearray(b"x" * 20_000_000)
        time.sleep(30)
        os._exit(0)
    time.sleep(0.02)
"""
"""Takes all the memory that its container may have, and offers the first process to be killed for
it: by SIGKILL, which nothing inside of a container could send to it otherwise.
"""


@dataclass(slots=True)
class Scenario:
    """What was seen, and when each step began, in Unix time."""

    ours: Watch
    rival: Watch
    reports: list[dict[str, Any]] = field(default_factory=list)
    """Of the loads, both shops' calm before both shops' busy one."""
    audits: list[dict[str, Any]] = field(default_factory=list)
    advised: dict[str, float] = field(default_factory=dict)
    """By scaler, its advice as Prometheus has it."""
    began: float = 0.0
    stepped: float = 0.0
    stepped_rival: float = 0.0
    held: float = 0.0
    crashed: float = 0.0
    mended: float = 0.0
    blinded: float = 0.0
    seeing: float = 0.0
    fallen: float = 0.0
    killed: float = 0.0
    exit_code: int = 0
    """Of the operator that was killed."""
    uninstalled: float = 0.0
    delete_s: float = 0.0
    """The time it took to delete every scaler without an operator."""


@contextmanager
def run_scenario(stage: Stage, outage_s: float) -> Iterator[Scenario]:
    """The whole of it; Prometheus is away for `outage_s` seconds. Raises NotInTime where a step
    has no effect, so that the next could not begin.
    """
    with Watch(OURS) as ours, Watch(RIVAL) as rival:
        scenario = Scenario(ours, rival)
        with turn():
            _under_load(stage, scenario, CALM, CALM_S, lambda: _wait_for_readings(scenario))
            with _first_charge(stage.ours) as at, _first_charge(stage.rival) as at_rival:
                _under_load(
                    stage, scenario, BUSY, BUSY_S, lambda: _at_peak(stage, scenario, at, at_rival)
                )
        scenario.fallen = time.time()
        _kill_later(stage, scenario)
        _let_see_again(stage, scenario, outage_s)
        for watch in (ours, rival):
            watch.wait(
                "one pod of payments again", "Deployment", TARGET, one,
                since=scenario.killed, within=3 * WINDOW_S + GROWN_S,
            )  # fmt: skip  # one glance
        scenario.audits = [audit(stage.ours, "orders"), audit(stage.rival, "app")]
        _take_away(stage, scenario)
        yield scenario


def _under_load(
    stage: Stage, scenario: Scenario, share: float, seconds: float, step: Callable[[], None]
) -> None:
    loads = stage.load(share, seconds)
    with together(*loads):
        step()
    scenario.reports += [load.report for load in loads]


def _wait_for_readings(scenario: Scenario) -> None:
    """Until every scaler has fresh readings of its target; none has anything to scale."""
    scenario.began = time.time()
    for name in scenario.ours.names("ServiceScaler"):
        scenario.ours.wait(f"fresh readings of {name}", "ServiceScaler", name, sees, within=GROWN_S)


def _at_peak(
    stage: Stage,
    scenario: Scenario,
    stepped: Callable[[], float],
    stepped_rival: Callable[[], float],
) -> None:
    scenario.stepped, scenario.stepped_rival = stepped(), stepped_rival()
    _grow(stage.ours, scenario.ours, scenario.stepped)
    scenario.advised = _advice(stage)

    with ThreadPoolExecutor(1) as meanwhile:  # what the one shop goes through is not the other's
        blind = meanwhile.submit(_go_blind, stage, scenario)
        _hold(stage, scenario)
        _crash(stage, scenario)
        blind.result()


def _hold(stage: Stage, scenario: Scenario) -> None:
    """A person scales to one; the hold ends by itself."""
    scenario.held = time.time()
    _scale(stage.ours, 1)
    scenario.ours.wait(
        "the hold", "ServiceScaler", TARGET, held, since=scenario.held, within=SOON_S
    )
    scenario.ours.wait(
        "the end of the hold", "ServiceScaler", TARGET, lambda seen: not held(seen),
        since=scenario.held + HOLD_S / 2, within=HOLD_S + SOON_S,
    )  # fmt: skip  # one glance
    _grow(stage.ours, scenario.ours, scenario.held + HOLD_S / 2)


def _crash(stage: Stage, scenario: Scenario) -> None:
    """A version that ends at once, and back."""
    time.sleep(SETTLED_S)  # whatever grows from now on grows because of it
    scenario.crashed = time.time()
    _patch_command(stage.ours, BROKEN)
    time.sleep(CRASHING_S)  # a runaway would have had the time for it
    inside = ("--namespace", OURS)
    kubectl("rollout", "undo", stage.ours.deployment("payments"), *inside)
    kubectl("rollout", "status", stage.ours.deployment("payments"), *inside, "--timeout", "60s")
    scenario.mended = time.time()


def _go_blind(stage: Stage, scenario: Scenario) -> None:
    """The HPA has scaled; a scaler that reads Prometheus takes over; Prometheus is stopped."""
    scenario.rival.wait(
        "the HPA's answer", "Deployment", TARGET, many,
        since=scenario.stepped_rival, within=HPA_S,
    )  # fmt: skip  # one glance
    kubectl("delete", "hpa", OF_RIVAL, "--namespace", RIVAL)
    apply(RIVAL, scaler(OF_RIVAL, "Prometheus"))
    scenario.rival.wait(
        "fresh readings from Prometheus", "ServiceScaler", OF_RIVAL, sees, within=GROWN_S
    )
    _grow(stage.rival, scenario.rival, scenario.stepped_rival)
    _stop_prometheus(stage, scenario)


def _grow(shop: Release, watch: Watch, since: float) -> None:
    """Payments is asked to have more pods than one, and they are ready."""
    watch.wait(
        "more of payments", "Deployment", TARGET, many,
        since=since, within=GROWN_S,
    )  # fmt: skip  # one glance

    def ready() -> bool:
        wanted = watch.last("Deployment", TARGET).replicas
        return len([pod for pod in shop.pods("payments") if is_ready(pod)]) == wanted

    wait_until("every pod of payments ready", ready, GROWN_S)


def _stop_prometheus(stage: Stage, scenario: Scenario) -> None:
    """At once: what it would still answer while it ends is nobody's concern. But not before it has
    to go: else a controller that is late puts another in its place first.
    """
    inside = ("--namespace", stage.observability.namespace)
    kubectl("scale", stage.observability.deployment("prometheus"), "--replicas=0", *inside)

    def pods() -> dict[str, bool]:
        """Whether they are to go."""
        found = (pod["metadata"] for pod in stage.observability.pods("prometheus"))
        return {pod["name"]: "deletionTimestamp" in pod for pod in found}

    wait_until("no Prometheus that is to stay", lambda: all(pods().values()), SOON_S)
    for name in pods():
        kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found", *inside)
    scenario.blinded = time.time()


def _kill_later(stage: Stage, scenario: Scenario) -> None:
    """A while after the load fell: while a window of readings is under way."""
    time.sleep(max(0.0, scenario.fallen + FALLEN_S - time.time()))  # the law says when
    name = stage.operator.fullname
    with suppress(CommandFailed):  # it does not outlive what it does
        exec_python(stage.operator.namespace, f"deployment/{name}", EXHAUST)
    scenario.killed = time.time()
    scenario.exit_code = wait_until("the end of the operator", lambda: _ended(stage), SOON_S)


def _ended(stage: Stage) -> int:
    """The exit code of the operator's last container that ended; 0 where none has."""
    states = [s for pod in stage.operator.pods() for s in pod["status"]["containerStatuses"]]
    return sum(s["lastState"].get("terminated", {}).get("exitCode", 0) for s in states)


def _let_see_again(stage: Stage, scenario: Scenario, outage_s: float) -> None:
    time.sleep(max(0.0, scenario.blinded + outage_s - time.time()))  # the law says how long
    scenario.seeing = time.time()
    inside = ("--namespace", stage.observability.namespace)
    kubectl("scale", stage.observability.deployment("prometheus"), "--replicas=1", *inside)


def _take_away(stage: Stage, scenario: Scenario) -> None:
    """The operator, and then, with nobody there who could let them go, all its objects."""
    scenario.uninstalled = time.time()
    stage.operator.uninstall()
    began = time.monotonic()
    for space in (OURS, RIVAL):
        words = ("servicescalers", "--all", "--namespace", space, "--timeout", f"{SOON_S}s")
        kubectl("delete", *words)
    scenario.delete_s = time.monotonic() - began


def _scale(shop: Release, pods: int) -> None:
    """As a person would."""
    kubectl(
        "scale", shop.deployment("payments"), f"--replicas={pods}", "--namespace", shop.namespace
    )


def _patch_command(shop: Release, command: list[str]) -> None:
    """A version of payments that is another program."""
    found = shop.deployment("payments")
    (container,) = json.loads(
        kubectl("get", found, "--namespace", shop.namespace, "--output", "json")
    )["spec"]["template"]["spec"]["containers"]
    containers = [{"name": container["name"], "command": command, "args": []}]
    change = json.dumps({"spec": {"template": {"spec": {"containers": containers}}}})
    kubectl("patch", found, "--namespace", shop.namespace, "--patch", change)


def _advice(stage: Stage) -> dict[str, float]:
    """By scaler of the first shop, what the metrics say each would have now."""
    query = urlencode({"query": f'borough_scaler_advised_replicas{{namespace="{OURS}"}}'})
    place = ("service/observability-prometheus", 9090)
    with Forward(stage.observability.namespace, *place) as prometheus:
        series = prometheus.json(f"/api/v1/query?{query}")["data"]["result"]
    return {one["metric"]["scaler"]: float(one["value"][1]) for one in series}


@contextmanager
def _first_charge(shop: Release) -> Iterator[Callable[[], float]]:
    """A function that waits for the first charge after this began, and answers when it was."""
    found: list[float] = []
    over = threading.Event()
    with counted(shop, "payments") as counts:
        before = sum(counts().values())

        def look() -> None:
            while not found and not over.wait(LOOK_S):
                if sum(counts().values()) > before:
                    found.append(time.time())

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield lambda: wait_until("a charge", lambda: found, within=GROWN_S)[0]
        finally:
            over.set()
            thread.join()
