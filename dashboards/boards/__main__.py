"""`PYTHONPATH=dashboards python -m boards FOLDER`: write every dashboard as Grafana's JSON.

A file is named after its dashboard's title.
"""

import re
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards import parts, scalers, shop

ALL = (shop.board, parts.board, scalers.board)


def files() -> dict[str, str]:
    """The JSON of every dashboard, by file name."""
    return {_name(board): _text(board) for board in (make() for make in ALL)}


def _name(board: Dashboard) -> str:
    words = re.findall(r"[a-z]+", (board.title or "").lower())
    return f"{'-'.join(words)}.json"


def _text(board: Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(board) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # the program and the folder
        sys.exit("usage: python -m boards FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, "utf-8")
