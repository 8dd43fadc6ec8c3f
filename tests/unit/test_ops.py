"""What does the ops port tell, and does it tell it when the part cannot?

The calls here block the event loop: while one waits for its answer the loop is stuck, as it would
be in a part that went astray.
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
    """An ops port, and what it tells of."""

    port: int
    health: Health
    clock: ManualClock

    def get(self, path: str, verb: str = "GET") -> Reply:
        """Ask, and block."""
        return fetch(self.port, path, verb)


@pytest.fixture
def ops() -> Iterator[Ops]:
    """An ops port of a part that has just begun."""
    clock = ManualClock()
    health = Health({"faults": {"payments": {"delay_ms": 50}}}, clock.monotonic)
    listening = bind("OPS_PORT", HOST, 0)
    with ops_port(listening, health, Telemetry("t")):
        yield Ops(listening.getsockname()[1], health, clock)


async def test_livez_fails_when_the_loop_has_been_stuck_for_ten_seconds(ops: Ops) -> None:
    """Ten seconds of silence are forgiven, more are not; a loop that turns again is alive again."""
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
    """The exposition comes whole, though nothing turns the loop."""
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
    """Prometheus asks for OpenMetrics and gets exemplars; who asks for nothing can read it too."""
    answer = fetch(ops.port, "/metrics", accept=accept)
    assert answer.headers["content-type"] == form.value
    assert answer.body.endswith(b"# EOF\n") == (form is Format.OPENMETRICS)


@pytest.mark.parametrize("state", list(State))
def test_only_a_ready_part_is_ready(ops: Ops, state: State) -> None:
    """/readyz is 200 in one state only, and tells state, reason and facts in each."""
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
    """Whatever the part waits for, it is alive: to be unready is no reason to be killed."""
    ops.health.become(state, "a peer is down")
    assert ops.get("/livez").status == 200


def test_an_unknown_path_is_404(ops: Ops) -> None:
    """And the answer says which paths there are."""
    answer = ops.get("/v1/orders")
    assert answer.status == 404
    assert json.loads(answer.body) == {"paths": ["/livez", "/metrics", "/readyz"]}


def test_a_query_does_not_hide_a_path(ops: Ops) -> None:
    """Probes may add one."""
    assert ops.get("/livez?verbose").status == 200


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_ops_port_refuses_other_methods_with_405(ops: Ops, verb: str) -> None:
    """Nothing can be done to a part over its ops port: 405 names what is allowed."""
    answer = ops.get("/livez", verb)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_get_without_the_body(ops: Ops) -> None:
    """Same status, same headers, no bytes."""
    full, head = ops.get("/livez"), ops.get("/livez", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]


async def trickle(connection: socket.socket) -> None:
    """Send a head without an end, a byte at a time, for a minute."""
    for _ in range(6_000):
        connection.send(b"G")
        await asyncio.sleep(0.01)


async def test_a_request_sent_byte_by_byte_times_out() -> None:
    """The bound is on the whole request: a byte now and then does not lengthen it."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"GET")
        trickling = asyncio.create_task(trickle(far))
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(pages._head, near, 0.1)  # noqa: SLF001  # without its server
        assert time.monotonic() - begun >= 0.1
        assert not trickling.done()
        trickling.cancel()
