"""Does the direct path to a contract's route answer the same as FastAPI's own?"""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from borough import deadline
from borough.errors import Conflict
from borough.serving.web import make_app
from borough.transport.calls import mount
from borough_telemetry import HANDLER, Telemetry
from peers import Peer, Ping, Replica

LIMIT = 1_024


class Odd(Replica):
    """Raises every kind of error."""

    async def unsafe(self, request: Ping) -> Any:
        if request.n == 2:
            raise Conflict("taken", retry_after=3)
        raise ZeroDivisionError("the secret detail")


@pytest.fixture
def app() -> FastAPI:
    """The app as a part serves it."""
    telemetry = Telemetry("test", log_level="critical")
    app = make_app("test", telemetry=telemetry, max_body_bytes=LIMIT, internal=True)
    mount(app, Peer, Odd())
    return app


async def answer(
    app: Any, verb: str, path: str, pieces: list[bytes | None], headers: dict[str, str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Everything sent, and the scope. A chunk that is None stands for a client that disconnects."""
    scope = {
        "type": "http", "method": verb, "path": path.partition("?")[0], "root_path": "",
        "query_string": path.partition("?")[2].encode(), "scheme": "http",
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1",
    }  # fmt: skip  # as a table
    sent: list[dict[str, Any]] = []
    inbox = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = inbox.pop(0) if inbox else None
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(inbox)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return sent, scope


QUESTIONS: dict[str, tuple[str, str, list[bytes | None], dict[str, str]]] = {
    "a message": ("POST", "/peer/safe", [b'{"n": 1}'], {"content-type": "application/json"}),
    "in pieces": ("POST", "/peer/safe", [b'{"n"', b": 1}"], {}),
    "a read": ("GET", "/peer/look?n=3", [b""], {}),
    "a read that is wrong": ("GET", "/peer/look?n=three", [b""], {}),
    "no JSON": ("POST", "/peer/safe", [b"{"], {}),
    "a wrong value": ("POST", "/peer/safe", [b'{"n": "one"}'], {}),
    "an error": ("POST", "/peer/unsafe", [b'{"n": 2}'], {}),
    "a defect": ("POST", "/peer/unsafe", [b'{"n": 1}'], {}),
    "a spent deadline": ("POST", "/peer/safe", [b"{}"], {deadline.HEADER: "0"}),
    "no deadline": ("POST", "/peer/safe", [b"{}"], {deadline.HEADER: "soon"}),
    "too long, as declared": ("POST", "/peer/safe", [b""], {"content-length": str(LIMIT + 1)}),
    "too long, as it came": ("POST", "/peer/safe", [b" " * LIMIT, b" "], {}),
    "a read with a body": ("GET", "/peer/look", [b""], {"content-length": str(LIMIT + 1)}),
    "a read with a long body": ("GET", "/peer/look", [b" " * LIMIT, b" "], {}),
    "a caller who is gone": ("POST", "/peer/safe", [b"{", None], {}),
    "another method": ("PUT", "/peer/safe", [b"{}"], {}),
    "another path": ("POST", "/peer/safest", [b"{}"], {}),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_both_paths_answer_the_same(app: FastAPI, question: str) -> None:
    """Status, headers and body, of successful and of failed requests."""
    short, _ = await answer(app, *QUESTIONS[question])
    long, _ = await answer(app._by_fastapi, *QUESTIONS[question])  # type: ignore[attr-defined]  # noqa: SLF001  # FastAPI's own path
    assert short[0]["status"] == long[0]["status"]
    assert sorted(short[0]["headers"]) == sorted(long[0]["headers"])
    assert b"".join(m["body"] for m in short[1:]) == b"".join(m.get("body", b"") for m in long[1:])


async def test_defect_shows_no_detail(app: FastAPI) -> None:
    """Also on the direct path."""
    sent, _ = await answer(app, *QUESTIONS["a defect"])
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]
    assert json.loads(sent[1]["body"])["code"] == "internal"


@pytest.mark.parametrize("question", ["a message", "an error", "a defect"])
async def test_handler_time_is_stored_in_the_scope(app: FastAPI, question: str) -> None:
    """Whether the call succeeded or raised."""
    _, scope = await answer(app, *QUESTIONS[question])
    assert scope[HANDLER] > 0
