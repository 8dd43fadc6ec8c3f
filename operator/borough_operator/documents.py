"""What there is to know about the fields of a ServiceScaler, written from its definition.

`python -m borough_operator.documents DEFINITION` prints docs/scaler.md. Fields, defaults, bounds
and refusals come from the definition that the API server gets, the rest from the code that says it,
so the page cannot say anything else than they do.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from borough_operator.decision import reasons
from borough_operator.kube.conditions import CONDITIONS
from borough_operator.running import signals

Schema = Mapping[str, Any]

INTRODUCTION = """\
# ServiceScaler, field by field

Generated from its definition, `charts/borough-operator/files/servicescaler.yaml`, and from the
code; `kubectl explain ssc.spec --recursive` says the same. What the operator does with it:
[operator.md](operator.md)."""

_PLAIN = {
    ("array", False): "list",
    ("integer", False): "whole number",
    ("object", False): "",
    ("string", False): "text",
    ("string", True): "time",
}
"""By the schema's type, and whether its format is that of a time."""


class Undescribed(Exception):
    """A field without a description; the message names it."""


def page(definition: Schema) -> str:
    """The page, in Markdown. Raises Undescribed."""
    (version,) = definition["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    sections = (
        INTRODUCTION,
        "## spec",
        _table(("Field", "Type", "Default", "Meaning"), _fields(properties["spec"], "")),
        "## What is refused\n\nBy the API server, at once, with these words:",
        "\n".join(f"- `{name}`: {said}." for name, said in _refusals(properties["spec"], "")),
        "## status",
        _table(("Field", "Type", "Meaning"), _told(properties["status"])),
        "## Conditions",
        _table(("Condition", "It is true that"), CONDITIONS.items()),
        "## Reasons\n\nWhy an answer is what it is: a closed list, in status and in metrics.",
        _table(
            ("Reason", "Meaning"), ((str(each), said) for each, said in reasons.MEANING.items())
        ),
        "## Columns\n\nOf `kubectl get ssc`; the last ones only with `--output wide`.",
        _table(("Column", "Field"), _columns(version["additionalPrinterColumns"])),
        "## Metrics of the operator",
        _table(("Metric", "Kind", "Labels", "Meaning"), _metrics()),
    )
    return "\n\n".join(sections)


def _fields(schema: Schema, above: str) -> Iterator[tuple[str, ...]]:
    for name, field, required in _below(schema, above):
        default = "required" if required else _default(field)
        yield f"`{name}`", _type(field), default, _description(field, name)
        yield from _fields(field.get("items", field), _beneath(name, field))


def _told(schema: Schema, above: str = "") -> Iterator[tuple[str, ...]]:
    for name, field, _ in _below(schema, above):
        yield f"`{name}`", _type(field), _description(field, name)
        yield from _told(field.get("items", field), _beneath(name, field))


def _refusals(schema: Schema, above: str) -> Iterator[tuple[str, str]]:
    """Every rule's message, by the field it stands at."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield above.removesuffix(".") or "spec", rule["message"]
    for name, field, _ in _below(schema, above):
        yield from _refusals(field, f"{name}.")
        if "items" in field:
            yield from _refusals(field["items"], _beneath(name, field))


def _below(schema: Schema, above: str) -> Iterator[tuple[str, Schema, bool]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield f"{above}{name}", field, name in required


def _beneath(name: str, field: Schema) -> str:
    return f"{name}[]." if "items" in field else f"{name}."


def _default(field: Schema) -> str:
    """Of an object whose parts have their own, none."""
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
    return _ruled(field) or _PLAIN[field["type"], field.get("format") == "date-time"]


def _ruled(field: Schema) -> str:
    """The type of a text that a rule reads as something else."""
    rules = " ".join(rule["rule"] for rule in field.get("x-kubernetes-validations", ()))
    if "duration(self)" in rules:
        return "duration"
    number = "double(self)" in rules
    if field.get("x-kubernetes-int-or-string"):
        return "number" if number else "whole number or text"
    return "quoted number" if number else ""


def _description(field: Schema, name: str) -> str:
    if "description" not in field:
        raise Undescribed(f"nothing says what {name} is: give it a description")
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
    """Print the page of the definition that is named."""
    (file,) = sys.argv[1:]
    sys.stdout.write(page(yaml.safe_load(Path(file).read_text("utf-8"))) + "\n")


if __name__ == "__main__":
    main()
