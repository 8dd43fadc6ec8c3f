"""Does the hand-written OTLP encoder write what the stock encoder does?"""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource

from borough_telemetry import protobuf
from borough_telemetry.spans import Blueprint, Cause, Span
from recorded import readable

RESOURCE = Resource({"service.name": "orders", "replicas": (1, 2), "share": 0.5, "spot": True})

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
values = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


recipes = st.tuples(
    st.sampled_from(["root", "linked", "continued", "child"]),
    st.sampled_from(["internal", "server", "client"]),
    texts,
    st.dictionaries(texts.filter(lambda name: name not in {"", "url.path"}), values, max_size=8),
    texts,
    st.none() | st.tuples(texts, texts),
)
"""Parent, kind, name, attributes and detail of a span, and its error, if any.

The detail is `url.path`, which is not among the attributes.
"""


def made(recipe: Any) -> Span:
    """A finished span."""
    place, kind, name, attributes, detail, failure = recipe
    caused = Cause(f"{7:032x}", f"{8:016x}", sampled=True)
    span = {
        "root": lambda: Span.root(1),
        "linked": lambda: Span.root(1, caused, caused),
        "continued": lambda: Span.continued(caused),
        "child": lambda: Span.root(1).child(),
    }[place]()
    blueprint = Blueprint(name, kind, attributes, detail="url.path")
    if failure is None:
        span.finish(blueprint, detail)
    else:
        span.finish(blueprint.failing(failure[0]), detail, failure[1])
    return span


def request(resource: bytes, spans: list[Span]) -> bytes:
    return protobuf.request(resource, b"".join(map(protobuf.encoded, spans)))


def decoded(body: bytes) -> ExportTraceServiceRequest:
    request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    return request


@given(st.lists(recipes, min_size=1, max_size=4))
def test_every_field_is_as_the_stock_encoder_writes_it(recipes: list[Any]) -> None:
    """Decoded, both requests are equal: ids, times, kinds, attributes, links, status and flags."""
    spans = [made(recipe) for recipe in recipes]
    ours = decoded(request(protobuf.resource_of(RESOURCE.attributes), spans))
    stock = encode_spans([readable(span, RESOURCE) for span in spans])
    assert ours == stock


def test_blueprint_is_encoded_once() -> None:
    """For the second span of a blueprint only ids and times are encoded."""
    blueprint = Blueprint("GET /menu", "server", {"http.route": "/menu"})
    first, second = Span.root(1), Span.root(1)
    for span in (first, second):
        span.finish(blueprint)
    protobuf.encoded(first)
    kept = blueprint.encoded
    protobuf.encoded(second)
    assert kept
    assert blueprint.encoded is kept


def test_value_without_an_otlp_type_is_refused() -> None:
    """It is not converted to another type."""
    with pytest.raises(TypeError, match="no value of an attribute"):
        protobuf.resource_of({"when": object()})


def test_lone_surrogate_does_not_stop_a_batch() -> None:
    """A path may contain what UTF-8 cannot encode; the other spans are still sent."""
    span = Span.root(1)
    span.finish(Blueprint("GET", "server", {}, detail="url.path"), "/\ud800")
    (group,) = decoded(request(b"", [span])).resource_spans
    assert group.scope_spans[0].spans[0].attributes[0].value.string_value == "/?"


def test_ids_are_never_all_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """W3C Trace Context forbids such an id; a random span id is one in 2**64 times."""
    monkeypatch.setattr("borough_telemetry.spans.getrandbits", lambda _: 0)
    span = Span.root(1)
    assert int(span.trace_id, 16) > 0
    assert int(span.span_id, 16) > 0


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_ratio_is_the_share_of_sampled_traces(
    ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 4,000 traces, within the sampling error; 0 samples none, 1 samples all."""
    seeded = random.Random(7)
    monkeypatch.setattr("borough_telemetry.spans.getrandbits", seeded.getrandbits)
    share = sum(Span.root(ratio).sampled for _ in range(4_000)) / 4_000
    assert share == pytest.approx(ratio, abs=0.0 if ratio in (0, 1) else 0.02)


def test_rejected_spans_are_read_from_the_answer() -> None:
    """The number of spans, a varint of any length; of other answers 0."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 300
    answer.partial_success.error_message = "too much"
    assert protobuf.rejected(answer.SerializeToString()) == 300
    others = (b"", b"{}", b"\x0a", b"\x0a\x00", b"\x0a\x02\x12\x00", b"\x0a\x02\x08\x80")
    assert [protobuf.rejected(other) for other in others] == [0] * len(others)
