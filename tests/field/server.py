"""A foreign server as a process of the test, which ends with it and is quoted where it fails."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from borough_bill.targets.processes import HOST, die_with_parent
from waiting import until


@contextmanager
def listening(
    command: Sequence[str], port: int, log: Path, user: str | None = None
) -> Iterator[None]:
    """Run the command while the context lasts; it listens on `port` by then.

    `user` is who runs it, where we are root and the program refuses to be. Raises AssertionError
    with the log where it ends before it listens, or does not listen in time.
    """
    with log.open("ab") as said:
        process = subprocess.Popen(  # noqa: S603  # our own words
            command,
            stdout=said,
            stderr=said,
            user=user,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # two system calls, and nothing else
        )
    try:
        until(lambda: process.poll() is not None or _accepts(port))
        assert process.poll() is None, log.read_text("utf-8", "replace")
        yield
        assert process.poll() is None, log.read_text("utf-8", "replace")
    finally:
        process.kill()
        process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port)).close()
    except ConnectionRefusedError:
        return False
    return True
