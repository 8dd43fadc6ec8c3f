"""A real API server with the ServiceScaler definition for the session, and a namespace for each
test.

Without its programs these tests are skipped with the reason; in CI none is skipped. Each process of
pytest-xdist has its own server, so a restart affects no other test.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from borough_operator.kube.api import Api
from borough_operator.kube.cluster import Cluster
from borough_operator.kube.credentials import of_kubeconfig
from operator_api.apiserver import OPERATOR, ApiServer
from operator_api.objects import Namespace, install_crd
from operator_api.prometheus import Prometheus
from operator_api.running import Operator
from waiting import until


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """kube-apiserver and etcd, with the definition installed. A test may restart it."""
    started = ApiServer(tmp_path_factory.mktemp("apiserver"))
    try:
        started.start()
        install_crd(started)
        yield started
    finally:
        started.stop()


@pytest.fixture
def namespace(server: ApiServer) -> Namespace:
    """An empty namespace."""
    return Namespace(server)


@pytest.fixture
async def ours(server: ApiServer) -> AsyncIterator[Cluster]:
    """The operator's client, with administrator rights."""
    api = Api(of_kubeconfig(server.kubeconfig()), lambda *_: None)
    yield Cluster(api)
    await api.close()


@pytest.fixture(scope="session")
def prometheus() -> Iterator[Prometheus]:
    """A scripted Prometheus; a test sets the load of its own targets."""
    with Prometheus() as started:
        yield started


@pytest.fixture(scope="session")
def shared(server: ApiServer) -> Namespace:
    """The namespace of the operator that many tests share; each test uses its own names."""
    namespace = Namespace(server)
    namespace.allow_operator()
    return namespace


@pytest.fixture(scope="session")
def operator(
    server: ApiServer,
    prometheus: Prometheus,
    shared: Namespace,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """A running operator with exactly the rights of the chart's Role."""
    started = Operator(
        server.kubeconfig(OPERATOR),
        tmp_path_factory.mktemp("operator"),
        f"--namespaces={shared.name}",
        f"--prometheus-url={prometheus.url}",
        "--pods-source",
    )
    started.start()
    try:
        until(started.ready)
        yield started
        assert started.stop() == 0
    finally:
        started.kill()
