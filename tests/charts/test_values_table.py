"""Does the table in a chart's README have every value?"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "before\n<!-- values -->\nold\n<!-- /values -->\nafter\n"


def written(chart: Path, values: str, page: str = PAGE) -> subprocess.CompletedProcess[str]:
    """The result of the generator for a chart of these values and this README."""
    (chart / "values.yaml").write_text(values)
    (chart / "README.md").write_text(page)
    return subprocess.run(  # noqa: S603  # a program of this repository
        [sys.executable, ROOT / "charts" / "values_table.py", chart],
        capture_output=True,
        text=True,
        check=False,
    )


def test_table_has_each_value_with_default_and_meaning(tmp_path: Path) -> None:
    """A comment may have several lines, and applies to everything below its key."""
    answer = written(tmp_path, "a:\n  # -- First\n  # line | more.\n  b: {c: 1}\n# -- D.\nd: []\n")
    assert answer.stdout == (
        "before\n<!-- values -->\n"
        "| Value | Default | Meaning |\n| --- | --- | --- |\n"
        '| a.b | `{"c": 1}` | First line \\| more. |\n'
        "| d | `[]` | D. |\n"
        "<!-- /values -->\nafter\n"
    )


@pytest.mark.parametrize(
    ("values", "page", "named"),
    [
        ("a:\n  # -- B.\n  b: 1\n  c: 2\n", PAGE, "a.c"),
        ("# Just a remark.\na: 1\n", PAGE, "a has no comment"),
        ("# -- A.\na: 1\n", "no place", "README.md"),
    ],
)
def test_missing_comment_or_table_is_named(
    tmp_path: Path, values: str, page: str, named: str
) -> None:
    """A value without a comment and a README without a table are errors."""
    answer = written(tmp_path, values, page)
    assert answer.returncode == 1
    assert named in answer.stderr
