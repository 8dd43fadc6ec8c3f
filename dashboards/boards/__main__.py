"""`PYTHONPATH=dashboards python -m boards FOLDER`: write every dashboard as Grafana's JSON."""

import re
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from boards import parts, scalers, shop

ALL = (shop.board, parts.board, scalers.board)


def files() -> dict[str, str]:
    """The JSON of every dashboard, by a file name after its title."""
    encoder, found = JSONEncoder(sort_keys=True, indent=2), {}
    for board in (make() for make in ALL):
        words = re.findall(r"[a-z]+", (board.title or "").lower())
        found[f"{'-'.join(words)}.json"] = encoder.encode(board) + "\n"
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # the program and the folder
        sys.exit("usage: python -m boards FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, "utf-8")
