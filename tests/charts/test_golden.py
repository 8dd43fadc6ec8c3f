"""Are the rendered charts those that were reviewed?

Short because the golden files contain what is expected.
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
    """A change of a template is recorded by `make generate`, and its diff is reviewed."""
    file = f"{name}.yaml"
    assert (GOLDEN / file).read_text(encoding="utf-8") == (written / file).read_text(
        encoding="utf-8"
    )


def test_every_committed_golden_file_is_generated() -> None:
    """No file is left whose case does not exist any more."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDENS)
