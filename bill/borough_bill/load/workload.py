"""The workload, a data file: which requests are sent, and which answers are expected.

Requests are rendered before the run, in VARIANTS seeded variants of each class; only the
idempotency key is filled in when a request is sent.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from math import fsum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

import numpy as np
from pydantic import Field, ValidationError, ValidationInfo, model_validator

from borough_bill.load import Data

VARIANTS = 512
"""Rendered requests of each class. Each request that is sent is one of them, with its own key."""

KEY = "the-idempotency-key-of-a-request"
"""The placeholder of a request's own key, as long as the 32 hexadecimal digits that replace it."""
BASE, HOST = b"\x00", b"\x01"
"""Placeholders of what depends on the address: the path of the base URL, and the Host header."""

CUSTOMER = frozenset({"customer", "api_key"})
BUILT_IN = CUSTOMER | {"key"}
"""The placeholders that every workload may use; all others are names of its data."""
RESERVED_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding"})

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]|[^\x00-\x7f]")


class BadWorkload(ValueError):
    """A workload cannot be sent; the message names the file and the key in it."""


class Expectation(Data):
    """The status or statuses of a correct answer, and values in its JSON by dotted path."""

    status: int | tuple[int, ...] = 200
    fields: dict[str, Any] = Field({}, alias="json")

    def fault(self, status: int, body: bytes) -> str | None:
        """What is wrong with an answer, None if nothing: one of a few texts, to be counted."""
        if status != self.status and not (isinstance(self.status, tuple) and status in self.status):
            return f"answered {status}"
        if self.fields:
            try:
                answer = json.loads(body)
            except ValueError:
                return "the answer is no JSON"
            for path, expected in self.fields.items():
                if _at(answer, path) != expected:
                    return f"{path} is not {json.dumps(expected)}"
        return None


class Request(Data):
    """A request; a placeholder that is a whole JSON string is replaced with the value's type."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, Field(pattern="^/")]
    headers: dict[str, str] = Field(default_factory=dict)
    content: Any = Field(None, alias="json")
    expect: Expectation = Expectation()

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(_PLACEHOLDER.findall(json.dumps([self.path, self.headers, self.content])))

    @property
    def for_customer(self) -> bool:
        """Whether it contains a placeholder of a customer."""
        return not self.placeholders.isdisjoint(CUSTOMER)

    def render(self, values: Mapping[str, Any]) -> tuple[str, bytes]:
        """Its path and its bytes; KEY, BASE and HOST are filled in later.

        Raises BadWorkload for a character that the head of a request must not contain.
        """
        path = _PLACEHOLDER.sub(lambda place: quote(str(values[place[1]]), safe=""), self.path)
        headers = {name.lower(): str(_fill(text, values)) for name, text in self.headers.items()}
        body = b""
        if self.content is not None:
            body = json.dumps(_fill(self.content, values), separators=(",", ":")).encode()
            headers = {"content-type": "application/json"} | headers
        if body or self.method != "GET":
            headers["content-length"] = str(len(body))
        for what in (path, *headers, *headers.values()):
            if _CONTROL.search(what):
                raise BadWorkload(f"{what!r} is not allowed in the head of a request")
        head = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        first = b"%s %s%s HTTP/1.1\r\nhost: %s\r\n" % (
            self.method.encode(), BASE, path.encode(), HOST,
        )  # fmt: skip  # one line of the request
        return path, first + head.encode() + b"\r\n" + body


class RequestClass(Request):
    """A request that is sent in proportion to its weight. Each expected answer promises a row of
    the CAPABILITY.KIND that it `counts_as`, as `borough audit --json` counts them.
    """

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    counts_as: Annotated[str, Field(pattern=r"^[\w-]+\.[\w-]+$")] | None = None


class Workload(Data):
    """Classes of requests, the data of their placeholders, and set-up requests, which are sent for
    each customer if they contain {{customer}} or {{api_key}}, else once.
    """

    data: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    setup: tuple[Request, ...] = ()
    classes: Annotated[dict[str, RequestClass], Field(min_length=1, max_length=255)]
    _file: str = "workload"

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Parse the text of a workload file; errors call it `name`. Raises BadWorkload."""
        try:
            return cls.model_validate(tomllib.loads(text), context=name)
        except tomllib.TOMLDecodeError as error:
            raise BadWorkload(f"workload {name} is no TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            what = first["msg"].removeprefix("Value error, ")
            raise BadWorkload(f"workload {name}, {key + ': ' if key else ''}{what}") from error

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        """Check that placeholders are known, and that no header is reserved."""
        self._file = str(info.context)
        if taken := BUILT_IN & self.data.keys():
            raise ValueError(f"data.{min(taken)}: the name is built in")
        for place, request in self._requests():
            if unknown := request.placeholders - BUILT_IN - self.data.keys():
                raise ValueError(f"{place}: there is no data {min(unknown)}")
            if _PLACEHOLDER.search(json.dumps(request.expect.fields)):
                raise ValueError(f"{place}.expect: an expectation has no placeholders")
            if reserved := RESERVED_HEADERS & {name.lower() for name in request.headers}:
                raise ValueError(f"{place}.headers.{min(reserved)}: the generator sets this")
        return self

    def _requests(self) -> Iterator[tuple[str, Request]]:
        """Every request, by its place in the file."""
        for number, request in enumerate(self.setup):
            yield f"setup.{number}", request
        for name, request in self.classes.items():
            yield f"classes.{name}", request

    def setup_requests(self, customers: Mapping[str, str]) -> Iterator[tuple[Request, str, bytes]]:
        """The set-up requests, rendered as by `Request.render`. Raises as `variants`."""
        self._require(customers)
        first = {name: values[0] for name, values in self.data.items()}
        for request in self.setup:
            for customer, key in customers.items() if request.for_customer else [("", "")]:
                values = {**first, "key": KEY, "customer": customer, "api_key": key}
                yield request, *request.render(values)

    def variants(
        self, customers: Mapping[str, str], chance: np.random.Generator
    ) -> list[list[tuple[str, bytes]]]:
        """VARIANTS requests of each class, rendered with random data and customers, which are API
        keys by name. Raises BadWorkload where customers are needed and there are none.
        """
        self._require(customers)
        senders = list(customers.items()) or [("", "")]

        def draw() -> dict[str, Any]:
            chosen = {name: values[chance.integers(len(values))] for name, values in data}
            customer, key = senders[chance.integers(len(senders))]
            return {**chosen, "key": KEY, "customer": customer, "api_key": key}

        data = sorted(self.data.items())
        return [
            [request.render(draw()) for _ in range(VARIANTS)] for request in self.classes.values()
        ]

    def _require(self, customers: Mapping[str, str]) -> None:
        for place, request in self._requests():
            if request.for_customer and not customers:
                raise BadWorkload(
                    f"workload {self._file}, {place}: it is sent by customers, and there are none"
                )

    def with_shares(self, shares: Mapping[str, float]) -> Self:
        """The same workload, with this share of the requests for each class that is named.

        The other classes divide the rest in their proportions. A class with share 0 is left out.
        Raises BadWorkload for an unknown class, and for shares that do not add up.
        """
        if not shares:
            return self
        if unknown := shares.keys() - self.classes.keys():
            there = ", ".join(self.classes)
            raise BadWorkload(f"workload {self._file}: no class {min(unknown)} among {there}")
        given = round(fsum(shares.values()), 9)  # 0.1 + 0.2 is slightly more than 0.3
        others = {name: r.weight for name, r in self.classes.items() if name not in shares}
        if given > 1 or (given < 1 and not others):
            raise BadWorkload(
                f"workload {self._file}: the shares of {', '.join(shares)} add up to {given:g}, "
                f"{'and no class is left for the rest' if given < 1 else 'which is more than all'}"
            )
        rest = (1 - given) / fsum(others.values()) if others else 0
        weights = {name: weight * rest for name, weight in others.items()} | dict(shares)
        classes = {
            name: request.model_copy(update={"weight": weights[name]})
            for name, request in self.classes.items()
            if weights[name]
        }
        return self.model_copy(update={"classes": classes})

    @property
    def noun(self) -> str:
        """The name of a request in the report: that of its class, if there is only one."""
        return next(iter(self.classes)) if len(self.classes) == 1 else "request"

    @property
    def digest(self) -> str:
        """A digest of the content, whatever the name of the file."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def for_customers(self) -> bool:
        """Whether any request is sent for a customer."""
        return any(request.for_customer for _, request in self._requests())

    def promised(self, answered: Mapping[str, int]) -> Counter[str]:
        """The rows of each `counts_as` that the expected answers, by class, promised; 0 of a kind
        without an answer.
        """
        rows = Counter[str]()
        for name, request in self.classes.items():
            if request.counts_as is not None:
                rows[request.counts_as] += answered.get(name, 0)
        return rows

    @property
    def shares(self) -> list[float]:
        """The share of each class, in the order of the file; they add up to 1."""
        weights = [request.weight for request in self.classes.values()]
        return [weight / sum(weights) for weight in weights]


def shipped(name: str) -> Workload:
    """A workload that is part of this package. Raises BadWorkload, listing them."""
    folder = files(__package__) / "workloads"
    names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir())
    if name not in names:
        raise BadWorkload(f"there is no workload {name}; there are {', '.join(names)}")
    return Workload.parse((folder / f"{name}.toml").read_text("utf-8"), name)


def workload(name_or_path: str) -> Workload:
    """A file, if the text has a slash or ends in .toml, else a shipped one. Raises BadWorkload."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        try:
            return Workload.parse(Path(name_or_path).read_text("utf-8"), name_or_path)
        except (OSError, UnicodeDecodeError) as error:
            raise BadWorkload(f"workload {name_or_path} cannot be read: {error}") from error
    return shipped(name_or_path)


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON value with its placeholders filled in."""
    if isinstance(value, str):
        if whole := _PLACEHOLDER.fullmatch(value):
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda place: str(values[place[1]]), value)
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if isinstance(value, dict):
        return {name: _fill(item, values) for name, item in value.items()}
    return value


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path, in which a number is a list index; None where there is none."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
