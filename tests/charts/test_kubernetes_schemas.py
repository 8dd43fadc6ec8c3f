"""Would an API server understand every object, be it of the oldest version we support or new?"""

import copy
import re
from pathlib import Path

import pytest

from charts import kubernetes
from charts.cases import Case
from charts.helm import BOROUGH, RELEASE, Helm, read
from charts.objects import named

VERSIONS = ("1.30", "1.37")
NOT_OF_KUBERNETES = frozenset({"borough.dev", "gateway.networking.k8s.io", "monitoring.coreos.com"})
"""Groups of kinds that others define, and we: see test_scaling.py."""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(helm: Helm, example: Case, version: str) -> None:
    """A field of a later version would be dropped without a word, and one misspelled as well."""
    assert [
        violation
        for found in helm.objects(example.chart, example.values)
        if found["apiVersion"].split("/")[0] not in NOT_OF_KUBERNETES
        for violation in kubernetes.violations(found, version)
    ] == []


@pytest.mark.parametrize("chart", RELEASE, ids=lambda chart: chart.name)
def test_the_oldest_version_is_the_one_the_chart_promises(chart: Path) -> None:
    """Helm refuses an older cluster; `-0` admits those of vendors, like 1.31.2-gke.100."""
    promised = read(chart / "Chart.yaml")["kubeVersion"]
    assert re.fullmatch(rf">={re.escape(VERSIONS[0])}\.0-0", promised)


def test_a_field_that_kubernetes_does_not_know_is_found(helm: Helm) -> None:
    """Deep inside, and one that only a later version has."""
    sound = named(helm.objects(BOROUGH), "Deployment")["borough-payments"]
    assert kubernetes.violations(sound, "1.30") == []

    misspelled, too_new = copy.deepcopy(sound), copy.deepcopy(sound)
    misspelled["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    too_new["spec"]["template"]["spec"]["resources"] = {"requests": {"cpu": "1"}}

    assert "readynessProbe" in str(kubernetes.violations(misspelled, "1.37"))
    assert "resources" in str(kubernetes.violations(too_new, "1.30"))
    assert kubernetes.violations(too_new, "1.37") == []


def test_a_kind_that_kubernetes_does_not_have_is_found() -> None:
    """Or no longer has."""
    with pytest.raises(kubernetes.UnknownKind, match=r"1\.37 has no PodSecurityPolicy"):
        kubernetes.violations(
            {"kind": "PodSecurityPolicy", "apiVersion": "policy/v1beta1", "metadata": {}}, "1.37"
        )
