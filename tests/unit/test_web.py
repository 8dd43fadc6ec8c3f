"""What does an app answer to a wrong request, a defect or a broken connection?"""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Message, Scope

from borough.errors import Malformed, NotFound, NotHosted, RateLimited, Unavailable
from borough.serving.web import make_app, problem_response, problems
from borough_shop.errors import KeyMissing
from borough_telemetry import Telemetry
from shop.door import Visitor, visiting


class Note(BaseModel):
    """A request body."""

    text: str


@pytest.fixture
def telemetry() -> Telemetry:
    """Telemetry of the app."""
    return Telemetry("test", log_level="error")


@pytest.fixture
def app(telemetry: Telemetry) -> FastAPI:
    """An app with a route for every kind of failure."""
    app = make_app("test", telemetry=telemetry, max_body_bytes=1_024)

    @app.get("/defect")
    async def defect() -> None:
        raise ZeroDivisionError("the secret detail")

    @app.get("/broken-off")
    async def broken_off() -> StreamingResponse:
        async def half() -> AsyncIterator[bytes]:
            yield b"half"
            raise ZeroDivisionError("the secret detail")

        return StreamingResponse(half())

    @app.get("/busy")
    async def busy() -> None:
        raise Unavailable("the oven is cold", retry_after=7)

    @app.post("/notes", responses=problems(Malformed))
    async def notes(note: Note) -> str:
        return note.text

    return app


@pytest.fixture
async def visitor(app: FastAPI, telemetry: Telemetry) -> AsyncIterator[Visitor]:
    """A client of the app, with its telemetry around it as in a part."""
    async with visiting(telemetry.middleware(app, capability="test", trusted=True)) as visitor:
        yield visitor


async def test_defect_hides_its_detail_and_has_its_trace(
    visitor: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 without the message of the exception; the log has it, under the trace id of the
    answer.
    """
    problem = (await visitor.ask("GET", "/defect")).problem
    logged = capsys.readouterr().out
    assert (problem.status, problem.code) == (500, "internal")
    assert "secret" not in problem.model_dump_json()
    assert "the secret detail" in logged
    assert problem.trace_id
    assert problem.trace_id in logged


async def test_problem_has_its_trace_and_retry_after(visitor: Visitor) -> None:
    """The trace id in the document finds the trace; Retry-After is in header and document."""
    answer = await visitor.ask(
        "GET", "/busy", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    )
    assert (answer.status, answer.problem.code) == (503, "unavailable")
    assert answer.problem.trace_id == "a" * 32
    assert (answer.headers["Retry-After"], answer.problem.retry_after) == ("7", 7)


async def test_started_answer_is_aborted_by_a_defect(app: FastAPI) -> None:
    """A second answer after half of a first would be read as part of it: the connection is
    closed.
    """
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await app(scope_of("/broken-off"), receive, send)
    assert [m["type"] for m in sent].count("http.response.start") == 1
    assert b"half" in b"".join(m.get("body", b"") for m in sent)


async def test_closed_connection_is_no_defect(
    app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request body that breaks off is not written to the error log."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope_of("/notes", "POST"), receive, send)
    assert sent[0]["status"] == 400
    assert capsys.readouterr().out == ""


async def test_unknown_path_is_not_found_or_not_hosted_by_app(telemetry: Telemetry) -> None:
    """At a door it is not found; at an internal app its capability is hosted elsewhere."""
    for internal, error in ((False, NotFound), (True, NotHosted)):
        app = make_app("test", telemetry=telemetry, max_body_bytes=1_024, internal=internal)
        async with visiting(app) as visitor:
            answer = await visitor.ask("GET", "/payments/charges")
        assert (answer.status, answer.problem.code) == (404, error.code)
        assert "/payments/charges" in answer.problem.detail


@pytest.mark.parametrize("size", [1_023, 1_024, 1_025])
async def test_limit_of_a_body_is_its_last_allowed_byte(visitor: Visitor, size: int) -> None:
    """One byte more is refused, by its Content-Length, on every route."""
    body = b'{"text": "' + b"x" * (size - 12) + b'"}'
    answer = await visitor.ask("POST", "/notes", body)
    assert answer.status == (413 if size > 1_024 else 200)
    elsewhere = await visitor.ask("GET", "/nowhere", body)
    assert elsewhere.status == (413 if size > 1_024 else 404)


def test_openapi_document_has_problems_and_no_other_error(app: FastAPI) -> None:
    """What `problems` refers to is in the OpenAPI document, with everything that it refers to."""
    schemas = app.openapi()["components"]["schemas"]
    assert {"Problem", "FieldProblem"} <= set(schemas)
    described = app.openapi()["paths"]["/notes"]["post"]["responses"]["400"]
    reference = described["content"]["application/problem+json"]["schema"]["$ref"]
    assert reference == "#/components/schemas/Problem"


def test_errors_of_one_status_share_its_description() -> None:
    """No error of a status is lost because another has the same."""
    described = problems(Malformed, KeyMissing, RateLimited)
    assert set(described) == {400, 429}
    assert "malformed" in described[400]["description"]
    assert "idempotency-key-missing" in described[400]["description"]


def test_problem_has_no_null_fields() -> None:
    """A field without a value is absent."""
    body = problem_response(NotFound("there is no tea")).body
    assert b"null" not in bytes(body)


def scope_of(path: str, method: str = "GET") -> Scope:
    """An ASGI scope as a server would build it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
