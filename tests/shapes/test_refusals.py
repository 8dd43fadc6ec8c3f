"""With which sentence is a part refused that cannot start?"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from borough.cli import main
from borough.shapes import needed
from borough_bill.targets.processes import HOST, PartDied, Ports, Process
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP
from waiting import becomes

DEAD = "http://127.0.0.1:1"
"""Nothing ever listens there."""

TWO = ("gateway", "orders")
REFUSALS = {
    "an unknown capability": (("orders", "kitchen"), {}, "kitchen"),
    "a capability named twice": (("payments", "payments"), {}, "payments is named twice"),
    "a peer without an address": (TWO, {}, ", ".join(sorted(needed(TWO, APP.calls)))),
    "an unknown shape": (("payments",), {"SHAPE": "pyramid"}, "there is no shape pyramid"),
    "a part its shape lacks": (("payments", "profiles"), {"SHAPE": "apis"}, "payments, profiles"),
    "an unknown setting": (("payments",), {"STORES": "sqlite:///x"}, "BOROUGH_STORES"),
    "a wrong value": (("payments",), {"OPS_PORT": "ninety"}, "BOROUGH_OPS_PORT"),
    "a map that is no JSON": (("payments",), {"PEERS": "orders"}, "BOROUGH_PEERS"),
    "an address that is none": (
        ("gateway",),
        {"PEERS": json.dumps({"orders": ["orders"], "profiles": [DEAD], "inventory": [DEAD]})},
        "'orders' is no address",
    ),
}
"""Case: the capabilities, the settings, and what the sentence must name."""


@pytest.mark.parametrize("case", REFUSALS)
def test_wrong_part_is_refused_with_one_sentence(
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is wrong stops the start: exit status 2, and one line that names the thing."""
    capabilities, settings, named = REFUSALS[case]
    monkeypatch.setattr(sys, "argv", ["borough", "serve", *capabilities])
    monkeypatch.setattr(os, "environ", environment({"STORE": f"sqlite:///{tmp_path}", **settings}))
    with pytest.raises(SystemExit) as refused:
        main()
    said = capsys.readouterr()
    assert (refused.value.code, said.out) == (2, "")
    assert said.err.startswith("borough: ")
    assert said.err.count("\n") == 1
    assert named in said.err


async def test_gateway_without_its_peer_is_not_ready_and_names_it(
    tmp_path: Path,
) -> None:
    """A peer may come later, so the gateway waits for it; until then /readyz says for whom."""
    ports = Ports()
    peers = {"orders": [DEAD], "profiles": [DEAD], "inventory": [DEAD]}
    settings = {"PEERS": json.dumps(peers), "PUBLIC_PORT": "0", "OPS_PORT": str(ports.ops)}
    gateway = Process(
        "gateway",
        0,
        ("gateway",),
        ports=ports,
        environment=environment(settings),
        log=tmp_path / "log",
    )
    await gateway.start()
    try:
        async with aiohttp.ClientSession() as http:

            async def reason() -> str:
                assert gateway.running, gateway.log_tail()
                return (await readiness(http, ports.ops)).get("reason", "")

            said = await becomes(reason)
    finally:
        await gateway.kill()
        ports.release()
    assert re.fullmatch(r"(orders|profiles|inventory) .*127\.0\.0\.1:1", said)


async def test_output_of_a_part_that_dies_at_its_start_is_quoted(tmp_path: Path) -> None:
    """The runner names the part and repeats the end of its output."""
    local = LocalShape(shape_named("monolith"), tmp_path, settings={"DRAIN_S": "a while"})
    with pytest.raises(PartDied, match=r"part app-0 ended with 2:\nborough: BOROUGH_DRAIN_S"):
        await local.__aenter__()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This environment with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")}
    return kept | {f"BOROUGH_{name}": value for name, value in settings.items()}


async def readiness(http: aiohttp.ClientSession, port: int) -> dict[str, str]:
    """What /readyz says; nothing while no process listens."""
    try:
        async with http.get(f"http://{HOST}:{port}/readyz") as answer:
            assert answer.status == 503
            found: dict[str, str] = await answer.json()
            return {key: value for key, value in found.items() if value}
    except aiohttp.ClientConnectionError:
        return {}
