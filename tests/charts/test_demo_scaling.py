"""Do the numbers of the demonstration of scaling give the decisions that it announces?

Its acts are in test_demo_acts.py; all of it runs on a cluster: `make demo-scaling`.
"""

from types import ModuleType

import pytest

from borough_operator.decision.decide import decide
from borough_operator.decision.goals import needs
from borough_operator.decision.model import Freshness, History, Observation, Reading
from borough_operator.kube.spec import parse
from charts.demo_stage import CALM, SKEWED


def wanted(demo: ModuleType, part: str, rate: float) -> int:
    """The size that its scaler decides at that many requests a second to one pod of that part."""
    manifest = demo.scaler(part)
    manifest["metadata"] |= {"uid": "1", "generation": 1}
    policy = parse(manifest).policy
    readings = {need: Reading(Freshness.FRESH, rate) for need in needs(policy)}
    return decide(policy, Observation(1, 1, readings), History(), 1_000.0).replicas


def test_only_payments_exceeds_its_goal(demo: ModuleType) -> None:
    """One pod is enough for the orders of the calm phase, with a third of margin for variation, and
    not for four times as many; no other part has a goal that all requests together could exceed.
    """
    assert wanted(demo, demo.GROWS, demo.RATE * CALM * 4 / 3) == 1
    assert wanted(demo, demo.GROWS, demo.RATE * SKEWED) > 1
    assert wanted(demo, "gateway", 2 * demo.RATE) == 1


def test_line_shows_load_sizes_and_reason(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the operator's /metrics; without scalers of other namespaces."""
    page = "\n".join(
        f'borough_scaler_{name}{{namespace="{namespace}",scaler="borough-{part}"{more}}} {value}'
        for namespace, part, name, more, value in (
            ("borough", "gateway", "current_replicas", "", 1),
            ("borough", "gateway", "ready_replicas", "", 1),
            ("borough", "gateway", "goal_value", ',goal="RequestRate"', 24.04),
            ("borough", "payments", "current_replicas", "", 3),
            ("borough", "payments", "ready_replicas", "", 1),
            ("borough", "payments", "goal_value", ',goal="RequestRate"', 14.4),
            ("borough", "payments", "reason", ',reason="ScaledUp"', 1),
            ("elsewhere", "payments", "current_replicas", "", 9),
        )
    )
    monkeypatch.setattr(demo, "kubectl", lambda *_: f"# TYPE x gauge\n{page}\n")
    demo.Timeline(["gateway", "payments"]).row()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[1:] == ["24.0", "14.4", "1", "1/3", "ScaledUp"]
