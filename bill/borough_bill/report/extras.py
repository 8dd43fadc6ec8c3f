"""The packages of the extra `report`, which a bill needs and a load does not.

Code that uses them imports them inside a function, so that `load` runs without them, in a small
image. Commands that end in a bill check for them first, because a run may take an hour.
"""

from importlib.util import find_spec

REPORT = ("jinja2", "matplotlib", "scipy")


class MissingExtra(Exception):
    """A package is not installed; the message names it and its extra."""


def need_report() -> None:
    """Raise MissingExtra where a package of the extra is missing."""
    if missing := [name for name in REPORT if find_spec(name) is None]:
        raise MissingExtra(
            f"a bill needs {', '.join(missing)}, which the extra brings: borough-bill[report]"
        )
