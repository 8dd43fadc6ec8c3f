"""Do the notes that Helm prints begin with security warnings, and then name the next commands?"""

import shutil
from pathlib import Path

import pytest
import yaml

from borough_operator.kube import spec
from charts.cases import CASES
from charts.helm import BOROUGH, OPERATOR, Helm, Values

AS_AN_OBJECT = """\
kind: Notes
text: {{ include (printf "%s/templates/NOTES.txt" .Chart.Name) . | toJson }}
"""
"""`helm template` omits the notes; this template includes them."""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """charts/borough, whose notes are rendered too."""
    return with_notes(BOROUGH, tmp_path_factory)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for charts/borough-operator."""
    return with_notes(OPERATOR, tmp_path_factory)


def with_notes(chart: Path, folders: pytest.TempPathFactory) -> Path:
    """A copy of a chart with its notes as an object."""
    copy = shutil.copytree(chart, folders.mktemp("notes") / chart.name)
    (copy / "templates" / "notes-as-an-object.yaml").write_text(AS_AN_OBJECT, encoding="utf-8")
    return copy


def notes(helm: Helm, chart: Path, values: Values) -> list[str]:
    """The lines of the notes that are not empty."""
    return [line.strip() for line in text(helm, chart, values).splitlines() if line.strip()]


def text(helm: Helm, chart: Path, values: Values) -> str:
    """All of the notes."""
    (found,) = (o for o in helm.objects(chart, values, release="shop") if o["kind"] == "Notes")
    notes_text: str = found["text"]
    return notes_text


def test_well_known_credentials_are_warned_of_first(helm: Helm, chart: Path) -> None:
    """Each on a line of its own, with the value to set."""
    first, second, *rest = notes(helm, chart, {})

    assert first.startswith("WARNING: a well-known credential is in use")
    assert "customers.existingSecret" in first
    assert second.startswith("WARNING: a well-known credential is in use")
    assert "postgres.existingSecret" in second
    assert not any(line.startswith("WARNING") for line in rest)


def test_own_credentials_cause_no_warning(helm: Helm, chart: Path) -> None:
    """A needless warning would train users to ignore it."""
    own = {"customers": {"existingSecret": "mine"}, "postgres": {"existingSecret": "mine"}}
    assert not any(line.startswith("WARNING") for line in notes(helm, chart, own))


def test_next_commands_are_named(helm: Helm, chart: Path) -> None:
    """For this release, in its namespace."""
    printed = text(helm, chart, {})
    assert "kubectl --namespace shop port-forward service/shop-borough 8080:80" in printed
    assert "/v1/menu" in printed
    assert "helm test shop --namespace shop" in printed


def test_notes_of_another_application_do_not_mention_the_shop(helm: Helm, chart: Path) -> None:
    """It has no customers, and so no well-known key."""
    printed = text(helm, chart, CASES["borough/library"].values)
    assert "shop-borough is the shape microservices: catalog, gateway, loans, notices." in printed
    assert "Run the auditor" in printed
    assert [word for word in ("menu", "order", "ada", "key") if word in printed] == []


def test_notes_of_a_shape_change_name_the_second_step(helm: Helm, chart: Path) -> None:
    """Without it everything works, so it is easily forgotten."""
    values = {"shape": "microservices", "retiring": "monolith"}
    assert any("monolith" in line and "retiring" in line for line in notes(helm, chart, values))


def test_notes_name_the_scaled_parts(helm: Helm, chart: Path) -> None:
    """By their names."""
    values = {"parts": {"payments": {"scaling": {"enabled": True}}}}
    scaled = [line for line in notes(helm, chart, values) if "scales" in line]

    assert scaled == ["See who scales payments, and why:"]
    assert not any("scales" in line for line in notes(helm, chart, {}))


@pytest.mark.parametrize(
    ("values", "source"),
    [({}, "Prometheus"), ({"prometheus": {"url": ""}, "pods": {"enabled": True}}, "Pods")],
)
def test_first_suggested_scaler_can_be_served(
    helm: Helm, operator: Path, values: Values, source: str
) -> None:
    """In a namespace that is served, by a configured source; and in mode Advise."""
    printed = text(helm, operator, {**values, "watch": {"namespaces": ["team-a"]}})
    command, rest = printed.split(" <<END\n")
    scaler = yaml.safe_load(rest.partition("END\n")[0])
    scaler["metadata"] |= {"namespace": "team-a", "uid": "1"}

    assert spec.parse(scaler).policy.mode == "Advise"
    assert spec.parse(scaler).source == source
    assert command.endswith("kubectl --namespace team-a apply --filename=-")


def test_operator_without_a_source_is_warned_of(helm: Helm, operator: Path) -> None:
    """Other configurations have no warning."""
    nothing = notes(helm, operator, {"prometheus": {"url": ""}})

    assert nothing[0].startswith("WARNING: there is no source of readings")
    assert not any(line.startswith("WARNING") for line in notes(helm, operator, {}))
