"""Is the committed JSON what the code writes, and does it survive Grafana's own types?"""

import json
import subprocess
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.__main__ import files
from dashboards.conftest import ROOM
from dashboards.rules import Board


def test_the_committed_files_are_what_the_code_writes(committed: tuple[Path, ...]) -> None:
    """No board is missing, left over, or edited by hand."""
    assert {path.name: path.read_text("utf-8") for path in committed} == files()


def test_command_writes_the_dashboards(tmp_path: Path) -> None:
    """The one that `make generate` uses; without a folder it says what it wants."""
    command = [sys.executable, "-m", "boards"]
    where = {"PYTHONPATH": str(ROOM)}
    subprocess.run([*command, str(tmp_path / "out")], env=where, check=True)  # noqa: S603  # our own words
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "out").iterdir()}
    assert written == files()

    done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)  # noqa: S603  # as above
    assert (done.returncode, done.stderr) == (1, "usage: python -m boards FOLDER\n")


def test_board_is_unchanged_by_grafanas_types(board: Board) -> None:
    """Read into them and written again it is the same: there is nothing they do not know."""
    register_default_plugins()
    text = JSONEncoder().encode(Dashboard.from_json(board))
    assert json.loads(text) == board


def test_the_readme_lists_every_board_with_its_question(committed: tuple[Path, ...]) -> None:
    """One line a dashboard: its file, its question."""
    readme = (ROOM / "README.md").read_text("utf-8")
    for path in committed:
        title = json.loads(path.read_text("utf-8"))["title"]
        assert f"| [{path.name}]({path.name}) | {title} " in readme
