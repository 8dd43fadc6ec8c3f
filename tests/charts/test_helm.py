"""Do Helm 3 and Helm 4 accept the charts, and render the same?"""

from pathlib import Path

import pytest

from charts.cases import Case
from charts.helm import BOROUGH, RELEASE, Helm, Refused
from programs import program

ABSENT = "helm4 is not installed: Helm 4 under this name, beside Helm 3"


@pytest.fixture(scope="session")
def helm4() -> Helm:
    """Helm 4."""
    return Helm(program("helm4", ABSENT))


def test_helm_lint_passes(helm: Helm, example: Case) -> None:
    """Strictly: a warning is a failure."""
    assert "0 chart(s) failed" in helm.lint(example.chart, example.values)


def test_lint_error_is_found(helm: Helm) -> None:
    """Lint renders the chart as well."""
    with pytest.raises(Refused, match="shpae"):
        helm.lint(BOROUGH, {"shpae": "monolith"})


def test_both_versions_render_the_same_text(helm: Helm, helm4: Helm, example: Case) -> None:
    """Equal but for whitespace at the end of a document, which Helm 3 removes and Helm 4 does not;
    and as each renders anew, nothing in it is random.
    """
    three, four = (one.render(example.chart, example.values) for one in (helm, helm4))
    assert trimmed(four) == trimmed(three)


def trimmed(text: str) -> list[str]:
    """The documents without trailing whitespace."""
    return [document.rstrip() for document in text.split("\n---\n")]


def test_both_versions_refuse_in_the_same_words(helm: Helm, helm4: Helm) -> None:
    """By the schema and by a template."""
    for values in ({"shpae": "monolith"}, {"shape": "monolit"}):
        messages = []
        for one in (helm, helm4):
            with pytest.raises(Refused) as refusal:
                one.render(BOROUGH, values)
            messages.append(str(refusal.value))
        assert messages[0] == messages[1]


@pytest.mark.parametrize("chart", RELEASE, ids=lambda chart: chart.name)
def test_rendering_twice_is_the_same(helm: Helm, chart: Path) -> None:
    """A comparison of the cluster with the chart must show no difference."""
    assert helm.render_anew(chart) == helm.render(chart)
