"""Do the notes that Helm prints say first what is dangerous, and then what to do next?"""

import shutil
from pathlib import Path

import pytest

from charts.helm import BOROUGH, Helm, Values

AS_AN_OBJECT = """\
kind: Notes
text: {{ include (printf "%s/templates/NOTES.txt" .Chart.Name) . | toJson }}
"""
"""`helm template` leaves the notes out; a template of our own takes them in."""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """charts/borough, whose notes are rendered too."""
    copy = tmp_path_factory.mktemp("notes") / "borough"
    shutil.copytree(BOROUGH, copy)
    (copy / "templates" / "notes-as-an-object.yaml").write_text(AS_AN_OBJECT, encoding="utf-8")
    return copy


def notes(helm: Helm, chart: Path, values: Values) -> list[str]:
    """The lines that say something."""
    (found,) = (o for o in helm.objects(chart, values, release="shop") if o["kind"] == "Notes")
    return [line.strip() for line in found["text"].splitlines() if line.strip()]


def test_whoever_installs_with_known_credentials_is_told_first(helm: Helm, chart: Path) -> None:
    """Each by a line of its own, with the value to set."""
    first, second, *rest = notes(helm, chart, {})

    assert first.startswith("WARNING: everybody knows")
    assert "customers.existingSecret" in first
    assert second.startswith("WARNING: everybody knows")
    assert "postgres.existingSecret" in second
    assert not any(line.startswith("WARNING") for line in rest)


def test_nobody_is_warned_without_need(helm: Helm, chart: Path) -> None:
    """Or the warning is not read."""
    own = {"customers": {"existingSecret": "mine"}, "postgres": {"existingSecret": "mine"}}
    assert not any(line.startswith("WARNING") for line in notes(helm, chart, own))


def test_the_next_commands_are_named(helm: Helm, chart: Path) -> None:
    """For this release, in its namespace."""
    text = "\n".join(notes(helm, chart, {}))
    assert "kubectl --namespace shop port-forward service/shop-borough 8080:80" in text
    assert "/v1/menu" in text
    assert "helm test shop --namespace shop" in text


def test_who_is_changing_shape_is_told_of_the_second_step(helm: Helm, chart: Path) -> None:
    """It is easily forgotten: everything works without it."""
    values = {"shape": "microservices", "retiring": "monolith"}
    assert any("monolith" in line and "retiring" in line for line in notes(helm, chart, values))
