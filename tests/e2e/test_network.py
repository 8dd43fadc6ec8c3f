"""Does the network let through what the call graph says, and nothing else?

Each part tries from inside its own pod, by a Python socket. That a denied port is no dead port is
shown by those who may reach it.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from borough_shop.app import APP
from e2e.cluster import exec_python
from e2e.installed import Platform
from e2e.release import is_ready

OPEN, SILENT = "open", "silent"
INTERNAL, PUBLIC, OPS, DATABASE, OTLP = 8081, 8080, 9090, 5432, 4318
PATIENCE_S = 3
TRY = f"""
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def knock(address):
    try:
        socket.create_connection(address, timeout={PATIENCE_S}).close()
    except TimeoutError:
        return "{SILENT}"
    except OSError as error:
        return str(error)
    return "{OPEN}"
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(dict(zip(targets, pool.map(knock, map(tuple, targets.values()))))))
"""

Targets = Mapping[str, tuple[str, int]]


def knock(namespace: str, pod: str, targets: Targets) -> dict[str, str]:
    """What this pod meets at each: OPEN, SILENT, or what the system says."""
    found: dict[str, str] = json.loads(exec_python(namespace, pod, TRY, json.dumps(targets)))
    return found


class Pod(NamedTuple):
    """One of the platform's: what kubectl calls it, and its address."""

    name: str
    ip: str


@pytest.fixture(scope="module")
def pods(platform: Platform) -> dict[str, Pod]:
    """A pod of each component of the platform."""
    found = [
        pod for pod in (*platform.shop.pods(), *platform.observability.pods()) if is_ready(pod)
    ]
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: Pod(
            f"pod/{pod['metadata']['name']}", pod["status"]["podIP"]
        )
        for pod in found
    }


@pytest.fixture(scope="module")
def met(platform: Platform, pods: dict[str, Pod]) -> dict[str, dict[str, str]]:
    """What each part met at every port of the platform but its own."""
    targets = dict(ports(pods))

    def of(part: str) -> dict[str, str]:
        others = {name: at for name, at in targets.items() if at[0] != pods[part].ip}
        return knock(platform.shop.namespace, pods[part].name, others)

    with ThreadPoolExecutor(len(APP.calls)) as pool:
        return dict(zip(APP.calls, pool.map(of, APP.calls), strict=True))


def ports(pods: Mapping[str, Pod]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Everything that listens, by what it is called here."""
    for part in APP.calls:
        yield f"{part}'s ops", (pods[part].ip, OPS)
        if part in APP.contracts:
            yield part, (pods[part].ip, INTERNAL)
    yield "the public door", (pods["gateway"].ip, PUBLIC)
    yield "the database", (pods["postgres"].ip, DATABASE)
    yield "the collector", (pods["collector"].ip, OTLP)
    yield "prometheus", (pods["prometheus"].ip, 9090)
    yield "jaeger", (pods["jaeger"].ip, 16686)


@pytest.mark.parametrize("part", APP.calls)
def test_a_part_reaches_what_it_calls_and_nothing_else(
    part: str, met: dict[str, dict[str, str]]
) -> None:
    """Callees, the database of who keeps something, the collector; all else is silence."""
    wanted = {
        *APP.calls[part],
        "the collector",
        *({"the database"} if part in APP.contracts else ()),
    }
    assert met[part] == {name: OPEN if name in wanted else SILENT for name in met[part]}


@pytest.mark.parametrize("part", [part for part in APP.calls if APP.calls[part]])
def test_the_names_of_what_a_part_calls_lead_to_it(
    part: str, platform: Platform, pods: dict[str, Pod]
) -> None:
    """By the Service of each capability, so DNS answers under the policies too."""
    shop = platform.shop
    named = {name: (f"{shop.fullname}-{name}", INTERNAL) for name in APP.calls[part]}
    assert set(knock(shop.namespace, pods[part].name, named).values()) == {OPEN}


def test_a_stranger_reaches_the_door_and_nothing_behind_it(
    visitor: tuple[str, str], pods: dict[str, Pod]
) -> None:
    """From a pod of another namespace: no capability, no ops port, no database, no collector. The
    pages of Prometheus and Jaeger are open to every client.
    """
    wanted = {"the public door", "prometheus", "jaeger"}
    found = knock(*visitor, dict(ports(pods)))
    assert found == {name: OPEN if name in wanted else SILENT for name in found}
