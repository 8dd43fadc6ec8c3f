"""Errors as they travel over HTTP, and as an OpenAPI document knows them."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from borough.errors import PROBLEM_MEDIA_TYPE, BoroughError, Internal
from borough.transport.codec import PROBLEM_CONTENT
from borough_telemetry import Telemetry


def problem_response(error: BoroughError, trace_id: str | None = None) -> Response:
    """The error as it travels over HTTP."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="borough"'
    return Response(
        error.problem(trace_id=trace_id).model_dump_json(exclude_defaults=True),
        status_code=error.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def problems(*errors: type[BoroughError]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that may answer with these errors."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in dict.fromkeys(errors):  # each once
        described = responses.setdefault(
            error.status, {"description": "", "content": PROBLEM_CONTENT}
        )
        described["description"] += f"{error.title} (`{error.code}`). "
    return responses


def trace_id(telemetry: Telemetry) -> str | None:
    """The id of the trace being written, for the caller to quote."""
    traceparent = telemetry.traceparent()
    return traceparent.split("-")[1] if traceparent else None


def defect_response(telemetry: Telemetry, path: str) -> Response:
    """What is said of the exception being handled: its trace to the caller, all to the log."""
    telemetry.log.error("defect", path=path, exc_info=True)  # noqa: LOG014  # called by handlers
    error = Internal("this is a defect of ours; the trace id finds it in our log")
    return problem_response(error, trace_id(telemetry))
