"""Are Prometheus's responses parsed, and invalid ones refused?"""

import json
from typing import Any

import pytest

from borough_operator.sources.fetching import Unusable
from borough_operator.sources.prometheus import data, quantity, table
from scaling.servers import of_workloads, vector

WELL = {"status": "success", "data": vector()}


def body_of(**document: Any) -> bytes:
    return json.dumps(document).encode()


def test_number_is_parsed_from_a_scalar_or_a_single_series() -> None:
    """Both are results of PromQL with one number."""
    assert quantity({"resultType": "scalar", "result": [1790000000.5, "12.5"]}) == 12.5
    assert quantity(vector(({"queue": "orders"}, 12.5))) == 12.5


def test_empty_result_is_no_number() -> None:
    """An empty vector is not zero; the goal defines its meaning."""
    assert quantity(vector()) is None


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (vector(({"a": "1"}, 1), ({"a": "2"}, 2)), "returned 2 series where one is needed"),
        (vector(({}, "NaN")), "returned NaN"),
        (vector(({}, "+Inf")), "returned Inf"),
        (vector(({}, -1)), "returned the negative value -1"),
        (vector(({}, "many")), "returned a series without a number"),
        ({"resultType": "vector", "result": [{"histogram": [1, {}]}]}, "without a number"),
        ({"resultType": "vector", "result": ["x"]}, "without a number"),
        ({"resultType": "string", "result": [1790000000.5, "x"]}, "returned a string, not"),
        ({"resultType": "matrix", "result": []}, "returned a matrix, not a number"),
        ({"resultType": "scalar", "result": []}, "without a number"),
        ({}, "returned a None, not a number"),
    ],
)  # fmt: skip  # a table
def test_invalid_quantity_is_refused_with_its_cause(answer: dict[str, Any], sentence: str) -> None:
    """The message says what the author of the query must change."""
    with pytest.raises(Unusable, match=sentence):
        quantity(answer)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, body_of(status="error", error="parse error: x"), r"returned an error \(400\): parse"),
        (503, body_of(status="error", error="a\n" * 999), r"returned an error \(503\): a a .*…$"),
        (200, b"<html>Log in</html>", "returned no JSON"),
        (502, b"Bad Gateway", "returned 502 and no JSON"),
        (200, b"[" * 100_000, "returned no JSON"),
        (200, b"[]", "returned no JSON"),
        (200, b"\xff\xfe", "returned no JSON"),
        (200, body_of(status="success"), "returned no data"),
        (200, body_of(**WELL, warnings=["no store"]), "warning: no store"),
        (200, body_of(**WELL, isPartial=True), "the response is partial"),
        (200, body_of(hello="world"), "returned an error"),
    ],
)  # fmt: skip  # a table
def test_response_without_data_raises_its_cause(status: int, body: bytes, sentence: str) -> None:
    """With the server's own message where it has one; a partial response counts as an error."""
    with pytest.raises(Unusable, match=sentence):
        data(status, body)


def test_a_table_has_a_number_for_each_target() -> None:
    """By the two labels of the mapping; a series without them has empty ones."""
    found = of_workloads("staging", orders=3, payments="NaN")
    found["result"].append({"metric": {}, "value": [0, "1"]})
    rows = table(found, "namespace", "workload")
    assert rows.pop(("staging", "payments")) != 0
    assert rows == {("staging", "orders"): 3.0, ("", ""): 1.0}


@pytest.mark.parametrize(
    "answer",
    [
        {"resultType": "matrix", "result": []},
        {"resultType": "vector", "result": [{"metric": {}}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": ["x"]}]},
        {"resultType": "vector", "result": [{"metric": [], "value": [0, "1"]}]},
        {"resultType": "vector", "result": None},
        {},
    ],
)
def test_malformed_table_is_refused(answer: dict[str, Any]) -> None:
    """For every malformed shape of the data."""
    with pytest.raises(Unusable, match="returned"):
        table(answer, "namespace", "workload")
