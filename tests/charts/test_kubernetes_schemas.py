"""Is every object valid for the oldest supported version of Kubernetes and for the newest?"""

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
"""Groups of custom resources, our own included: see test_scaling.py."""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(helm: Helm, example: Case, version: str) -> None:
    """An API server would silently drop a field of a later version, or a misspelt one."""
    assert [
        violation
        for found in helm.objects(example.chart, example.values)
        if found["apiVersion"].split("/")[0] not in NOT_OF_KUBERNETES
        for violation in kubernetes.violations(found, version)
    ] == []


@pytest.mark.parametrize("chart", RELEASE, ids=lambda chart: chart.name)
def test_oldest_version_is_that_of_the_chart(chart: Path) -> None:
    """Helm refuses an older cluster; `-0` allows those of vendors, like 1.31.2-gke.100."""
    promised = read(chart / "Chart.yaml")["kubeVersion"]
    assert re.fullmatch(rf">={re.escape(VERSIONS[0])}\.0-0", promised)


def test_unknown_field_is_found(helm: Helm) -> None:
    """Deeply nested, and one of a later version only."""
    sound = named(helm.objects(BOROUGH), "Deployment")["borough-payments"]
    assert kubernetes.violations(sound, "1.30") == []

    misspelled, too_new = copy.deepcopy(sound), copy.deepcopy(sound)
    misspelled["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    too_new["spec"]["template"]["spec"]["resources"] = {"requests": {"cpu": "1"}}

    assert "readynessProbe" in str(kubernetes.violations(misspelled, "1.37"))
    assert "resources" in str(kubernetes.violations(too_new, "1.30"))
    assert kubernetes.violations(too_new, "1.37") == []


def test_unknown_kind_is_found() -> None:
    """Also one that was removed."""
    with pytest.raises(kubernetes.UnknownKind, match=r"1\.37 has no PodSecurityPolicy"):
        kubernetes.violations(
            {"kind": "PodSecurityPolicy", "apiVersion": "policy/v1beta1", "metadata": {}}, "1.37"
        )
