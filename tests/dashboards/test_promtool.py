"""Does Prometheus' own tool accept every expression?"""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dashboards.prometheus import of_prometheus
from dashboards.rules import Board
from e2e.queries import questions

VALUES = {
    "namespace": "borough", "workload": "borough-(orders|payments)", "part": ".+",
    "scaler": ".+", "__rate_interval": "1m", "__range": "30m",
}  # fmt: skip  # one glance


def check(expressions: Iterable[str], folder: Path) -> tuple[int, str]:
    """What `promtool check rules` answers and says of a file with a rule for each expression."""
    rules = [{"record": f"asked:{n}", "expr": promql} for n, promql in enumerate(expressions)]
    path = folder / "rules.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "boards", "rules": rules}]}))
    done = subprocess.run(  # noqa: S603  # our own words
        [of_prometheus("promtool"), "check", "rules", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_every_expression_is_promql(board: Board, tmp_path: Path) -> None:
    """With the variables filled in, as a choice of several fills them."""
    asked = [question.promql for question in questions(board, VALUES)]
    code, said = check(asked, tmp_path)
    assert code == 0, said
    assert f"{len(asked)} rules found" in said


def test_invalid_expression_is_refused(tmp_path: Path) -> None:
    """The check above can fail."""
    code, said = check(["sum(rate(borough_orders_total[1m])"], tmp_path)
    assert code != 0
    assert "unclosed left parenthesis" in said
