"""Do the documents say what is there?"""

import re
from pathlib import Path

from borough.config import Settings

VERB = re.compile(r"^([a-z0-9-]+):[^\n]*## ", re.MULTILINE)
STATUS = re.compile(r"^Status: (accepted|superseded by \d{4}), \d{4}-\d{2}-\d{2}$", re.MULTILINE)
SECTIONS = ("Context", "Decision", "Consequences", "Alternatives considered")


def verbs(makefile: str) -> set[str]:
    """The verbs `make help` shows."""
    return set(VERB.findall(makefile))


def promised(text: str) -> set[str]:
    """The verbs a document tells its reader to type."""
    return set(re.findall(r"\bmake ([a-z0-9-]+)\b(?=`|$|\s{2,}|\s#| [A-Z]+=)", text, re.MULTILINE))


def unnumbered(names: list[str]) -> list[str]:
    """Names that break the row 0001, 0002, ... or its spelling."""
    return [
        name
        for number, name in enumerate(sorted(names), start=1)
        if not re.fullmatch(rf"{number:04}-[a-z0-9-]+\.md", name)
    ]


def dead_links(document: Path) -> list[str]:
    """Relative links to what is not there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text())
    return [target for target in targets if not (document.parent / target).exists()]


def documents(root: Path) -> list[Path]:
    """What people read."""
    rooms = [*root.glob("*.md"), *root.glob("*/README.md"), *root.glob("docs/**/*.md")]
    return [path for path in rooms if "build" not in path.relative_to(root).parts]


def test_the_makefile_has_every_verb_the_house_promises(root: Path) -> None:
    """A newcomer finds the same few verbs in every document and behind the door."""
    here = verbs((root / "Makefile").read_text())

    assert here == {
        "help", "demo", "bill", "bench", "drill", "test", "check", "soak", "generate", "verify",
        "images", "up", "load", "demo-scaling", "down", "footprint", "e2e", "e2e-long",
        "leaderboard", "test-field", "wheels",
    }  # fmt: skip  # one glance
    for document in documents(root):
        assert promised(document.read_text()) <= here, document


def test_a_verb_that_is_promised_but_not_there_is_found() -> None:
    """Prose that merely begins with the word make is no promise."""
    assert promised("type `make deploy`, then\n    make test   # all\nand make sure it holds") == {
        "deploy",
        "test",
    }


def test_decisions_are_numbered_in_a_row_and_complete(root: Path) -> None:
    """A decision without its alternatives is an order."""
    decisions = sorted((root / "docs" / "adr").glob("*.md"))

    assert decisions
    assert unnumbered([path.name for path in decisions]) == []
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path
        assert STATUS.search(text), path
        assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS, path


def test_a_gap_in_the_numbers_is_found() -> None:
    """And so is a name that is no name of a decision."""
    assert unnumbered(["0001-one.md", "0003-three.md", "Notes.md"]) == ["0003-three.md", "Notes.md"]


def test_no_document_points_at_what_is_not_there(root: Path) -> None:
    """A dead link is a broken promise."""
    assert {str(p): dead for p in documents(root) if (dead := dead_links(p))} == {}


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """Links into the web are not checked."""
    (tmp_path / "there.md").touch()
    page = tmp_path / "page.md"
    page.write_text("[a](there.md) [b](gone.md#part) [c](https://example.org)")

    assert dead_links(page) == ["gone.md"]


def test_every_setting_has_its_sentence() -> None:
    """`borough config` is a document too."""
    assert [
        n for n, f in Settings.model_fields.items() if not (f.description or "").endswith(".")
    ] == []
