#!/usr/bin/env python3
"""The table of values in a chart's README, made of the `# --` comments in its values.yaml.

`charts/values_table.py CHART` prints the README of that chart with the table in its place; `make
generate` writes it. A value that nobody documented is an error that names it.
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
    """A value without a comment, or a README without a place for them; the message names it."""


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Key, default as JSON and meaning of every documented value, in their order.

    Raises Undocumented for a value that has no comment and is not part of one that has.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise Undocumented("the values are no map")
    yield from _rows(root, text.splitlines(), "")


def _rows(node: yaml.MappingNode, lines: list[str], above: str) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name = above + key.value
        meaning = _comment(lines, key.start_mark.line)
        if meaning:
            yield name, json.dumps(_plain(value)), meaning
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _rows(value, lines, f"{name}.")
        else:
            raise Undocumented(f"nothing says what {name} is: write `{MARK}...` above it")


def _comment(lines: list[str], line: int) -> str:
    """What is said right above a line, beginning with the mark; nothing where there is no mark."""
    said: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if not text.startswith("#"):
            break
        said.insert(0, text.removeprefix(MARK if text.startswith(MARK) else "#").strip())
        if text.startswith(MARK):
            return " ".join(said)
    return ""


def _plain(node: yaml.Node) -> object:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))


def table(text: str) -> str:
    """The values as a Markdown table."""
    body = [
        f"| {name} | {_cell(f'`{default}`')} | {_cell(meaning)} |"
        for name, default, meaning in rows(text)
    ]
    return "\n".join(["| Value | Default | Meaning |", "| --- | --- | --- |", *body])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def readme(chart: Path) -> str:
    """The README of a chart with its table. Raises Undocumented."""
    page = chart / "README.md"
    if not page.exists():
        raise Undocumented(f"{page} is not there: it has the place for the values")
    made = table((chart / "values.yaml").read_text("utf-8"))
    text, places = PLACE.subn(lambda _: f"{BEGIN}\n{made}\n{END}", page.read_text("utf-8"))
    if places != 1:
        raise Undocumented(f"{page} has no place for values: it lacks {BEGIN} or {END}")
    return text


if __name__ == "__main__":
    try:
        sys.stdout.write(readme(Path(sys.argv[1])))
    except Undocumented as error:
        sys.exit(f"{sys.argv[1]}: {error}")
