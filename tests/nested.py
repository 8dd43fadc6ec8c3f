"""How does a test run pytest itself? A file of its own because tests of several folders do."""

import os
import subprocess
import sys
from pathlib import Path

ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
"""Only the plugin that our settings name, since the others take seconds to import, and none of the
options of the run around it, which may be another plugin's.
"""


def run_pytest(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A run in that folder, with these variables beside our own."""
    return subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [
            *(sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin"),
            *("-p", "no:cacheprovider", *arguments),
        ],
        cwd=folder,
        env=os.environ | ALONE | environment,
        capture_output=True,
        text=True,
        check=False,
    )
