"""What does the log say of a request, and what does it never say?"""

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
    """What was logged: every line is JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def answering(status: int) -> Any:
    """An app that knows one answer."""

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
    """Nothing that went wrong on our side is left to chance."""
    telemetry = Telemetry("test", access_log=share)
    await request(telemetry.middleware(answering(status), capability="t", trusted=True), "GET", "/")
    logged = lines(capsys)
    assert len(logged) == found
    for line in logged:
        assert (line["method"], line["route"], line["status"]) == ("GET", "unmatched", status)
        assert line["level"] == ("error" if status >= 500 else "info")
        assert line["duration_ms"] >= 0


async def test_a_log_line_has_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded or not: the ids find the lines of one request in every part."""
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
    """Who wants errors only gets no line of a request that went well."""
    telemetry = Telemetry("test", access_log=1, log_level="error")
    await request(telemetry.middleware(answering(200), capability="t", trusted=True), "GET", "/")
    assert lines(capsys) == []


@pytest.fixture
def profiles(sqlite_url: str) -> Path:
    """The file of a store."""
    (file,) = Path(sqlite_url.removeprefix("sqlite:///")).glob("profiles*")
    return file


async def test_no_card_and_no_key_is_ever_in_a_log(
    sqlite_url: str, profiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not when all goes well, not when a body is refused, not when a store fails."""
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
