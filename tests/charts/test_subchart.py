"""Can a chart be a dependency of another one?

A file of its own because it renders a chart that is not in this repository.
"""

import shutil
from pathlib import Path

import pytest

from charts.helm import RELEASE, Helm, read

PARENT = """\
apiVersion: v2
name: parent
version: 0.1.0
dependencies: [{{name: {name}, version: {version}, condition: {name}.enabled}}]
"""


@pytest.mark.parametrize("chart", RELEASE, ids=lambda chart: chart.name)
def test_parent_chart_of_one_line_renders_the_same_objects(
    helm: Helm, chart: Path, tmp_path: Path
) -> None:
    """Helm passes `global` down, and a parent that enables subcharts by a condition sets `enabled`:
    a strict schema must know both.
    """
    version = read(chart / "Chart.yaml")["version"]
    sheet = PARENT.format(name=chart.name, version=version)
    (tmp_path / "Chart.yaml").write_text(sheet, encoding="utf-8")
    shutil.copytree(chart, tmp_path / "charts" / chart.name)
    values = {"global": {"of": "the parent"}, chart.name: {"enabled": True}}

    assert helm.objects(tmp_path, values, release=RELEASE[chart]) == helm.objects(chart)
    assert helm.objects(tmp_path, {chart.name: {"enabled": False}}, release=RELEASE[chart]) == ()
