"""Which requests are logged, with which fields, and are secrets left out?"""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from borough.compose import build
from borough.testing.transports import request
from borough_shop.app import APP
from borough_telemetry import Telemetry
from parts import settings_with
from shop.door import visiting

CARD, KEY = "tok_visa_4111111111111111", "key-of-ada"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The logged lines, each parsed as JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def answering(status: int) -> Any:
    """An app that answers every request with this status."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("status", "share", "found"),
    [(200, 0, 0), (404, 0, 0), (503, 0, 1), (200, 1, 1), (404, 1, 1), (500, 1, 1)],
)
async def test_failures_are_always_logged_and_others_by_share(
    status: int, share: float, found: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server error is logged whatever the share of requests to log."""
    telemetry = Telemetry("test", access_log=share)
    await request(telemetry.middleware(answering(status), capability="t", trusted=True), "GET", "/")
    logged = lines(capsys)
    assert len(logged) == found
    for line in logged:
        assert (line["method"], line["route"], line["status"]) == ("GET", "unmatched", status)
        assert line["level"] == ("error" if status >= 500 else "info")
        assert line["duration_ms"] >= 0


async def test_log_line_within_a_request_has_its_trace_ids(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Recorded or not, the ids identify the lines of one request in every part."""
    telemetry = Telemetry("test", ratio=0, access_log=1)
    app = telemetry.middleware(answering(200), capability="t", trusted=True)
    caused = [(b"traceparent", f"00-{'a' * 32}-{'b' * 16}-00".encode())]
    await request(app, "GET", "/", headers=caused)
    telemetry.log.info("outside")
    inside, outside = lines(capsys)
    assert inside["trace_id"] == "a" * 32
    assert len(inside["span_id"]) == 16
    assert inside["part"] == "test"
    assert "trace_id" not in outside


async def test_events_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """At level `error` a successful request writes no line."""
    telemetry = Telemetry("test", access_log=1, log_level="error")
    await request(telemetry.middleware(answering(200), capability="t", trusted=True), "GET", "/")
    assert lines(capsys) == []


@pytest.fixture
def profiles(sqlite_url: str) -> Path:
    """The database file of the profiles."""
    (file,) = Path(sqlite_url.removeprefix("sqlite:///")).glob("profiles*")
    return file


async def test_card_token_and_api_key_are_in_no_log_line(
    sqlite_url: str, profiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of a success, nor of a refused body, nor of a store that fails."""
    settings = settings_with(
        APP,
        store=SecretStr(sqlite_url),
        api_keys={"ada": SecretStr(KEY)},
        access_log_ratio=1,
        log_level="debug",
        pbkdf2_iterations=0,
    )
    part = await build(APP, settings, set(APP.calls))
    good = {"name": "Ada", "email": "ada@example.org", "card_token": CARD}
    try:
        async with visiting(part.public) as ada:
            assert (await ada.ask("PUT", "/v1/profile", good)).status == 200
            assert (await ada.ask("PUT", "/v1/profile", {**good, "name": CARD * 9})).status == 422
            assert (await ada.ask("PUT", f"/v1/{CARD}", good)).status == 404
            with contextlib.closing(sqlite3.connect(profiles)) as database:
                database.execute("DROP TABLE profiles")
            assert (await ada.ask("PUT", "/v1/profile", good)).status >= 500
    finally:
        await part.close()
    logged = capsys.readouterr().out
    assert "PUT" in logged
    assert CARD not in logged
    assert KEY not in logged
