"""Does the board show every reason and every freshness as what it is?"""

import json
from typing import Any

import pytest

from borough_operator.decision.model import Freshness, Reason
from borough_operator.running import signals
from dashboards.conftest import ROOM
from dashboards.promql import selectors
from e2e.queries import panels

BOARD = json.loads((ROOM / "who-scales-and-why.json").read_text("utf-8"))


def lanes(metric: str) -> dict[str, Any]:
    """The timeline of that metric."""
    (found,) = (
        panel
        for panel in panels(BOARD)
        if panel["type"] == "state-timeline" and metric in panel["targets"][0]["expr"]
    )
    return found


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        (signals.REASON.series, "reason", [reason.value for reason in Reason]),
        (signals.GOAL_FRESHNESS.series, "freshness", [freshness.value for freshness in Freshness]),
    ],
)
def test_every_state_has_its_number_and_its_words(
    metric: str, label: str, values: list[str]
) -> None:
    """The expression turns each value of the label into a number, and the panel that number back
    into the value, in a colour: none is missing, and none is taken for another.
    """
    panel = lanes(metric)
    expression = panel["targets"][0]["expr"]
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    mapped = {number: state["text"] for number, state in mapping["options"].items()}
    asked = {
        str(number): asked.matchers[label].removeprefix("=")
        for number, asked in enumerate(selectors(expression), start=1)
    }
    assert asked == mapped == {str(n): value for n, value in enumerate(values, start=1)}
    assert all(f"{n} * {metric}{{" in expression for n in mapped)
    assert all(state["color"] for state in mapping["options"].values())


def test_reasons_of_one_colour_ask_for_the_same_attention() -> None:
    """What a person must mend is red; a number set by another is purple; what
    goes as it should has no colour of alarm.
    """
    (mapping,) = lanes(signals.REASON.series)["fieldConfig"]["defaults"]["mappings"]
    by_colour: dict[str, set[str]] = {}
    for state in mapping["options"].values():
        by_colour.setdefault(state["color"], set()).add(state["text"])
    assert by_colour["red"] == {
        "RolloutFailing", "Saturated", "TargetMissing", "TargetUnreadable", "SpecInvalid",
    }  # fmt: skip  # one glance
    assert by_colour["purple"] == {"ManualHold", "Contested", "ScaledToZero", "Paused"}
    assert by_colour["orange"] == {"MetricsStale", "MetricsEmpty", "MetricsError"}
