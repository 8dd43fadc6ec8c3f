"""How soon is the whole platform ready, and what does it weigh?"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from borough_shop.app import APP
from e2e.cluster import ROOT, exec_python, helm, wait_until
from e2e.installed import Journey, Platform

Weighed = dict[str, Any]
READY_S, BUSY = 90, 0.05
"""Seconds; and the share of idle time below which others kept the cores busy: then CPU counts."""
HEAVIEST_MIB = 1.5 * 1024
LOADED = """
import subprocess, sys
words = [sys.executable, "-v", "-m", sys.argv[1], "--help"]
print(subprocess.run(words, capture_output=True, text=True, check=True).stderr)
"""
CODE = "# code object from "
"""How Python, asked with -v, begins to say where a module comes from: its source, or what was
compiled of it."""


def test_from_nothing_everything_is_ready_soon(
    platform: Platform, tell: Callable[[str], None]
) -> None:
    """Six parts, PostgreSQL, collector, Prometheus, Jaeger and the operator, their images there. On
    a machine that others keep busy it takes longer, and no more CPU.
    """
    tell(f"from empty to all ready: {platform.ready_s:.1f} s, {platform.cpu_s:.1f} s of CPU")
    others_took_the_rest = platform.idle < BUSY and platform.cpu_s <= READY_S
    assert platform.ready_s <= READY_S or others_took_the_rest


def test_at_rest_the_whole_platform_is_light(
    platform: Platform, journey: Journey, tell: Callable[[str], None]
) -> None:
    """By the kubelets' word for each pod, after it has worked, with the pages of files it used
    lately and without; Grafana, which is not there, counts with what it requests.
    """
    absent = ("--absent", f"grafana={grafanas_request()}")
    release = tuple(
        part.namespace for part in (platform.shop, platform.observability, platform.operator)
    )
    weighed = wait_until(
        "a figure for every pod", lambda: complete(footprint(*release, *absent)), within=60
    )
    tell(footprint_table(*release, *absent))
    assert {row["pod"].removeprefix("borough-").split("-")[0] for row in weighed["pods"]} >= {
        *(*APP.calls, "postgres", "observability", "grafana", "operator")
    }
    assert weighed["rss_mib"] <= weighed["working_set_mib"] <= HEAVIEST_MIB


@pytest.mark.parametrize("chart", ["shop", "operator"])
def test_a_start_compiles_nothing(platform: Platform, chart: str) -> None:
    """A pod whose root is read-only would compile the same modules at every start."""
    release, deployment, program = {
        "shop": (platform.shop, platform.shop.deployment("payments"), "borough"),
        "operator": (
            platform.operator, f"deployment/{platform.operator.fullname}", "borough_operator",
        ),
    }[chart]  # fmt: skip  # one glance
    said = exec_python(release.namespace, deployment, LOADED, program)
    modules = [line.removeprefix(CODE).strip("'") for line in said.splitlines() if CODE in line]
    assert len(modules) > 100
    assert [module for module in modules if not module.endswith(".pyc")] == []


def grafanas_request() -> str:
    """The memory it requests, as the chart renders it."""
    chart = str(ROOT / "charts" / "observability")
    for made in yaml.safe_load_all(helm("template", "observability", chart)):
        if made and made["kind"] == "Deployment" and made["metadata"]["name"].endswith("-grafana"):
            (container,) = made["spec"]["template"]["spec"]["containers"]
            return str(container["resources"]["requests"]["memory"])
    raise AssertionError("the chart renders no Grafana")


def complete(weighed: Weighed) -> Weighed | None:
    """The figures, once none of a pod that runs is missing."""
    missing = [row for row in weighed["pods"] if row["assumed"] and row["pod"] != "grafana"]
    return None if missing else weighed


def footprint(*words: str) -> Weighed:
    """What the verb says, for machines."""
    found: Weighed = json.loads(footprint_table(*words, "--json"))
    return found


def footprint_table(*words: str) -> str:
    """What the verb says."""
    program = ROOT / "charts" / "footprint.py"
    command = [sys.executable, str(program), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  # our own words
