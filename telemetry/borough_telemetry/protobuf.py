"""Spans as an OTLP request; repeated parts are encoded once.

The stock encoder builds a protobuf object for every field of a span, 40 us in all, and holds the
interpreter while requests wait. Tests decode this one's bytes with opentelemetry-proto and compare
them field by field with the stock encoder's.
"""

import struct
from collections.abc import Mapping, Sequence

from borough_telemetry.spans import Blueprint, Span

SCOPE = "borough"
_KINDS = {"internal": 1, "server": 2, "client": 3}
_ERROR = 2
_HAS_REMOTE, _IS_REMOTE = 0x100, 0x200
_REMOTE = struct.pack("<BL", 0x35, _HAS_REMOTE | _IS_REMOTE)
_TIMES = struct.Struct("<BQBQHL").pack
"""Start and end (fields 7 and 8, fixed64), flags (field 16, fixed32), each after its key."""
_FLAGS_KEY = 0x0185


def request(resource: bytes, spans: bytes) -> bytes:
    """An ExportTraceServiceRequest of the results of `resource_of` and `encoded`."""
    scope = _block(0x0A, _block(0x0A, SCOPE.encode()))
    return _block(0x0A, resource + _block(0x12, scope + spans))


def resource_of(attributes: Mapping[str, object]) -> bytes:
    """The attributes of the resource, encoded once for all requests."""
    return _block(0x0A, b"".join(_attribute(0x0A, *item) for item in attributes.items()))


def encoded(span: Span) -> bytes:
    """A span as a field of its ScopeSpans."""
    blueprint = span.blueprint
    flags = _HAS_REMOTE | _IS_REMOTE if span.remote else _HAS_REMOTE
    pieces = [
        b"\x0a\x10", bytes.fromhex(span.trace_id), b"\x12\x08", bytes.fromhex(span.span_id),
        _TIMES(0x39, span.start_ns, 0x41, span.end_ns, _FLAGS_KEY, flags),
        blueprint.encoded or _encode(blueprint),
    ]  # fmt: skip  # fields side by side
    if span.parent_id:
        pieces += (b"\x22\x08", bytes.fromhex(span.parent_id))
    if span.detail:
        pieces.append(_attribute(0x4A, blueprint.detail, span.detail))
    for cause in span.links:
        trace_id, span_id = bytes.fromhex(cause.trace_id), bytes.fromhex(cause.span_id)
        pieces.append(_block(0x6A, _block(0x0A, trace_id) + _block(0x12, span_id) + _REMOTE))
    status = _block(0x12, span.message.encode(errors="replace")) if span.message else b""
    if blueprint.failed:
        status += bytes((0x18, _ERROR))
    pieces.append(_block(0x7A, status))
    return _block(0x12, b"".join(pieces))


def rejected(answer: bytes) -> int:
    """The number of rejected spans in an ExportTraceServiceResponse: the first field of its first
    field. 0 if it has none.
    """
    try:
        if answer[0] != 0x0A:  # noqa: PLR2004  # a field key
            return 0
        _, at = _number(answer, 1)
        return _number(answer, at + 1)[0] if answer[at] == 0x08 else 0  # noqa: PLR2004  # as above
    except IndexError:
        return 0


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The varint at a position, and its end. Raises IndexError if it is incomplete."""
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:  # noqa: PLR2004  # the last byte
            return number, at


def _encode(blueprint: Blueprint) -> bytes:
    kind = bytes((0x30, _KINDS[blueprint.kind]))
    attributes = b"".join(_attribute(0x4A, *item) for item in blueprint.attributes.items())
    blueprint.encoded = _block(0x2A, blueprint.name.encode()) + kind + attributes
    return blueprint.encoded


def _attribute(key: int, name: str, value: object) -> bytes:
    return _block(key, _block(0x0A, name.encode()) + _block(0x12, _value(value)))


def _value(value: object) -> bytes:
    """An AnyValue. Raises TypeError for a type that OTLP has none for."""
    match value:
        case bool():
            return bytes((0x10, value))
        case str():
            return _block(0x0A, value.encode(errors="replace"))
        case int():
            return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)  # as two's complement
        case float():
            return struct.pack("<Bd", 0x21, value)
        case Sequence():
            return _block(0x2A, b"".join(_block(0x0A, _value(each)) for each in value))
    raise TypeError(f"{value!r} is no value of an attribute")


def _block(key: int, content: bytes) -> bytes:
    """A field whose content has a length: its key, the length, the content."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004  # the bound of a varint of one byte
        return bytes((key, size)) + content
    return bytes((key,)) + _varint(size) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the low ones first; the high bit says that more follow."""
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004  # the format
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
