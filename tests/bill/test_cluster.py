"""Is a release in a cluster reached by what its user types, and the kubectl they have?"""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from borough_bill.load.wire import BadAddress
from borough_bill.targets.cluster import Kubectl, Unreachable
from borough_bill.targets.release import ReleaseName
from programs import program


@pytest.mark.parametrize(
    "url",
    ["k8s://shops", "k8s:///borough", "k8s://shops/borough/x", "k8s://Shops/b", "k8s://s/b?x=1"],
)
def test_what_is_no_release_is_named(url: str) -> None:
    """Before anybody asks a cluster for it."""
    with pytest.raises(BadAddress, match="is no release like k8s://NAMESPACE/RELEASE"):
        ReleaseName.parse(url)


def test_the_door_is_where_the_chart_puts_it() -> None:
    """A release whose name says what it is needs no second word."""
    assert ReleaseName.parse("k8s://shops/borough").door == "borough"
    assert ReleaseName.parse("k8s://shops/town").door == "town-borough"


async def test_what_a_cluster_answers_is_told_and_what_it_refuses_too(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real kubectl, logged in at a server that has one thing and nothing else."""
    program("kubectl", "kubectl is not installed: https://kubernetes.io/docs/tasks/tools")

    async def api(request: web.Request) -> web.Response:
        if request.path == "/api/v1/nodes":
            return web.json_response({"items": []})
        gone = {"kind": "Status", "apiVersion": "v1", "code": 404, "message": "no such pod"}
        return web.json_response({**gone, "status": "Failure", "reason": "NotFound"}, status=404)

    cluster = {"name": "c", "cluster": {"server": await serve(api)}}
    context = {"name": "x", "context": {"cluster": "c", "user": ""}}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "x"}
    (tmp_path / "config").write_text(
        json.dumps({**config, "clusters": [cluster], "contexts": [context]})
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    assert await Kubectl().get("/api/v1/nodes") == {"items": []}
    with pytest.raises(Unreachable, match=r"kubectl get --raw /x: .*NotFound"):
        await Kubectl().get("/x")
    with pytest.raises(Unreachable, match=r"kubectl port-forward .* pod/gone :9090: .*NotFound"):
        async with Kubectl().forwarded("shops", "pod/gone", 9090):
            pass
    with pytest.raises(Unreachable, match=r"kubectl exec .* -- python: (?s:.*)NotFound"):
        await Kubectl().executed("shops", "gone", "part", ["python"])


async def test_without_kubectl_a_cluster_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has none is told what is missing."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unreachable, match="kubectl is not on PATH"):
        await Kubectl().get("/api/v1/nodes")
