"""The reference of the ServiceScaler's fields, from its definition.

`PYTHONPATH=tests python -m scaling.documents DEFINITION` prints docs/scaler.md. Fields, defaults,
bounds and validation messages come from the CustomResourceDefinition, the rest from the code.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from borough_operator.decision.model import Reason
from borough_operator.running import signals

Schema = Mapping[str, Any]

INTRODUCTION = """\
# ServiceScaler, field by field

Generated from its definition, `charts/borough-operator/files/servicescaler.yaml`, and from the
code; `kubectl explain ssc.spec --recursive` shows the same. How the operator uses them:
[operator.md](operator.md)."""

_TYPES = {
    ("array", False): "list",
    ("integer", False): "whole number",
    ("object", False): "",
    ("string", False): "text",
    ("string", True): "time",
}
"""By the schema's type, and whether its format is date-time."""


CONDITIONS = {
    "Ready": "The scaler can work in its mode: its spec is valid, its target exists, and at "
    "least one goal has a usable reading.",
    "MetricsHealthy": "Every goal's reading is fresh, and none contradicts another.",
    "Limited": "A rule changed the largest proposal: a bound, the window or the budget.",
    "ManualHold": "A number that another manager set is left alone for a while.",
    "RolloutStable": "No rollout of the target is in progress or failing.",
    "Contested": "Another controller reverts the operator's changes: no more are made.",
}
"""Every condition, and what it means that it is True."""
MEANING = {
    Reason.STEADY: "The demand of the goals is within the tolerances of the present number.",
    Reason.SCALED_UP: "The largest proposal is above the present number.",
    Reason.SCALED_DOWN: "All goals needed fewer for a whole window: a step was removed.",
    Reason.AT_MAX: "The goals ask for more than `replicas.max`, or there are more.",
    Reason.AT_MIN: "The goals ask for less than `replicas.min`.",
    Reason.WINDOW: "Fewer are enough, but not for a whole window yet, or since a step.",
    Reason.REVERSALS: "Fewer are enough, but the direction changed too often within the hour.",
    Reason.AWAITING_READY: "Replicas that were added before have to be ready first.",
    Reason.ROLLOUT: "Fewer are enough, but nothing is removed during a rollout.",
    Reason.ROLLOUT_FAILING: "The newest version does not become ready: nothing is changed.",
    Reason.SATURATED: "Two raises did not reduce the latency: the bottleneck is elsewhere.",
    Reason.METRICS_STALE: "The newest reading of a goal is too old: nothing is removed.",
    Reason.METRICS_EMPTY: "The source has no series of the target: nothing is removed.",
    Reason.METRICS_ERROR: "The source failed, or readings contradict: nothing is removed.",
    Reason.MANUAL_HOLD: "Another manager set the number: it is left alone for `manualHold`.",
    Reason.CONTESTED: "Another controller reverts our changes: no more are made.",
    Reason.SCALED_TO_ZERO: "The target was scaled to 0: it stays there until scaled up.",
    Reason.PAUSED: "The scaler's mode is `Paused`.",
    Reason.TARGET_MISSING: "There is no target of this kind and name.",
    Reason.TARGET_UNREADABLE: "The target could not be read, or its scaling was refused.",
    Reason.SPEC_INVALID: "The spec is invalid.",
}
"""Every reason as a sentence; the message of a decision has the numbers of its case."""


class MissingDescription(Exception):
    """A field without a description; the message names it."""


def page(definition: Schema) -> str:
    """The page in Markdown. Raises MissingDescription."""
    (version,) = definition["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    sections = (
        INTRODUCTION,
        "## spec",
        _table(("Field", "Type", "Default", "Meaning"), _fields(properties["spec"], "")),
        "## Validation messages\n\nOf the API server, for an invalid object:",
        "\n".join(
            f"- `{name}`: {message}." for name, message in _validations(properties["spec"], "")
        ),
        "## status",
        _table(("Field", "Type", "Meaning"), _status_fields(properties["status"])),
        "## Conditions",
        _table(("Condition", "Meaning of True"), CONDITIONS.items()),
        "## Reasons\n\nWhy a decision is what it is: a closed list, in status and in metrics.",
        _table(
            ("Reason", "Meaning"),
            ((str(each), meaning) for each, meaning in MEANING.items()),
        ),
        "## Columns\n\nOf `kubectl get ssc`; those marked wide only with `--output wide`.",
        _table(("Column", "Field"), _columns(version["additionalPrinterColumns"])),
        "## Metrics of the operator",
        _table(("Metric", "Kind", "Labels", "Meaning"), _metrics()),
    )
    return "\n\n".join(sections)


def _fields(schema: Schema, above: str) -> Iterator[tuple[str, ...]]:
    for name, field, required in _properties(schema, above):
        default = "required" if required else _default(field)
        yield f"`{name}`", _type(field), default, _description(field, name)
        yield from _fields(field.get("items", field), _prefix(name, field))


def _status_fields(schema: Schema, above: str = "") -> Iterator[tuple[str, ...]]:
    for name, field, _ in _properties(schema, above):
        yield f"`{name}`", _type(field), _description(field, name)
        yield from _status_fields(field.get("items", field), _prefix(name, field))


def _validations(schema: Schema, above: str) -> Iterator[tuple[str, str]]:
    """Every validation message, by its field."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield above.removesuffix(".") or "spec", rule["message"]
    for name, field, _ in _properties(schema, above):
        yield from _validations(field, f"{name}.")
        if "items" in field:
            yield from _validations(field["items"], _prefix(name, field))


def _properties(schema: Schema, above: str) -> Iterator[tuple[str, Schema, bool]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield f"{above}{name}", field, name in required


def _prefix(name: str, field: Schema) -> str:
    return f"{name}[]." if "items" in field else f"{name}."


def _default(field: Schema) -> str:
    """The default as text; empty for an object whose properties have their own."""
    default = field.get("default", {})
    if default == {}:
        return ""
    return default if isinstance(default, str) else json.dumps(default)


def _type(field: Schema) -> str:
    if "enum" in field:
        *others, last = map(str, field["enum"])
        return f"{', '.join(others)} or {last}"
    if field.get("type") == "array" and "maxItems" in field:
        return f"list of up to {field['maxItems']}"
    if field.get("type") == "integer" and "maximum" in field:
        return f"whole number from {field['minimum']} to {field['maximum']}"
    return _type_by_rule(field) or _TYPES[field["type"], field.get("format") == "date-time"]


def _type_by_rule(field: Schema) -> str:
    """The type of a text that a validation rule parses."""
    rules = " ".join(rule["rule"] for rule in field.get("x-kubernetes-validations", ()))
    if "duration(self)" in rules:
        return "duration"
    number = "double(self)" in rules
    if field.get("x-kubernetes-int-or-string"):
        return "number" if number else "whole number or text"
    return "quoted number" if number else ""


def _description(field: Schema, name: str) -> str:
    if "description" not in field:
        raise MissingDescription(f"{name} has no description in the definition")
    return str(field["description"])


def _columns(columns: list[Schema]) -> Iterator[tuple[str, str]]:
    for column in sorted(columns, key=lambda column: column.get("priority", 0)):
        wide = " (wide)" if column.get("priority") else ""
        yield f"{column['name'].upper()}{wide}", f"`{column['jsonPath'].removeprefix('.')}`"


def _metrics() -> Iterator[tuple[str, ...]]:
    for signal in signals.ALL:
        yield f"`{signal.series}`", signal.kind, ", ".join(signal.labels), signal.help


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


def main() -> None:
    """Print the page for the named definition."""
    (file,) = sys.argv[1:]
    sys.stdout.write(page(yaml.safe_load(Path(file).read_text("utf-8"))) + "\n")


if __name__ == "__main__":
    main()
