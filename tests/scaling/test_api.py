"""Are calls limited and retried, and does every refusal become its exception?"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from borough_operator.kube.api import (
    MAX_RETRY_AFTER,
    TRIES,
    Api,
    Conflict,
    Expired,
    NotFound,
    Refused,
    Unreachable,
)
from borough_operator.kube.cluster import DEPLOYMENTS, Cluster
from borough_operator.kube.credentials import Credentials, Token
from scaling.servers import Handler, serving

PATH = "/apis/apps/v1/namespaces/shop/deployments/pay/scale"
Answer = tuple[int, object, dict[str, str]]


@dataclass
class Server:
    """An API server with scripted responses in order; the last one repeats."""

    answers: list[Answer]
    asked: list[web.BaseRequest] = field(default_factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        code, body, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response(body, status=code, headers=headers)


@dataclass
class Asking:
    api: Api
    counted: list[tuple[str, str, str]]
    slept: list[float]


@asynccontextmanager
async def asking(server: Handler, token: Token | None = None) -> AsyncIterator[Asking]:
    counted: list[tuple[str, str, str]] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with serving(server) as url:
        api = Api(
            Credentials(url, token=token or Token("t")),
            lambda verb, resource, code: counted.append((verb, resource, code)),
            sleep,
        )
        try:
            yield Asking(api, counted, slept)
        finally:
            await api.close()


async def test_server_url_with_a_path_is_kept_in_requests() -> None:
    """One address may serve many clusters, each below a path."""
    server = Server([(200, {}, {})])
    async with serving(server) as url:
        for given in (f"{url}/k8s/clusters/c1", f"{url}/k8s/clusters/c1/"):
            api = Api(Credentials(given), lambda *_: None)
            assert await api.call("get", PATH, query={"limit": "5"}) == {}
            await api.close()
    assert [r.path_qs for r in server.asked] == [f"/k8s/clusters/c1{PATH}?limit=5"] * 2


@pytest.mark.parametrize("text", ["<html>sign in</html>", "[]"])
@pytest.mark.parametrize("code", [200, 502])
async def test_response_that_is_not_an_object_raises_unreachable(text: str, code: int) -> None:
    """A proxy in between may have sent it, and a retry may reach the server."""

    async def server(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=text, status=code)

    async with asking(server) as ours:
        with pytest.raises(Unreachable, match=rf"get {PATH}: {code}: {re.escape(text)}"):
            await ours.api.call("get", PATH)


def busy(code: int = 429, **headers: str) -> Answer:
    return code, {"message": "later"}, {name.replace("_", "-"): v for name, v in headers.items()}


async def test_busy_server_is_retried_after_retry_after() -> None:
    """Retry-After is honoured up to a bound; without it the delay is a second."""
    server = Server([busy(Retry_After="2"), busy(503, Retry_After="900"), busy(), (200, {}, {})])
    async with asking(server) as ours:
        assert await ours.api.call("get", PATH) == {}
    assert ours.slept == [2.0, MAX_RETRY_AFTER, 1.0]


async def test_call_fails_after_all_tries_at_a_busy_server() -> None:
    """The caller repeats it at its next decision."""
    async with asking(server := Server([busy()])) as ours:
        with pytest.raises(Unreachable, match="429: later"):
            await ours.api.call("get", PATH)
    assert len(server.asked) == TRIES


async def test_every_request_is_counted_by_verb_resource_and_code() -> None:
    """Verb and resource as RBAC names them; each retry counts."""
    async with asking(Server([busy(), (200, {"items": [], "metadata": {}}, {})])) as ours:
        await ours.api.call("patch", PATH)
        await ours.api.call("list", "/apis/apps/v1/namespaces/shop/deployments")
    assert ours.counted == [
        ("patch", "deployments/scale", "429"),
        ("patch", "deployments/scale", "200"),
        ("list", "deployments", "200"),
    ]


async def test_connection_failure_is_counted_as_error() -> None:
    """The exception names the call."""
    counted: list[tuple[str, str, str]] = []
    api = Api(Credentials("http://127.0.0.1:1"), lambda *each: counted.append(each))
    with pytest.raises(Unreachable, match=r"get /apis/.*/pay/scale"):
        await api.call("get", PATH)
    await api.close()
    assert counted == [("get", "deployments/scale", "error")]


async def test_refused_token_is_read_again_from_its_file(tmp_path: Path) -> None:
    """At once, without waiting for `REREAD_AFTER`."""
    file = tmp_path / "token"
    file.write_text("old")
    shown: list[str] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        shown.append(request.headers["Authorization"])
        file.write_text("new")
        return web.json_response({}, status=401 if shown == ["Bearer old"] else 200)

    async with asking(server, Token(file=file)) as ours:
        await ours.api.call("get", PATH)
    assert shown == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (401, {"message": "unauthorized"}, Refused),
        (403, {"message": "forbidden"}, Refused),
        (404, {"message": "not found"}, NotFound),
        (409, {"message": "modified"}, Conflict),
        (410, {"message": "too old"}, Expired),
        (422, {"message": "an error", "details": {}}, Conflict),
        (422, {"message": "too long", "details": {"causes": [{}]}}, Refused),
        (500, {"message": "etcd"}, Unreachable),
        (302, {"message": "elsewhere"}, Refused),
    ],
)
async def test_refusal_raises_the_exception_of_its_code(
    code: int, body: object, error: type[Exception]
) -> None:
    """The message contains the call, the code and the server's message."""
    async with asking(Server([(code, body, {})])) as ours:
        with pytest.raises(Refused, match=rf"get {PATH}: {code}: {body['message']}") as found:  # type: ignore[index]  # a Status
            await ours.api.call("get", PATH)
    assert type(found.value) is error


# -- lists


def page(*names: str, rest: str = "") -> Answer:
    items = [{"metadata": {"name": name}} for name in names]
    metadata = {"resourceVersion": "9", "continue": rest}
    return 200, {"kind": "DeploymentList", "items": items, "metadata": metadata}, {}


async def listed(server: Server) -> tuple[list[str], str]:
    async with asking(server) as ours:
        return await Cluster(ours.api).list_all(
            DEPLOYMENTS, "shop", lambda item: f"{item['kind']} {item['metadata']['name']}"
        )


async def test_long_list_is_read_in_pages() -> None:
    """Each page continues the one before; every item has its kind."""
    server = Server([page("a", "b", rest="x"), page("c")])
    assert await listed(server) == (["Deployment a", "Deployment b", "Deployment c"], "9")
    assert [r.query.get("continue") for r in server.asked] == [None, "x"]
    assert {r.query["limit"] for r in server.asked} == {"500"}


async def test_expired_list_is_read_again_from_the_start() -> None:
    """Nothing of the first attempt is kept, so no object is listed twice."""
    server = Server([page("a", rest="x"), (410, {"message": "old"}, {}), page("b")])
    assert await listed(server) == (["Deployment b"], "9")


async def test_list_that_always_expires_raises_expired() -> None:
    """After a bounded number of attempts."""
    with pytest.raises(Expired, match="changed too fast"):
        await listed(Server([(410, {"message": "old"}, {})]))


async def test_patch_has_the_content_type_of_a_json_patch() -> None:
    """The server parses a patch by its content type."""
    seen: list[tuple[str | None, object]] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.headers.get("Content-Type"), json.loads(await request.read())))
        return web.json_response({"metadata": {"resourceVersion": "2"}})

    async with serving(server) as url:
        api = Api(Credentials(url), lambda *_: None)
        answer = await Cluster(api).write_status("shop", "pay", "u", {"reason": "Steady"})
        assert answer == {"metadata": {"resourceVersion": "2"}}
        await api.close()
    ((content, body),) = seen
    assert content == "application/json-patch+json"
    assert body == [
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "add", "path": "/status", "value": {"reason": "Steady"}},
    ]
