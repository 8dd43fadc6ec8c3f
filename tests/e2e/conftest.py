"""The cluster, and what is installed on it once for all tests that only look at it.

Without a cluster these tests are left out, with the reason; CI leaves out nothing.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has none

from e2e.cluster import CommandFailed, Forward, kubectl, namespace
from e2e.installed import Journey, Platform, installed
from e2e.journey import order_journey
from e2e.load import turn
from e2e.visitor import FromPod, send_visitor
from programs import absent

VISITORS = "borough-e2e-visitors"
FIGURE = "figure"


class TwoStages(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """The two shops that are scaled share nothing with the platform, and mostly wait: what happens
    to them runs beside all other tests, which keep their order.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "scaling" if "test_load_scaling.py" in nodeid else "platform"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoStages:
    """For `--numprocesses 2`, whatever is asked for."""
    return TwoStages(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What only looks comes before what loads: Jaeger keeps the newest traces and no others."""
    items.sort(key=lambda item: item.path.name.startswith("test_load_"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the run, whichever process measured them."""
    reports = [one for kind in terminalreporter.stats.values() for one in kind]
    for report in reports:
        if getattr(report, "when", "") == "call":
            for name, value in report.user_properties:
                if name == FIGURE:
                    terminalreporter.write_line(str(value))


@pytest.fixture
def one_load() -> Iterator[None]:
    """Nobody else's shop is under load meanwhile."""
    with turn():
        yield


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Says what was measured, at the end of the run."""
    return partial(record_property, FIGURE)


def why_not() -> str:
    """Why there is no cluster to test on; empty where there is one."""
    for program in ("kubectl", "helm", "curl"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    try:
        kubectl("get", "--raw", "/readyz", "--request-timeout", "10s")
    except CommandFailed as error:
        return f"the current kube context names no cluster that answers: {error}"
    return ""


@pytest.fixture(scope="session", autouse=True)
def kubernetes() -> None:
    """The cluster of the current kube context."""
    if why := why_not():
        absent(why)


@pytest.fixture(scope="session")
def platform(kubernetes: None) -> Iterator[Platform]:
    """Everything there is. Tests use it and change nothing that another one could notice: who needs
    another shape or version installs a release of their own.
    """
    with installed() as ready:
        yield ready


@pytest.fixture(scope="session")
def visitor(kubernetes: None) -> Iterator[tuple[str, str]]:
    """Namespace and name of a pod from which every door of the cluster can be asked."""
    with namespace(VISITORS):
        yield VISITORS, send_visitor(VISITORS)


@pytest.fixture(scope="session")
def door(platform: Platform, visitor: tuple[str, str]) -> FromPod:
    """The platform's door, as a pod elsewhere in the cluster finds it."""
    return FromPod(*visitor, platform.shop.door)


@pytest.fixture(scope="session")
def journey(platform: Platform, door: FromPod) -> Journey:
    """Menu, profile, order: the first that ever happened there."""
    began = time.time()
    order_id = order_journey(door, platform.keys["ada"], platform.keys["grace"])
    return Journey(order_id, began, time.time())


@pytest.fixture(scope="session")
def jaeger(platform: Platform) -> Iterator[Forward]:
    """Its HTTP API."""
    with Forward(platform.observability.namespace, "service/observability-jaeger", 16686) as way:
        yield way


@pytest.fixture(scope="session")
def prometheus(platform: Platform) -> Iterator[Forward]:
    """Its HTTP API."""
    with Forward(platform.observability.namespace, "service/observability-prometheus", 9090) as way:
        yield way
