"""Does the verb that measures the platform count every pod once, and mark its assumptions?"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOOTPRINT = Path(__file__).parents[2] / "charts" / "footprint.py"
MIB = 1 << 20


def pod(name: str, phase: str = "Running", *requests: str) -> dict[str, Any]:
    containers = [{"resources": {"requests": {"memory": memory}}} for memory in requests]
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"},
        "spec": {"nodeName": "one", "containers": containers},
        "status": {"phase": phase},
    }


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A folder with a kubectl that answers `get --raw` with recorded answers: three pods, of which
    the kubelet knows one.
    """
    pods = [
        pod("orders", "Running", "64Mi", "32Mi"),
        pod("young", "Pending", "0.5Gi"),
        pod("done", "Succeeded", "1Gi"),
    ]
    memory = {"rssBytes": 80 * MIB, "workingSetBytes": 100 * MIB}
    known = [{"podRef": {"uid": "uid-of-orders"}, "memory": memory}]
    answers = {
        "/api/v1/namespaces/shop/pods": {"items": pods},
        "/api/v1/nodes/one/proxy/stats/summary": {"pods": known},
    }
    program = tmp_path / "kubectl"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nprint(json.dumps({answers!r}[sys.argv[3]]))\n"
    )
    program.chmod(0o755)
    return tmp_path


def weigh(cluster: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # arguments of the tests
        [sys.executable, str(FOOTPRINT), *words],
        env={"PATH": str(cluster)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pod_counts_as_measured_or_else_as_requested(cluster: Path) -> None:
    """A pod that ended counts 0; an assumed amount is in the sum, and is marked."""
    done = weigh(cluster, "shop", "--absent", "grafana=256Mi", "--json")
    output = json.loads(done.stdout)
    assert {one["pod"]: (one["rss_mib"], one["assumed"]) for one in output["pods"]} == {
        "orders": (80, False),
        "young": (512, True),
        "grafana": (256, True),
    }
    assert (output["rss_mib"], output["working_set_mib"]) == (80 + 512 + 256, 100 + 512 + 256)


def test_table_has_a_row_for_each_pod_and_marks_assumptions(cluster: Path) -> None:
    """Amounts in MiB: RSS, working set, request; the sum last, and a legend of the mark."""
    *lines, note = weigh(cluster, "shop", "--absent", "grafana=256Mi").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["NAMESPACE", "POD", "RSS", "MiB", "WORKING", "SET", "MiB", "REQUEST", "MiB"],
        ["shop", "orders", "80", "100", "96"],
        ["shop", "young", "*", "512", "512", "512"],
        ["(not", "installed)", "grafana", "*", "256", "256", "256"],
        ["total", "848", "868", "864"],
    ]
    assert note.startswith("*")
    assert "requests" in note


@pytest.mark.parametrize("wrong", ["grafana", "grafana=lots", "grafana=256MB"])
def test_invalid_amount_of_memory_is_refused_by_name(cluster: Path, wrong: str) -> None:
    """An invalid amount does not count as 0."""
    done = weigh(cluster, "shop", "--absent", wrong)
    assert done.returncode != 0
    assert repr(wrong.partition("=")[2]) in done.stderr
