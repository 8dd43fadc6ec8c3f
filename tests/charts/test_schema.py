"""Do the schemas of values accept valid values, and no other?"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from jsonschema.validators import validator_for

from charts.cases import Case
from charts.helm import RELEASE, Object, Values, read

CHARTS = tuple(RELEASE)

FREE = {
    "global": "the parent's",
    "settings": "their names are looked up when the chart is rendered",
    "affinity": "Kubernetes' own, here and below",
    "from": "",
    "kubernetes": "",
    "ipBlock": "",
    "namespaceSelector": "",
    "parentRefs": "",
    "podSelector": "",
    "tls": "",
    "tolerations": "",
    "valueFrom": "",
}
"""Maps that may have keys unknown to the schema, and the reason."""


def schema_of(chart: Path) -> Object:
    """The chart's schema; JSON is YAML."""
    return read(chart / "values.schema.json")


def errors(chart: Path, values: Values) -> list[str]:
    """The errors of the schema for all values of a release."""
    schema = schema_of(chart)
    found = validator_for(schema)(schema).iter_errors(values)
    return [f"{e.json_path}: {e.message}" for e in found]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_schema_is_valid(chart: Path) -> None:
    """By the draft that it names."""
    schema = schema_of(chart)
    kind = validator_for(schema, default=Draft7Validator)

    assert schema["$schema"] == kind.META_SCHEMA["$id"]
    kind.check_schema(schema)


def test_every_example_is_valid(example: Case) -> None:
    """Merged with the defaults, as Helm does before it validates."""
    defaults = read(example.chart / "values.yaml")
    assert errors(example.chart, laid_over(defaults, example.values)) == []


def laid_over(below: Values, above: Values) -> Object:
    """Maps are merged, null deletes, and anything else is replaced."""
    both = {**below, **above}
    return {
        key: laid_over(below.get(key) or {}, value) if isinstance(value, dict) else value
        for key, value in both.items()
        if value is not None or key not in above
    }


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_schema_and_defaults_have_the_same_keys(chart: Path) -> None:
    """A key without a default is not visible in values.yaml; `global` and `enabled` are for a
    parent chart.
    """
    values = read(chart / "values.yaml")
    assert set(schema_of(chart)["properties"]) - {"global", "enabled"} == set(values)
    assert errors(chart, {**values, "global": {"anything": [1]}, "enabled": True}) == []


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_value_is_read_by_a_template(chart: Path) -> None:
    """One that no template reads would have no effect."""
    text = "".join(p.read_text(encoding="utf-8") for p in chart.glob("templates/**/*.*"))
    words = set(re.findall(r"\w+", text))
    assert [key for key in keys(read(chart / "values.yaml")) if key not in words] == []


def keys(values: Values) -> Iterator[str]:
    """Every key, at any level; those of resources are Kubernetes' own, and those of scaling a
    ServiceScaler's.
    """
    for key, value in values.items():
        yield key
        if isinstance(value, dict) and key not in {"resources", "scaling"}:
            yield from keys(value)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_schema_is_closed_except_for_listed_maps(chart: Path) -> None:
    """A map is closed, or has a schema for its values; fields of Kubernetes are validated by it."""
    found = {path.rpartition(".")[2] for path in open_maps(schema_of(chart))}
    assert found - set(FREE) == set()


def open_maps(schema: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a schema would accept an unknown key with any value."""
    if isinstance(schema, list):
        for inner in schema:
            yield from open_maps(inner, path)
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    is_map = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if is_map and schema.get("additionalProperties", True) is True and "$ref" not in schema:
        yield ".".join(path)
    for key, inner in schema.items():
        if key in {"properties", "$defs", "definitions", "patternProperties"}:
            for name, one in inner.items():
                yield from open_maps(one, (*path, name))
        elif key in {"items", "additionalProperties", "anyOf", "oneOf", "allOf", "then", "else"}:
            yield from open_maps(inner, path)


def test_open_map_is_found() -> None:
    """At any level."""
    closed = {"type": "object", "additionalProperties": False}
    schema = {
        **closed,
        "properties": {"a": {"type": "object"}, "b": closed},
        "$defs": {"c": {"anyOf": [closed, {"type": ["object", "null"]}]}},
    }
    assert list(open_maps(schema)) == ["a", "c"]
