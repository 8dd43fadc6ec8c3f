"""Messages and errors on the wire: one pair of functions for each direction.

A request omits the fields that its sender left unset, so that a field added later changes nothing
for older callers. A response has all fields. An error is a problem document.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from borough.capability import Endpoint, Message
from borough.errors import (
    PROBLEM_MEDIA_TYPE,
    BoroughError,
    FieldProblem,
    Internal,
    Invalid,
    Malformed,
    NotHosted,
    Problem,
    Unavailable,
)

JSON = "application/json"
SCHEMA_REF = "#/components/schemas/{model}"
PROBLEM_CONTENT: Mapping[str, Any] = {
    PROBLEM_MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REF.format(model=Problem.__name__)}}
}
"""The content of an error in an OpenAPI document; `web` adds the schema."""
MAX_FIELDS = 20
"""The maximum number of invalid fields that a response names."""


def encode_request(endpoint: Endpoint, message: Message) -> tuple[str, bytes]:
    """The path with its query, and the body (empty for a GET)."""
    if endpoint.verb == "POST":
        return endpoint.path, dump(message, exclude_unset=True)
    only_set = message.model_fields_set.issuperset(endpoint.path_fields)
    values = message.model_dump(mode="json", exclude_unset=only_set, exclude_none=True)
    path = endpoint.path.format_map({k: quote(str(v), safe="") for k, v in values.items()})
    query = {k: v for k, v in values.items() if k not in endpoint.path_fields}
    return (f"{path}?{urlencode(query)}" if query else path), b""


def decode_body(endpoint: Endpoint, body: bytes) -> Message:
    """The message of a POST. Raises Malformed or Invalid."""
    try:
        return endpoint.request.model_validate_json(body)
    except ValidationError as error:
        raise error_of_validation(error.errors(), endpoint.name) from None


def decode_strings(endpoint: Endpoint, values: dict[str, str]) -> Message:
    """The message of a GET from its path and query. Raises Invalid."""
    try:
        return endpoint.request.model_validate_strings(values)
    except ValidationError as error:
        raise error_of_validation(error.errors(), endpoint.name) from None


def dump(message: Message, *, exclude_unset: bool = False) -> bytes:
    """A message as JSON bytes; `model_dump_json` would make a string first."""
    return message.__pydantic_serializer__.to_json(message, exclude_unset=exclude_unset)


def decode_response(endpoint: Endpoint, status: int, body: bytes) -> Message:
    """The response; an error is raised as the class that the callee raised."""
    if status >= 400:  # noqa: PLR2004  # the error statuses
        raise decode_error(endpoint, status, body)
    try:
        return endpoint.response_adapter.validate_json(body)
    except ValidationError as error:
        raise Internal(
            f"{endpoint.name} answered what is no {endpoint.response.__name__}: "
            f"{error.error_count()} fields are wrong"
        ) from None


def decode_error(endpoint: Endpoint, status: int, body: bytes) -> BoroughError:
    """The error of a problem document; Unavailable for a response without one, as of a proxy."""
    try:
        error = BoroughError.from_problem(Problem.model_validate_json(body))
    except ValidationError:
        return Unavailable(f"{endpoint.name} answered {status} without a problem document")
    if isinstance(error, NotHosted):  # misconfigured addresses, not the caller's error
        return Unavailable(f"{endpoint.name} was asked where it is not hosted")
    return error


def error_of_validation(errors: Iterable[Any], what: str = "the body") -> BoroughError:
    """Pydantic's errors as Malformed, for bytes that are no JSON, or Invalid. They never quote the
    input: it may be a secret.
    """
    found = list(errors)
    if found[0]["type"] == "json_invalid":
        return Malformed(f"{what} is not JSON: {found[0]['ctx']['error']}")
    around = {e["loc"][:end] for e in found for end in range(len(e["loc"]))}
    fields = tuple(
        FieldProblem(field=_readable(".".join(map(str, e["loc"]))) or "body", message=e["msg"])
        for e in found
        if e["loc"] not in around  # not "too short" for a list whose items are invalid
    )[:MAX_FIELDS]
    return Invalid("; ".join(f"{each.field}: {each.message}" for each in fields), fields=fields)


def _readable(text: str) -> str:
    """Replace lone surrogates, which JSON allows and a problem document must not have."""
    return text.encode(errors="replace").decode()
