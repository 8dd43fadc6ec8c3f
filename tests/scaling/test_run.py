"""Are options documented and validated, and does Kopf write nothing?"""

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
from borough_operator.running.telemetry import configure_log
from borough_operator.running.wiring import PREFIX, Operator, Options
from borough_operator.sources.mapping import SeriesMapping

EVERY = {field.name for kind in (Options, SeriesMapping) for field in fields(kind)}


def test_every_setting_is_an_option_and_an_environment_variable() -> None:
    """The chart sets by environment what `run --help` lists."""
    run = get_command(app).commands["run"]  # type: ignore[attr-defined]  # it is a group
    options = {option.name: option.envvar for option in run.params}
    assert options == {name: f"{PREFIX}{name.upper()}" for name in EVERY}


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LOG_LEVEL", "loud", "none of debug, info, warning, error"),
        ("RATE_METRIC", "a b", "'a b' is not a valid metric name"),
        ("NAMESPACES", "Shop", "'Shop' is not a valid namespace name"),
        ("PROMETHEUS_URL", "prometheus", "begin with http:// or https://"),
    ],
)
def test_invalid_setting_exits_with_a_sentence(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit status 2, before any request is sent or served."""
    monkeypatch.setattr("borough_operator.__main__.find", lambda: Credentials("http://nowhere"))
    result = CliRunner().invoke(app, ["run"], env={PREFIX + variable: value})
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_taken_port_exits_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: Kopf would retry a failing startup handler each minute."""

    async def bounded(*arguments: Any) -> None:
        async with asyncio.timeout(10.0):
            await serve(*arguments)

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


async def test_kopf_has_event_handlers_only() -> None:
    """No timer, daemon, index or handler of changes, which put finalizers and annotations on
    objects. The watched resources are those of the Role.
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


def test_unknown_log_level_is_refused_by_name() -> None:
    """With the valid levels."""
    with pytest.raises(ValueError, match="'chatty'"):
        configure_log("chatty")
