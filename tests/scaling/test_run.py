"""Is it started by options that say what they are, and does Kopf get to write anything?"""

import asyncio
import socket
from dataclasses import fields
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from borough_operator.__main__ import app
from borough_operator.handlers import registry, serve
from borough_operator.kube.cluster import RULES
from borough_operator.kube.credentials import Credentials
from borough_operator.running.logs import configure
from borough_operator.running.wiring import PREFIX, Operator, Options
from borough_operator.sources.mapping import SeriesMapping

EVERY = {field.name for kind in (Options, SeriesMapping) for field in fields(kind)}


def test_every_setting_is_an_option_and_a_variable_of_the_same_name() -> None:
    """What the chart sets by environment is what `run --help` lists."""
    run = get_command(app).commands["run"]  # type: ignore[attr-defined]  # it is a group
    options = {option.name: option.envvar for option in run.params}
    assert options == {name: f"{PREFIX}{name.upper()}" for name in EVERY}


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LOG_LEVEL", "loud", "none of debug, info, warning, error"),
        ("RATE_METRIC", "a b", "'a b' is no name of a metric"),
        ("NAMESPACES", "Shop", "'Shop' is no name of a namespace"),
        ("PROMETHEUS_URL", "prometheus", "begins with http:// or https://"),
    ],
)
def test_a_wrong_setting_ends_it_with_a_sentence(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2 and the thing that is wrong, before anything is asked or served."""
    monkeypatch.setattr("borough_operator.__main__.find", lambda: Credentials("http://nowhere"))
    result = CliRunner().invoke(app, ["run"], env={PREFIX + variable: value})
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_ends_it_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: a start that Kopf tries again each minute would look like one that is slow."""

    async def bounded(*what: Any) -> None:
        async with asyncio.timeout(10.0):
            await serve(*what)

    monkeypatch.setattr("borough_operator.__main__.serve", bounded)
    monkeypatch.setattr("borough_operator.__main__.find", lambda: Credentials("http://nowhere"))
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["run", f"--ops-port={port}", "--namespaces=shop"])
    assert result.exit_code == 2
    assert f"{port}" in result.stderr
    assert "address already in use" in result.stderr
    assert "Traceback" not in result.stderr


async def test_kopf_is_given_nothing_to_write_with() -> None:
    """Only events are handled: no timer, daemon, index or handler of changes, which would put
    finalizers and annotations on objects. What is watched is what the Role lets it.
    """
    credentials = Credentials("http://nowhere")
    options = Options(namespaces=("shop",))
    operator = Operator(options, SeriesMapping(namespaces=("shop",)), credentials)
    try:
        handlers = registry(operator, credentials)
        parts = vars(handlers)
        for stateful in ("_spawning", "_changing", "_indexing", "_webhooks"):
            assert list(parts[stateful].get_all_handlers()) == []
        selectors = parts["_watching"].get_all_selectors()
        watched = {rule.resource for rule in RULES if "watch" in rule.verbs}
        assert {selector.any_name for selector in selectors} == watched
    finally:
        await operator.stop()


def test_a_level_that_there_is_not_is_named() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="'chatty'"):
        configure("chatty")
