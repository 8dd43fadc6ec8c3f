"""What only a bill needs. A load runs without it, so that the image it runs from stays small.

Whoever computes or draws with it imports it inside a function, and whoever begins something that
ends in a bill asks here first, because a run of an hour must not fail on its last line.
"""

from importlib.util import find_spec

REPORT = ("jinja2", "matplotlib", "scipy")


class MissingExtra(Exception):
    """Something is not installed; the message names it, and the extra that brings it."""


def need_report() -> None:
    """Raises MissingExtra where no bill could be computed or drawn."""
    if missing := [name for name in REPORT if find_spec(name) is None]:
        raise MissingExtra(
            f"a bill needs {', '.join(missing)}, which the extra brings: borough-bill[report]"
        )
