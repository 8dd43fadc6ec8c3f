"""Is the commit that is compared with built from its own files, by its own lock, and once?"""

import subprocess
from pathlib import Path

import pytest

from bench.commits import build
from bench.harness import ROOT, BenchFailed
from bench.profiles import BOROUGH, profile_of

PROJECT = '[project]\nname = "thing"\nversion = "{}"\nrequires-python = ">=3.11"\n'
LOCK = (
    'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n'
    '[[package]]\nname = "thing"\nversion = "{}"\nsource = {{ virtual = "." }}\n'
)


def git(repository: Path, *words: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(  # noqa: S603  # our own words
        ["git", *name, *words],  # noqa: S607  # the git of the user
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,  # the git of the user
    ).stdout.strip()


def write(repository: Path, version: str, lock: str = LOCK) -> str:
    """Commit this version; its id."""
    (repository / "pyproject.toml").write_text(PROJECT.format(version))
    (repository / "uv.lock").write_text(lock.format(version))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", version)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def test_commit_is_built_once_from_its_own_files(repository: Path, tmp_path: Path) -> None:
    """Not with those of the working tree; and a second time nothing is made."""
    older = write(repository, "1")
    write(repository, "2")

    built = build(older, repository, tmp_path)
    said = subprocess.run([built.python, "-c", "print('yes')"], check=True, capture_output=True)  # noqa: S603  # what was built
    (built.tree / "mark").touch()
    again = build(older[:8], repository, tmp_path)

    assert built.name == older[:12]
    assert 'version = "1"' in (built.tree / "pyproject.toml").read_text()
    assert said.stdout == b"yes\n"
    assert again == built
    assert (again.tree / "mark").exists()


def test_failed_build_is_repeated(repository: Path, tmp_path: Path) -> None:
    """What it left is no build."""
    broken = write(repository, "1", lock="this is no lock")

    for _ in range(2):
        with pytest.raises(BenchFailed, match=r"uv sync --locked.* ended with [12]"):
            build(broken, repository, tmp_path)


def test_unknown_commit_is_refused_by_name(repository: Path, tmp_path: Path) -> None:
    """Before anything is built."""
    with pytest.raises(BenchFailed, match="there is no commit abcdef0"):
        build("abcdef0", repository, tmp_path)


def test_profile_is_chosen_by_the_entry_of_the_tree(tmp_path: Path) -> None:
    """And one that has none is refused."""
    assert profile_of(ROOT) is BOROUGH
    with pytest.raises(BenchFailed, match=r"there is no kit/borough/__main__\.py"):
        profile_of(tmp_path)
