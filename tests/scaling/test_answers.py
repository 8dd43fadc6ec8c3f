"""What does the operator make of what Prometheus says, also of what it should never say?"""

import json
from typing import Any

import pytest

from borough_operator.sources.answers import NoSeries, UnusableResponse, data, quantity, table
from scaling.servers import of_workloads, vector

WELL = {"status": "success", "data": vector()}


def said(**document: Any) -> bytes:
    return json.dumps(document).encode()


def test_one_number_is_read_from_a_scalar_or_a_lone_series() -> None:
    """Both are how PromQL says a number."""
    assert quantity({"resultType": "scalar", "result": [1790000000.5, "12.5"]}) == 12.5
    assert quantity(vector(({"queue": "orders"}, 12.5))) == 12.5


def test_nothing_is_not_zero() -> None:
    """An empty vector is an answer of its own kind; the goal says what it means."""
    with pytest.raises(NoSeries):
        quantity(vector())


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
def test_what_is_no_quantity_is_refused_by_what_it_is(
    answer: dict[str, Any], sentence: str
) -> None:
    """Each in words that tell its author what to change."""
    with pytest.raises(UnusableResponse, match=sentence):
        quantity(answer)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, said(status="error", error="parse error: x"), r"returned an error \(400\): parse"),
        (503, said(status="error", error="a\n" * 999), r"returned an error \(503\): a a .*…$"),
        (200, b"<html>Log in</html>", "returned no JSON"),
        (502, b"Bad Gateway", "returned 502 and no JSON"),
        (200, b"[" * 100_000, "returned no JSON"),
        (200, b"[]", "returned no JSON"),
        (200, b"\xff\xfe", "returned no JSON"),
        (200, said(status="success"), "returned no data"),
        (200, said(**WELL, warnings=["no store"]), "warning: no store"),
        (200, said(**WELL, isPartial=True), "the response is partial"),
        (200, said(hello="world"), "returned an error"),
    ],
)  # fmt: skip  # a table
def test_an_answer_without_data_says_why(status: int, body: bytes, sentence: str) -> None:
    """In the server's own words where it has some; a partial answer is none."""
    with pytest.raises(UnusableResponse, match=sentence):
        data(status, body)


def test_a_table_has_a_number_for_each_target() -> None:
    """By the two labels of the mapping; a series without them belongs to nobody."""
    found = of_workloads("town", orders=3, payments="NaN")
    found["result"].append({"metric": {}, "value": [0, "1"]})
    rows = table(found, "namespace", "workload")
    assert rows.pop(("town", "payments")) != 0
    assert rows == {("town", "orders"): 3.0, ("", ""): 1.0}


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
def test_a_table_that_is_none_is_refused(answer: dict[str, Any]) -> None:
    """Whatever it is instead."""
    with pytest.raises(UnusableResponse, match="returned"):
        table(answer, "namespace", "workload")
