"""Does the ops port report the state of the part, also while the event loop is stuck?

The calls here block the event loop: while one waits for its answer the loop is stuck, as it would
be in a part that blocks it.
"""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from borough.serving.lifecycle import Health, State, ops_port
from borough.serving.listener import bind
from borough.testing.clock import ManualClock
from borough_telemetry import Format, Telemetry, pages
from serving import HOST, Reply, fetch


@dataclass
class Ops:
    """An ops port, and the health that it reports."""

    port: int
    health: Health
    clock: ManualClock

    def get(self, path: str, verb: str = "GET") -> Reply:
        """Request the path; this blocks the event loop."""
        return fetch(self.port, path, verb)


@pytest.fixture
def ops() -> Iterator[Ops]:
    """The ops port of a part that has just started."""
    clock = ManualClock()
    health = Health({"faults": {"payments": {"delay_ms": 50}}}, clock.monotonic)
    listening = bind("OPS_PORT", HOST, 0)
    with ops_port(listening, health, Telemetry("t")):
        yield Ops(listening.getsockname()[1], health, clock)


async def test_livez_fails_when_the_loop_has_been_stuck_for_ten_seconds(ops: Ops) -> None:
    """It is 200 up to ten seconds after a beat, then 503, and 200 again after the next beat."""
    beat = asyncio.create_task(ops.health.beat())
    await asyncio.sleep(0)
    ops.clock.advance(10)
    assert ops.get("/livez").status == 200
    ops.clock.advance(0.1)
    stuck = ops.get("/livez")
    assert (stuck.status, json.loads(stuck.body)) == (503, {"alive": False, "silence_s": 10.1})
    beat.cancel()
    beat = asyncio.create_task(ops.health.beat())
    await asyncio.sleep(0)
    assert ops.get("/livez").status == 200
    beat.cancel()


async def test_metrics_are_served_while_the_loop_is_stuck(ops: Ops) -> None:
    """The exposition is complete although the event loop does not run."""
    answer = ops.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, Format.TEXT.value)
    assert answer.body.endswith(b"\n")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", Format.OPENMETRICS),
        ("text/plain", Format.TEXT),
        ("*/*", Format.TEXT),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(ops: Ops, accept: str, form: Format) -> None:
    """Prometheus accepts OpenMetrics and gets it; other clients get the text format."""
    answer = fetch(ops.port, "/metrics", accept=accept)
    assert answer.headers["content-type"] == form.value
    assert answer.body.endswith(b"# EOF\n") == (form is Format.OPENMETRICS)


@pytest.mark.parametrize("state", list(State))
def test_readyz_is_200_in_state_ready_only(ops: Ops, state: State) -> None:
    """Other states are 503; the body has state, reason and facts in each."""
    ops.health.become(state, "because")
    answer = ops.get("/readyz")
    assert answer.status == (200 if state is State.READY else 503)
    assert json.loads(answer.body) == {
        "state": state,
        "reason": "because",
        "loop_restarts": {},
        "facts": {"faults": {"payments": {"delay_ms": 50}}},
    }


@pytest.mark.parametrize("state", list(State))
def test_livez_depends_on_the_loop_only(ops: Ops, state: State) -> None:
    """A part that is not ready, for instance since a peer is down, is not to be restarted."""
    ops.health.become(state, "a peer is down")
    assert ops.get("/livez").status == 200


def test_unknown_path_is_404(ops: Ops) -> None:
    """The body lists the known paths."""
    answer = ops.get("/v1/orders")
    assert answer.status == 404
    assert json.loads(answer.body) == {"paths": ["/livez", "/metrics", "/readyz"]}


def test_query_does_not_hide_a_path(ops: Ops) -> None:
    """A probe may add a query to its path."""
    assert ops.get("/livez?verbose").status == 200


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_ops_port_refuses_other_methods_with_405(ops: Ops, verb: str) -> None:
    """The ops port is read-only; the header `Allow` lists its methods."""
    answer = ops.get("/livez", verb)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_get_without_the_body(ops: Ops) -> None:
    """Status and headers are equal, the body is empty."""
    full, head = ops.get("/livez"), ops.get("/livez", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]


async def trickle(connection: socket.socket) -> None:
    """Send a head without an end, a byte at a time, for a minute."""
    for _ in range(6_000):
        connection.send(b"G")
        await asyncio.sleep(0.01)


async def test_request_sent_byte_by_byte_times_out() -> None:
    """The limit is on the whole request, and further bytes do not extend it."""
    server, client = socket.socketpair()
    with server, client:
        client.sendall(b"GET")
        trickling = asyncio.create_task(trickle(client))
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(pages._head, server, 0.1)  # noqa: SLF001  # without its server
        assert time.monotonic() - begun >= 0.1
        assert not trickling.done()
        trickling.cancel()
