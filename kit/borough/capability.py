"""How a contract method is declared, once; the route and the caller derive from it.

    class Loans(Capability, Protocol, path="/loans"):
        @post("", idempotent=True)
        async def lend(self, request: Lend) -> Loan: ...

A method takes exactly one `Message` and returns one. `post` carries the message as a JSON body;
`read` is a GET and carries it as path and query parameters, and is idempotent by its nature.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


class Message(BaseModel):
    """A message between parts: deeply immutable; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Declaration:
    verb: Literal["GET", "POST"]
    path: str
    idempotent: bool


def post(path: str, *, idempotent: bool) -> Callable[[Method], Method]:
    """Declare a method whose message is the JSON body of a POST. `idempotent`: sending the same
    message twice has the effect of sending it once, and returns the same. Transports repeat only
    calls that are marked so.
    """
    return _declare(_Declaration("POST", path, idempotent))


def read(path: str) -> Callable[[Method], Method]:
    """Declare a read: `{name}` in the path takes that field of the message, the query the rest."""
    return _declare(_Declaration("GET", path, idempotent=True))


def _declare(declaration: _Declaration) -> Callable[[Method], Method]:
    def mark(method: Method) -> Method:
        method.__endpoint__ = declaration  # type: ignore[attr-defined]  # functions take attributes
        return method

    return mark


@dataclass(frozen=True)
class Endpoint:
    """One contract method, as its caller and its server use it."""

    capability: str
    method: str
    verb: Literal["GET", "POST"]
    path: str
    idempotent: bool
    summary: str
    request: type[Message]
    response: type[Message]

    @property
    def name(self) -> str:
        """`loans.lend`: the name of spans, logs and errors."""
        return f"{self.capability}.{self.method}"

    @cached_property
    def path_fields(self) -> tuple[str, ...]:
        """The fields of the message that are in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @cached_property
    def response_adapter(self) -> TypeAdapter[Message]:
        """Built once, so that decoding a response needs no look-up."""
        return TypeAdapter(self.response)


class Capability(Protocol):
    """A business service. Subclass it together with `Protocol`, with its path: `path="/x"`."""

    name: ClassVar[str] = ""
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType({})

    def __init_subclass__(cls, *, path: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if path is None:  # an implementation, not a declaration
            return
        cls.name = path.strip("/")
        cls.endpoints = MappingProxyType(
            {
                name: _endpoint(cls.name, path, function, declaration)
                for name, function in vars(cls).items()
                if (declaration := getattr(function, "__endpoint__", None)) is not None
            }
        )


def _endpoint(
    capability: str, prefix: str, function: Callable[..., Any], declaration: _Declaration
) -> Endpoint:
    hints = get_type_hints(function)
    answer = hints.pop("return", None)
    messages = list(hints.values())
    where = f"{capability}.{function.__name__}"
    if len(messages) != 1 or not _is_message(messages[0]) or not _is_message(answer):
        raise TypeError(f"{where} must take exactly one Message and return one")
    endpoint = Endpoint(
        capability=capability,
        method=function.__name__,
        verb=declaration.verb,
        path=prefix + declaration.path,
        idempotent=declaration.idempotent,
        summary=inspect.getdoc(function) or "",
        request=messages[0],
        response=answer,
    )
    if unknown := set(endpoint.path_fields) - set(endpoint.request.model_fields):
        raise TypeError(f"{where}: the path names {sorted(unknown)}, which the message lacks")
    if endpoint.path_fields and declaration.verb == "POST":
        raise TypeError(f"{where}: the message of a POST travels whole in the body")
    return endpoint


def _is_message(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Message)
