"""Is a socket that a test leaves open told at the file that left it?"""

import os
import re
import subprocess
import sys
from pathlib import Path

LEAKS = '''
import socket

class Owner:
    """Drops its socket open, in a circle that only the collector finds."""

def test_leaves_a_socket_open():
    """It holds."""
    owner = Owner()
    owner.itself, owner.socket = owner, socket.socket()
    assert owner.socket.fileno() > 0
'''
FOLLOWS = '''
import gc

def test_is_blamed_for_nothing():
    """It holds."""
    assert gc.collect() >= 0
'''


def test_leaked_socket_fails_the_file_that_left_it(root: Path, tmp_path: Path) -> None:
    """The next file, in which the collector runs, passes."""
    (tmp_path / "test_a.py").write_text(LEAKS)
    (tmp_path / "test_b.py").write_text(FOLLOWS)
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [
            *(sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin", "-p", "conftest"),
            *("-p", "no:cacheprovider"),
            *("-c", str(root / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)),
        ],
        env=os.environ | {"PYTHONPATH": str(root / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout
    assert re.search(r"^ERROR \S*test_a.py::test_leaves_a_socket_open$", done.stdout, re.MULTILINE)
    assert "ResourceWarning: unclosed <socket.socket" in done.stdout
    assert "2 passed, 1 error" in done.stdout
