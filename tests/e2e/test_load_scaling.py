"""Does the operator on a real cluster scale what must be scaled, and leave all else alone?"""

import faulthandler
import math
import signal
from collections.abc import Callable, Iterator

import pytest

from e2e.cluster import CommandFailed, kubectl
from e2e.load import failures, served
from e2e.scaling import ADVISERS, HOLD_S, INTERVAL_S, MOST, TARGET, WINDOW_S, stage
from e2e.scenario import FALLEN_S, Scenario, run_scenario
from e2e.watching import Watch, held, many, sees
from programs import absent

METRICS = "apiservice/v1beta1.metrics.k8s.io"
NOTIFICATIONS = "borough-notifications"
RIVALS_SCALER = "payments"


@pytest.fixture(scope="module")
def metrics(kubernetes: None) -> None:
    """The readings of an HPA: kind brings none."""
    try:
        kubectl("wait", "--for", "condition=Available", METRICS, "--timeout", "30s")
    except CommandFailed:
        absent("the cluster has no metrics-server, which an HPA reads: see docs/kubernetes.md")


@pytest.fixture(
    scope="module",
    params=[120, pytest.param(600, marks=pytest.mark.long)],
    ids=["two minutes without Prometheus", "ten minutes without Prometheus"],
)
def scenario(metrics: None, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """All that happened, with Prometheus away for so many seconds."""
    faulthandler.cancel_dump_traceback_later()  # every act has a bound, all together have more time
    with stage() as built, run_scenario(built, request.param) as report:
        yield report


def reactions(scenario: Scenario, prefix: str) -> list[float]:
    """Seconds from the step until each of these scalers wanted more; infinite where one did not."""
    found = []
    for name in sorted(scenario.ours.names("ServiceScaler")):
        if name.startswith(prefix):
            wants = scenario.ours.first(
                "ServiceScaler", name, lambda seen: (seen.desired or 0) > 1, scenario.stepped
            )
            found.append(wants.at - scenario.stepped if wants else math.inf)
    return sorted(found)


def p95(values: list[float]) -> float:
    """The smallest value that 95 % do not exceed."""
    return values[math.ceil(0.95 * len(values)) - 1]


def spread(values: list[float]) -> str:
    """As one reads it."""
    middle = values[len(values) // 2]
    return f"{values[0]:.1f} s at best, p50 {middle:.1f} s, p95 {p95(values):.1f} s"


def grown_after(watch: Watch, since: float) -> float:
    """Seconds from `since` until payments was asked to have more than one pod."""
    grown = watch.first("Deployment", TARGET, many, since)
    assert grown is not None
    return grown.at - since


def test_payments_alone_grows(scenario: Scenario) -> None:
    """The share of orders is four times what it was, at the same total rate, and every part has a
    goal: of no other part's is there more to do than one pod can.
    """
    others = scenario.ours.names("Deployment") - {TARGET}
    assert len(others) == 5
    sizes = [scenario.ours.replicas(name, scenario.began) for name in others]
    assert sizes == [[1]] * 5
    assert scenario.ours.replicas(TARGET, scenario.began, scenario.stepped) == [1]
    before_the_hold = scenario.ours.replicas(TARGET, scenario.began, scenario.held)
    assert 1 < before_the_hold[-1] <= MOST
    assert before_the_hold == sorted(before_the_hold)


def test_a_decision_follows_the_load_within_two_intervals(
    scenario: Scenario, tell: Callable[[str], None]
) -> None:
    """By scalers of every phase that read the pods; of those that read Prometheus, which scrapes
    every few seconds, it is said and bounded. The HPA of the cluster stands beside.
    """
    pods, prometheus = reactions(scenario, "pods-"), reactions(scenario, "prometheus-")
    ours = grown_after(scenario.ours, scenario.stepped)
    hpas = grown_after(scenario.rival, scenario.stepped_rival)
    tell(
        f"from the step to a decision: pods {spread(pods)}; Prometheus {spread(prometheus)};"
        f" payments grew after {ours:.1f} s, by the HPA on CPU after {hpas:.1f} s"
    )
    assert len(pods) == len(prometheus) == ADVISERS
    assert p95(pods) <= 2 * INTERVAL_S
    assert p95(prometheus) <= 6 * INTERVAL_S
    assert ours <= 2 * INTERVAL_S
    assert ours < hpas


def test_no_request_fails(scenario: Scenario, tell: Callable[[str], None]) -> None:
    """Not while payments grows, is scaled by hand, rolls out what crashes, or shrinks; and every
    order is in the books.
    """
    longest = (f"{report['latency_ms']['longest']:.0f} ms" for report in scenario.reports)
    tell(f"the longest answers, both shops calm, both busy: {', '.join(longest)}")
    assert [failures(report) for report in scenario.reports] == [{}] * 4
    assert all(served(report) > 0 for report in scenario.reports)
    assert [found["violations"] for found in scenario.audits] == [[], []]


def test_a_number_given_by_hand_is_held_shown_and_released(scenario: Scenario) -> None:
    """`kubectl scale` to fewer than the goal wants stays for as long as a hold lasts, with the name
    of who gave it and until when; then the goal has its way again.
    """
    shown = scenario.ours.first("ServiceScaler", TARGET, held, scenario.held)
    assert shown is not None
    hold = shown.object["status"]["hold"]
    assert (hold["manager"], hold["replicas"]) == ("kubectl", 1)
    assert hold["until"] in shown.condition("ManualHold")["message"]
    assert shown.reason == "ManualHold"
    assert scenario.ours.replicas(TARGET, scenario.held + 1, scenario.held + HOLD_S - 1) == [1]
    released = scenario.ours.first("ServiceScaler", TARGET, lambda seen: not held(seen), shown.at)
    assert released is not None
    assert HOLD_S <= released.at - scenario.held <= HOLD_S + 3 * INTERVAL_S
    again = scenario.ours.first("Deployment", TARGET, many, released.at - 1)
    assert again is not None
    assert again.at - released.at <= 2 * INTERVAL_S


def test_an_outage_of_prometheus_removes_nothing(scenario: Scenario) -> None:
    """From its peak on, also while the load falls and the operator is replaced; the condition says
    so within two intervals, and what was to go goes once Prometheus is back.
    """
    sizes = scenario.rival.replicas(TARGET, scenario.blinded, scenario.seeing)
    assert sizes == sorted(sizes)
    assert sizes[0] > 1
    blind = scenario.rival.first(
        "ServiceScaler", RIVALS_SCALER, lambda seen: not sees(seen), scenario.blinded
    )
    assert blind is not None
    assert blind.at - scenario.blinded <= 2 * INTERVAL_S
    assert scenario.rival.replicas(TARGET, scenario.seeing)[-1] == 1


def test_a_killed_operator_removes_nothing_earlier(scenario: Scenario) -> None:
    """Killed while a window of readings was under way, it begins another: the first pod goes a
    whole window after the kill, where without it that would have been so long after the load fell.
    """
    assert scenario.exit_code == 128 + signal.SIGKILL
    assert scenario.killed - scenario.fallen >= FALLEN_S
    sizes = scenario.ours.replicas(TARGET, scenario.killed, scenario.killed + WINDOW_S)
    assert len(sizes) == 1
    assert sizes[0] > 1
    assert scenario.ours.replicas(TARGET, scenario.killed)[-1] == 1


def test_a_crashing_version_is_no_reason_to_grow(scenario: Scenario) -> None:
    """Its pods never get ready and the old ones carry the load, so that no more of them are needed.
    One of them may go meanwhile, whose window of low readings ends.
    """
    sizes = scenario.ours.replicas(TARGET, scenario.crashed, scenario.mended)
    assert sizes == sorted(sizes, reverse=True)
    unstable = scenario.ours.first(
        "ServiceScaler",
        TARGET,
        lambda seen: seen.says("RolloutStable") == "False",
        scenario.crashed,
    )
    assert unstable is not None
    assert unstable.at < scenario.mended


def test_advice_is_exposed_and_not_applied(scenario: Scenario) -> None:
    """Who only advises says in status and in metrics what it would do, and its target has the one
    pod and the one spec that it came with.
    """
    advice = scenario.ours.last("ServiceScaler", NOTIFICATIONS, scenario.held)
    assert advice.object["spec"]["mode"] == "Advise"
    assert (advice.desired or 0) > 1
    assert scenario.advised[NOTIFICATIONS] > 1
    target = scenario.ours.last("Deployment", NOTIFICATIONS)
    assert (target.replicas, target.object["metadata"]["generation"]) == (1, 1)


def test_what_is_taken_away_leaves_targets_as_they_are(scenario: Scenario) -> None:
    """The operator and every scaler: no target notices, and nothing waits for who is gone."""
    for watch in (scenario.ours, scenario.rival):
        for name in watch.names("Deployment"):
            assert len(watch.replicas(name, scenario.uninstalled)) == 1
    assert scenario.delete_s < 20
