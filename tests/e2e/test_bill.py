"""Can the bill address a cluster, and put an order's price down to the parts that did the work?"""

import subprocess
import sys
from pathlib import Path

import pytest

from borough_bill.analysis.bill import bill
from borough_bill.results import read
from borough_bill.statuses import VOID
from borough_shop.app import APP
from e2e.installed import Platform

PARTS = frozenset(APP.calls)
HOPS = 5
"""Of an order in microservices, and one more for the events that are delivered in one message."""


@pytest.mark.long
def test_a_release_is_measured_by_its_pods_and_audited_by_its_books(
    platform: Platform, tmp_path: Path
) -> None:
    """The platform against itself: whether this machine is quiet enough for latency is another
    question, so that the figures are looked at even where checks void some of them.
    """
    release = f"k8s://{platform.shop.namespace}/{platform.shop.name}"
    folder = tmp_path / "run"
    done = subprocess.run(  # noqa: S603  # our own words
        [
            *(sys.executable, "-m", "borough_bill", "compare", "--workload", "orders"),
            *("--a", release, "--b", release, "--rate", "4", "--seconds", "4", "--blocks", "2"),
            *("--most-blocks", "2"),
            *("--folder", str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode in (0, VOID), done.stdout + done.stderr
    result = read(folder / "result.json")
    assert result.audits == {"a": (), "b": ()}
    assert len(result.windows) == 6
    assert not {"CPU read", "memory read", "hop counts", "nothing lost"} & {
        check.name for check in bill(result).checks if not check.passed
    }
    for window in result.windows:
        assert window.served == window.offered > 0, window
        assert {process.rpartition("-")[0] for process in window.cpu_s} == PARTS
        assert all(mib > 20 for mib in window.rss_mib.values()), window.rss_mib
        assert sum(window.cpu_s.values()) / window.served > 0.005, "an order for less than 5 ms"
        calls = sum(hop.calls for hop in window.hops.values())
        assert HOPS * window.served < calls <= (HOPS + 1) * window.served
    assert "all pods, the cluster's own programs" in result.plan.placement or "a on " in (
        result.plan.placement
    )
    assert "steps of 10 ms" in done.stdout
