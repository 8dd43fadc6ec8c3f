"""What is started, in which order, and what stops a start?"""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from borough.app import GATEWAY
from borough.compose import PartBuilder, build
from borough.config import Settings, Timeouts, WrongSettings
from borough.serving.listener import Listener, bind
from borough.serving.server import Launch, Stop
from borough.transport.wire import Limits
from borough_shop.app import APP
from parts import settings_with
from serving import HOST, Wire, launched, on_uvloop, small_part, until

PEERS = dict.fromkeys(APP.contracts, ("http://peer",))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another socket listens."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@on_uvloop
async def test_ready_part_prints_one_line_with_its_ports() -> None:
    """The line has the part and the ports that are bound, each of which answers."""
    async with launched(small_part(internal=small_part().public)) as running:
        line = json.loads(running.lines[0])
        assert (line["event"], line["part"]) == ("ready", "small")
        for name in ("public", "internal"):
            with Wire(line[f"{name}_port"]) as wire:
                assert (await wire.ask(f"/{name}")).body == f"/{name}".encode()
        assert (await running.ops("/livez")).status == 200
    assert len(running.lines) == 1


@on_uvloop
async def test_part_without_doors_has_no_public_port() -> None:
    """A listener without routes is not bound."""
    async with launched(small_part(public=None, internal=small_part().public)) as running:
        assert set(running.ports) == {"internal", "ops"}


@pytest.mark.parametrize("name", ["public", "internal", "ops"])
@on_uvloop
async def test_port_in_use_stops_the_start_with_an_error(name: str, taken: int) -> None:
    """The error names the setting and the port; the part is closed, and no port stays bound."""
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    part = small_part(internal=small_part().public, close=close)
    ports = {"public_port": 0, "internal_port": 0, "ops_port": 0, f"{name}_port": taken}
    setting = f"BOROUGH_{name.upper()}_PORT"
    with pytest.raises(WrongSettings, match=f"{setting}: cannot listen on {HOST}:{taken}: address"):
        await Launch(part, Settings.model_validate(ports), Stop()).run()
    assert closed == ["closed"]


def test_unknown_host_is_named() -> None:
    """The error names the host, not the port."""
    with pytest.raises(WrongSettings, match=r"BOROUGH_HOST: nowhere.invalid is no address"):
        bind("PUBLIC_PORT", "nowhere.invalid", 0)


@on_uvloop
async def test_failed_listener_ends_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that cannot serve is drained and closed, and reports the error, so it is replaced."""
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    async def die(_: Listener) -> None:
        raise OSError("no more files")

    monkeypatch.setattr(Listener, "main_loop", die)
    settings = Settings(public_port=0, ops_port=0, drain_s=0)
    with pytest.raises(OSError, match="no more files"):
        await Launch(small_part(close=close), settings, Stop()).run()
    assert closed == ["closed"]


async def test_timeouts_of_a_part_come_from_its_settings() -> None:
    """Its own timeouts, and those of its outgoing connections: half as long, so that a peer does
    not close a connection that is about to be used.
    """
    times = {"keep_alive_s": 8.0, "in_flight_s": 3.0, "connect_timeout_ms": 200}
    settings, builders = settings_with(APP, peers=PEERS, **times), list[PartBuilder]()

    def builder(*args: Any) -> PartBuilder:
        builders.append(PartBuilder(*args))
        return builders[0]

    part = await build(APP, settings, [GATEWAY], builder=builder)
    await part.close()
    assert part.timeouts == Timeouts(keep_alive_s=8, in_flight_s=3)
    assert builders[0].wire.limits == Limits(keep_alive_s=4, connect_s=0.2)


@on_uvloop
async def test_failed_loop_is_restarted() -> None:
    """A background loop that raises is started again, and /readyz counts its failures."""
    lives: list[int] = []

    async def relay() -> None:
        lives.append(len(lives))
        if len(lives) < 3:
            raise OSError("the disk is full")
        await asyncio.Event().wait()

    part = small_part(loops={"relay": relay}, timeouts=Timeouts(restart_pause_s=0))
    async with launched(part) as running:
        await until(lambda: len(lives) == 3)
        report = json.loads((await running.ops("/readyz")).body)
    assert list(report["loop_restarts"].values()) == [2]
