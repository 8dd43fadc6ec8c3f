"""Charts as Helm renders them: the text, cached for the session, and the objects in it.

A rendering takes a tenth of a second or more, so it is made once. Values are passed as JSON,
exactly as a test spells them.
"""

import functools
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
Objects = tuple[Object, ...]
Values = Mapping[str, Any]

CHARTS = Path(__file__).parents[2] / "charts"
BOROUGH = CHARTS / "borough"
OBSERVABILITY = CHARTS / "observability"
OPERATOR = CHARTS / "borough-operator"

RELEASE = {BOROUGH: "borough", OBSERVABILITY: "observability", OPERATOR: "borough-operator"}
"""The default name of a release; its namespace has the same name."""


class Refused(Exception):
    """Helm failed to render; the message is its output."""


@dataclass(frozen=True, slots=True)
class Helm:
    """One Helm program."""

    program: str

    def render(self, chart: Path, values: Values | None = None, *, release: str = "") -> str:
        """The text of a release. Raises Refused."""
        return _kept(self.program, _template(chart, release), json.dumps(values or {}))

    def render_anew(self, chart: Path, values: Values | None = None) -> str:
        """The same, without the cache. Raises Refused."""
        return _said(self.program, _template(chart), json.dumps(values or {}))

    def objects(self, chart: Path, values: Values | None = None, *, release: str = "") -> Objects:
        """The objects of a release. All tests share them: they must not be changed. Raises
        Refused.
        """
        return parse(self.render(chart, values, release=release))

    def lint(self, chart: Path, values: Values) -> str:
        """The output of `helm lint --strict` for a chart with these values. Raises Refused."""
        words = ("lint", "--strict", str(chart), "--values", "-")
        return _said(self.program, words, json.dumps(values))


def read(path: Path) -> Object:
    """The only document of a YAML file; an empty file has no values."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or {}


@functools.cache
def parse(text: str) -> Objects:
    """The objects of a rendered text."""
    return tuple(found for found in yaml.load_all(text, yaml.CSafeLoader) if found)


def _template(chart: Path, release: str = "") -> tuple[str, ...]:
    name = release or RELEASE[chart]
    return ("template", name, str(chart), "--namespace", name, "--values", "-")


def _said(program: str, words: tuple[str, ...], values: str) -> str:
    done = subprocess.run(  # noqa: S603  # arguments of the tests
        [program, *words], input=values, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Refused((done.stderr + done.stdout).strip())
    return done.stdout


_kept = functools.cache(_said)
