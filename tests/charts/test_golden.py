"""Is what the charts render what was reviewed?

Short because the files themselves say what is expected.
"""

from pathlib import Path

import pytest

from charts.golden import GOLDEN, GOLDENS, write
from charts.helm import Helm


@pytest.fixture(scope="module")
def written(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as `make generate` would write them."""
    folder = tmp_path_factory.mktemp("golden")
    write(helm, folder)
    return folder


@pytest.mark.parametrize("name", GOLDENS)
def test_rendering_equals_the_golden_file(written: Path, name: str) -> None:
    """Whoever changes a template says so by `make generate`, and the difference is read."""
    file = f"{name}.yaml"
    assert (GOLDEN / file).read_text(encoding="utf-8") == (written / file).read_text(
        encoding="utf-8"
    )


def test_every_committed_golden_file_is_generated() -> None:
    """It would be reviewed for nothing."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDENS)
