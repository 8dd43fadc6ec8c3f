#!/usr/bin/env python3
"""Prints the README of a chart with a table of its values, from the `# --` comments in its
values.yaml: `charts/values_table.py CHART`, as `make generate` does.

A value without a comment is an error that names it.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

MARK = "# -- "
BEGIN, END = "<!-- values -->", "<!-- /values -->"
PLACE = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)


class Undocumented(Exception):
    """A value without a comment, or a README without the markers; the message names it."""


def _rows(
    node: yaml.Node | None, lines: list[str], above: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Key, default as JSON and meaning of every documented value, in their order."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise Undocumented(f"{above[:-1]} has no comment: add `{MARK}...` above it")
    for key, value in node.value:
        name = above + key.value
        meaning = _comment(lines, key.start_mark.line)
        if meaning:
            plain = yaml.safe_load(yaml.serialize(value, Dumper=yaml.SafeDumper))
            yield name, json.dumps(plain), meaning
        else:
            yield from _rows(value, lines, f"{name}.")


def _comment(lines: list[str], line: int) -> str:
    """The comment directly above a line, from the mark on; empty without a mark."""
    found: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if not text.startswith("#"):
            break
        found.insert(0, text.removeprefix(MARK if text.startswith(MARK) else "#").strip())
        if text.startswith(MARK):
            return " ".join(found)
    return ""


def table(text: str) -> str:
    """The values as a Markdown table. Raises Undocumented."""
    found = _rows(yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines())
    rows = ((name, f"`{default}`", meaning) for name, default, meaning in found)
    head = ("Value", "Default", "Meaning"), ("---",) * 3
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in (*head, *rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def readme(chart: Path) -> str:
    """The README of a chart with its table. Raises Undocumented."""
    page = chart / "README.md"
    made = table((chart / "values.yaml").read_text("utf-8"))
    text, places = PLACE.subn(lambda _: f"{BEGIN}\n{made}\n{END}", page.read_text("utf-8"))
    if places != 1:
        raise Undocumented(f"{page} has no place for values: it lacks {BEGIN} or {END}")
    return text


if __name__ == "__main__":
    try:
        sys.stdout.write(readme(Path(sys.argv[1])))
    except (Undocumented, OSError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
