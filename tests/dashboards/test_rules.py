"""Does every board keep the rules of dashboards, and would a breach be found?"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dashboards import rules
from dashboards.rules import RULES, Board, Rule

named = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


@named
def test_board_keeps_the_rule(board: Board, rule: Rule) -> None:
    """There is no exception to any rule on any board."""
    assert list(rule(board)) == []


def first_panel(board: Board) -> dict[str, Any]:
    panel: dict[str, Any] = next(p for p in board["panels"] if p["type"] != "row")
    return panel


def first_target(board: Board) -> dict[str, Any]:
    target: dict[str, Any] = first_panel(board)["targets"][0]
    return target


def variable(board: Board, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(v for v in board["templating"]["list"] if v["name"] == name)
    return found


def last(board: Board) -> dict[str, Any]:
    """The finest choice: of all but the first variable there may be several values."""
    found: dict[str, Any] = board["templating"]["list"][-1]
    return found


def rewrite(board: Board, old: str, new: str) -> None:
    """Every query with other words in it."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            target["expr"] = target["expr"].replace(old, new)


BREACHES: dict[str, tuple[Rule, Callable[[Board], Any]]] = {
    "no Prometheus": (rules.template_datasource, lambda b: b["templating"]["list"].pop(0)),
    "a source of another name": (
        rules.template_datasource,
        lambda b: variable(b, "jaeger_datasource").update(name="traces"),
    ),
    "a choice that asks no label": (
        rules.template_label_promql,
        lambda b: variable(b, "namespace").update(query="borough"),
    ),
    "a choice without the one before it": (
        rules.template_label_promql,
        lambda b: b["templating"]["list"].pop(2),
    ),
    "a choice that ignores the one before it": (
        rules.template_label_promql,
        lambda b: last(b).update(query=f"label_values(borough_build_info, {last(b)['name']})"),
    ),
    "a choice that is asked once": (
        rules.template_on_time_change_reload,
        lambda b: variable(b, "namespace").update(refresh=1),
    ),
    "all that is everything": (
        rules.template_choices,
        lambda b: last(b).update(allValue=".*"),
    ),
    "a board to be edited": (rules.uneditable_dashboard, lambda b: b.update(editable=True)),
    "a uid of no one's": (rules.identity, lambda b: b.update(uid="x")),
    "a title that asks nothing": (rules.identity, lambda b: b.update(title="The shop")),
    "a board that no other finds": (rules.identity, lambda b: b.update(tags=[])),
    "a panel bound to a source": (
        rules.panel_datasource,
        lambda b: first_panel(b)["datasource"].update(uid="prometheus"),
    ),
    "a target bound to a source": (
        rules.panel_datasource,
        lambda b: first_target(b)["datasource"].update(uid="prometheus"),
    ),
    "a choice bound to a source": (
        rules.panel_datasource,
        lambda b: variable(b, "namespace").update(datasource=None),
    ),
    "a panel without a title": (
        rules.panel_title_description,
        lambda b: first_panel(b).update(title=""),
    ),
    "a panel without a sentence": (
        rules.panel_title_description,
        lambda b: first_panel(b).pop("description"),
    ),
    "a unit of our own": (
        rules.panel_units,
        lambda b: first_panel(b)["fieldConfig"]["defaults"].update(unit="orders"),
    ),
    "a panel that asks nothing": (
        rules.panel_no_targets,
        lambda b: first_panel(b).update(targets=[]),
    ),
    "a target twice": (
        rules.panel_no_targets,
        lambda b: first_panel(b)["targets"].append(first_target(b)),
    ),
    "a target without a legend": (
        rules.panel_no_targets,
        lambda b: first_target(b).update(legendFormat=""),
    ),
    "an id twice": (rules.panel_ids, lambda b: first_panel(b).update(id=b["panels"][0]["id"])),
    "a panel upon another": (rules.panel_grid, lambda b: b["panels"][2]["gridPos"].update(x=0)),
    "a panel too wide": (rules.panel_grid, lambda b: b["panels"][-1]["gridPos"].update(w=25)),
    "a hole in the row": (rules.panel_grid, lambda b: b["panels"][-1]["gridPos"].update(w=1)),
    "a rate over a fixed time": (
        rules.target_rate_interval,
        lambda b: rewrite(b, "$__rate_interval", "5m"),
    ),
    "a count over a rate's time": (
        rules.target_rate_interval,
        lambda b: rewrite(b, "rate(", "increase("),
    ),
    "a query of every namespace": (
        rules.target_required_matchers,
        lambda b: rewrite(b, 'namespace="$namespace", ', ""),
    ),
    "a query of one job": (
        rules.target_required_matchers,
        lambda b: rewrite(b, "{namespace", '{job="x", namespace'),
    ),
}


@pytest.mark.parametrize(("rule", "breach"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_found(board: Board, rule: Rule, breach: Callable[[Board], Any]) -> None:
    """By the rule that is broken, on any board."""
    broken = copy.deepcopy(board)
    breach(broken)
    assert list(rule(broken)) != []


def test_every_rule_has_its_breach() -> None:
    """A rule that nothing breaks was never seen to hold."""
    assert {rule for rule, _ in BREACHES.values()} == set(RULES)
