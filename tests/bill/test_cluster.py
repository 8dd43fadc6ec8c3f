"""Is a release found by its URL, and reached through kubectl?"""

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
def test_text_that_is_no_release_is_refused_by_name(url: str) -> None:
    """Before the cluster is accessed."""
    with pytest.raises(BadAddress, match="is not a release like k8s://NAMESPACE/RELEASE"):
        ReleaseName.parse(url)


def test_door_has_the_service_name_of_the_chart() -> None:
    """A release whose name contains the chart's has no second part."""
    assert ReleaseName.parse("k8s://shops/borough").door == "borough"
    assert ReleaseName.parse("k8s://shops/second").door == "second-borough"


async def test_answers_and_refusals_of_kubectl_are_passed_on(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real kubectl, and an API server that has one object."""
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


async def test_missing_kubectl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that it is not on PATH."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unreachable, match="kubectl is not on PATH"):
        await Kubectl().get("/api/v1/nodes")
