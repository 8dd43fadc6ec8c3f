"""Are messages between parts immutable, complete and additive?"""

import json
import types
import typing
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ValidationError

from borough.capability import Message
from borough.errors import BoroughError, Problem
from borough_shop.app import APP
from borough_shop.orders.contract import OrderPlaced

ENDPOINTS = [e for contract in APP.contracts.values() for e in contract.endpoints.values()]
ATOMS = (str, int, bool, UUID, AwareDatetime, type(None))


def reachable(message: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Every message type that can be nested in this one, itself included."""
    if message in seen:
        return seen
    seen.add(message)
    for field in message.model_fields.values():
        for inner in models_in(field.annotation):
            reachable(inner, seen)
    return seen


def models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in typing.get_args(annotation) for model in models_in(arg)]


MESSAGES = sorted(
    {m for e in ENDPOINTS for side in (e.request, e.response) for m in reachable(side, set())},
    key=lambda message: message.__name__,
)


def shape_problem(annotation: object) -> str | None:
    """Why a field of this type could be mutated, or lose precision on the way."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return shape_problem(typing.get_args(annotation)[0])
    if origin is tuple:
        element, rest = typing.get_args(annotation)
        return shape_problem(element) if rest is Ellipsis else "a tuple of fixed length"
    if origin in (typing.Union, types.UnionType):
        return next(filter(None, map(shape_problem, typing.get_args(annotation))), None)
    if isinstance(annotation, type):
        if issubclass(annotation, Message):
            return None if annotation.model_config.get("frozen") else "a message that can change"
        if annotation in ATOMS or issubclass(annotation, Enum):
            return None
    return f"{annotation} is neither frozen nor plain"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.__name__)
def test_message_is_immutable_at_every_depth(message: type[Message]) -> None:
    """Only frozen messages, tuples and plain values are sent: no list, no dict, no float."""
    found = {name: shape_problem(f.annotation) for name, f in message.model_fields.items()}
    assert {name: why for name, why in found.items() if why} == {}


def test_list_or_float_in_a_message_is_found() -> None:
    """The check above can fail."""
    assert shape_problem(list[int]) is not None
    assert shape_problem(float) is not None
    assert shape_problem(dict[str, int]) is not None


def values_of(  # noqa: C901, PLR0911  # a case a keyword, as flat as the schema
    schema: dict[str, Any], root: dict[str, Any]
) -> st.SearchStrategy[Any]:
    """Values that a JSON schema of a message allows, by the few keywords that our messages use."""
    match schema:
        case {"$ref": ref}:
            return values_of(root["$defs"][ref.rpartition("/")[2]], root)
        case {"anyOf": options}:
            return st.one_of(*(values_of(option, root) for option in options))
        case {"enum": options}:
            return st.sampled_from(options)
        case {"type": "object"}:
            fields = {k: values_of(v, root) for k, v in schema.get("properties", {}).items()}
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {k: v for k, v in fields.items() if k in required},
                optional={k: v for k, v in fields.items() if k not in required},
            )
        case {"type": "array"}:
            return st.lists(
                values_of(schema["items"], root), min_size=schema.get("minItems", 0), max_size=3
            )
        case {"type": "string", "format": "uuid"}:
            return st.uuids().map(str)
        case {"type": "string", "format": "date-time"}:
            return st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
        case {"type": "string", "pattern": pattern}:
            return st.from_regex(pattern.replace("$", r"\Z"))
        case {"type": "string"}:
            return st.text(min_size=schema.get("minLength", 0))
        case {"type": "integer"}:
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
    raise AssertionError(schema)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.__name__)
@given(data=st.data())
@settings(max_examples=10, derandomize=True, suppress_health_check=list(HealthCheck))
def test_message_equals_itself_after_the_codec(message: type[Message], data: st.DataObject) -> None:
    """What is encoded and decoded again equals what was sent, in every field."""
    schema = message.model_json_schema()
    sent = data.draw(values_of(schema, schema))
    try:
        original = message.model_validate_json(json.dumps(sent))
    except ValidationError:  # a rule that a schema cannot express
        reject()
    assert message.model_validate_json(original.model_dump_json()) == original


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.__name__)
def test_unknown_field_is_ignored(message: type[Message]) -> None:
    """Contracts grow by addition: an older reader accepts a newer message."""
    assert message.model_config.get("extra") == "ignore"


def test_event_without_schema_version_is_refused() -> None:
    """A default would let an older event pass for a newer one."""
    assert OrderPlaced.model_fields["schema_version"].is_required()


def errors() -> list[type[BoroughError]]:
    found, queue = [], [BoroughError]
    while queue:
        queue += (subclasses := queue.pop().__subclasses__())
        found += subclasses
    return [error for error in found if "code" in vars(error)]


@pytest.mark.parametrize("error", errors(), ids=lambda e: e.__name__)
def test_error_is_raised_as_its_own_class(error: type[BoroughError]) -> None:
    """A problem document has the code of its error, and the caller raises the same class."""
    sent = error("espresso is out of stock", retry_after=3, about={"order_id": "7"})
    document = Problem.model_validate_json(sent.problem().model_dump_json())
    arrived = BoroughError.from_problem(document)
    assert type(arrived) is error
    assert (arrived.detail, arrived.retry_after) == (sent.detail, 3)
    assert arrived.about == {"order_id": "7"}


def test_codes_of_errors_are_unique() -> None:
    """Clients distinguish errors by their code."""
    codes = [error.code for error in errors()]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, "not-found"), (418, "invalid"), (503, "unavailable"), (599, "internal")],
)
def test_unknown_code_becomes_the_general_error_of_its_status(status: int, expected: str) -> None:
    """An older part handles a newer error by its status."""
    problem = Problem(type="x", title="x", status=status, detail="d", code="of-tomorrow")
    assert BoroughError.from_problem(problem).code == expected
