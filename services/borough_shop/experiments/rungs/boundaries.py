"""What stands in the place of the shipped boundary on the rungs below it."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.routing import compile_path

from borough.capability import Capability, Endpoint, Message
from borough.errors import BoroughError, Unavailable
from borough.transport.client import CONTENT_TYPE
from borough.transport.codec import (
    decode_body,
    decode_response,
    decode_strings,
    dump,
    encode_request,
)
from borough.transport.wire import BrokenAnswer, NoAnswer, Pool
from borough_telemetry import ClientCall, Telemetry
from borough_telemetry.signals import Signal

PATIENCE_S = 60.0
"""How long a plain call waits: nobody gave it a deadline, and no experiment hangs for ever."""


class Coded:
    """T1: an object in this process that is asked in bytes and answers in bytes."""

    def __init__(self, contract: type[Capability], service: Any) -> None:
        self._service = service
        self._paths = {
            endpoint.method: compile_path(endpoint.path)[0]
            for endpoint in contract.endpoints.values()
        }

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        target, body = encode_request(endpoint, message)
        if endpoint.verb == "POST":
            question = decode_body(endpoint, body)
        else:
            question = decode_strings(endpoint, self._strings(endpoint, target))
        try:
            answer: Message = await getattr(self._service, endpoint.method)(question)
        except BoroughError as error:
            problem = error.problem().model_dump_json(exclude_defaults=True)
            return decode_response(endpoint, error.status, problem.encode())
        return decode_response(endpoint, 200, dump(answer))

    def _strings(self, endpoint: Endpoint, target: str) -> dict[str, str]:
        """What stands in a path and its query, as a router reads them."""
        path, _, query = target.partition("?")
        found = self._paths[endpoint.method].match(path)
        fields = found.groupdict() if found else {}
        return dict(parse_qsl(query, keep_blank_values=True)) | {
            name: unquote(value) for name, value in fields.items()
        }


class Plain:
    """T3: the same bytes over TCP, to one address, and nothing to fall back on."""

    def __init__(self, url: str, wire: Pool) -> None:
        self._url = url
        self._wire = wire

    async def call(self, endpoint: Endpoint, message: Message) -> Message:
        target, body = encode_request(endpoint, message)
        headers = CONTENT_TYPE if body else ""
        until = time.monotonic() + PATIENCE_S
        try:
            answer = await self._wire.ask(endpoint.verb, self._url, target, headers, body, until)
        except (NoAnswer, BrokenAnswer, TimeoutError) as failure:
            raise Unavailable(f"{endpoint.name} does not answer") from failure
        return decode_response(endpoint, answer.status, answer.body)


class Unwatched:
    """T5: stands in the place of a Telemetry where nothing is counted and nothing traced."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.log = telemetry.log

    def count(self, signal: Signal, **labels: str) -> None:
        """Nobody counts."""

    def client_call(self, endpoint: Endpoint) -> AbstractContextManager[ClientCall]:
        """Nobody looks."""
        return nullcontext(ClientCall())
