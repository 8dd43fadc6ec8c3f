"""Is every question of a board found, and put to Prometheus as Grafana would put it?"""

from typing import Any

import pytest

from dashboards.rules import Board
from e2e.queries import Unanswerable, has_data, panels, questions

VALUES = {
    "namespace": "shop", "workload": ".+", "part": "a|b", "scaler": ".+",
    "__rate_interval": "20s", "__range": "60s",
}  # fmt: skip  # one glance


def a_board(**target: Any) -> Board:
    folded = {
        "type": "row",
        "panels": [{"type": "stat", "title": "B", "targets": [{"refId": "A", "expr": "y"}]}],
    }
    choice = {"type": "query", "name": "part", "query": 'label_values(x{n="$namespace"}, part)'}
    shown = {"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "x", **target}]}
    return {
        "title": "Q?",
        "templating": {"list": [{"type": "datasource", "name": "prometheus_datasource"}, choice]},
        "panels": [{"type": "row", "panels": []}, shown, folded],
    }


def test_board_queries_its_variables_and_every_target() -> None:
    """Also for those in rows that are folded."""
    choice, shown, folded = questions(a_board(exemplar=True), VALUES)

    assert choice.target == "/api/v1/label/part/values?match%5B%5D=x%7Bn%3D%22shop%22%7D"
    assert (choice.asker, choice.promql) == ("Q?, variable part", 'x{n="shop"}')
    assert (shown.target, shown.asker, shown.exemplar) == (
        "/api/v1/query?query=x",
        "Q?, A, A",
        True,
    )
    assert (folded.promql, folded.exemplar) == ("y", False)


@pytest.mark.parametrize(
    "spelt", ['{n="$namespace"}', '{n="${namespace}"}', '{n="${namespace:regex}"}']
)
def test_variable_is_replaced_in_every_notation(spelt: str) -> None:
    """Grafana knows three ways."""
    _, shown, _ = questions(a_board(expr=f"x{spelt}"), VALUES)
    assert shown.promql == 'x{n="shop"}'


def test_a_variable_without_a_value_is_named() -> None:
    """The error names the asker."""
    with pytest.raises(Unanswerable, match=r"Q\?, A, A: \$pod has no value"):
        list(questions(a_board(expr='x{pod="$pod"}'), VALUES))


def test_variable_that_is_not_label_values_is_refused() -> None:
    """What cannot be asked must not pass for answered."""
    board = a_board()
    board["templating"]["list"][1]["query"] = "query_result(x)"
    with pytest.raises(Unanswerable, match=r"query_result\(x\) is not label_values"):
        list(questions(board, VALUES))


def test_every_query_of_a_board_is_found_without_open_variables(board: Board) -> None:
    """A question a target and a variable, without a `$`."""
    asked = list(questions(board, VALUES))
    choices = [v for v in board["templating"]["list"] if v["type"] == "query"]
    assert len(asked) == len(choices) + sum(len(panel["targets"]) for panel in panels(board))
    assert [question for question in asked if "$" in question.promql] == []


def test_result_without_numbers_is_no_data() -> None:
    """No series, nothing but NaN, or a failure: none of these has shown anything."""

    def answer(*values: str) -> dict[str, Any]:
        result = [{"metric": {}, "value": [0, value]} for value in values]
        return {"status": "success", "data": {"result": result}}

    assert has_data(answer("0"))
    assert has_data(answer("NaN", "1"))
    assert not has_data(answer("NaN"))
    assert not has_data(answer())
    assert not has_data({"status": "error", "error": "parse error"})
    assert has_data({"status": "success", "data": ["borough"]})
    assert not has_data({"status": "success", "data": []})
