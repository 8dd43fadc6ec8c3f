"""Is a socket that a test leaves open reported with the file that opened it?"""

import re
from pathlib import Path

from nested import run_pytest

LEAVER = re.compile(r"^ERROR \S*test_a.py::test_leaves_a_socket_open(?: - .*)?$", re.MULTILINE)
"""Where `CI` is set, pytest adds the message."""

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
    done = run_pytest(
        root,
        *("-p", "conftest", "-c", "pyproject.toml", "--rootdir", str(tmp_path), str(tmp_path)),
        PYTHONPATH=str(root / "tests"),
    )

    assert done.returncode == 1, done.stdout
    assert LEAVER.search(done.stdout)
    assert "ResourceWarning: unclosed <socket.socket" in done.stdout
    assert "2 passed, 1 error" in done.stdout
