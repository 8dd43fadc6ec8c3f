"""Is every failure of Prometheus a reading with a sentence, and nothing else?"""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from borough_operator.decision.model import Freshness, Measure, Need, Reading
from borough_operator.sources.mapping import SeriesMapping
from borough_operator.sources.prometheus import Prometheus
from borough_operator.sources.protocol import Ask, Target
from scaling.servers import HOST, serving

ASKS = [
    Ask(Target("staging", "Deployment", "orders"), need)
    for need in (Need(Measure.RATE), Need(Measure.QUERY, "sum(queue)"))
]
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def redirect(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "https://sso.example/login?secret=1"})


async def ten_megabytes(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(body=b" " * 10_000_000)


async def gzip_bomb(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(
        body=gzip.compress(b" " * 10_000_000, 1), headers={"Content-Encoding": "gzip"}
    )


async def no_json(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def forbidden(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=403, text="Forbidden")


async def returns_error(_: web.BaseRequest) -> web.StreamResponse:
    error = {"status": "error", "errorType": "bad_data", "error": "1:4: parse error: unclosed"}
    return web.json_response(error, status=400)


async def closes(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def ends_early(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"status":')
    assert request.transport is not None
    request.transport.close()
    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (redirect, "redirects to sso.example (302): not followed"),
        (ten_megabytes, "returned more than 8 MiB, the limit"),
        (gzip_bomb, "returned more than 8 MiB, the limit"),
        (no_json, "returned no JSON"),
        (forbidden, "returned 403 and no JSON"),
        (returns_error, "returned an error (400): 1:4: parse error: unclosed"),
        (closes, "closed the connection without a response"),
        (ends_early, "ended its response early"),
    ],
)
async def test_failure_is_an_error_with_a_sentence(answer: Answer, words: str) -> None:
    """It names the server, its failure and the query."""
    async with serving(answer) as url:
        source = Prometheus(url, SeriesMapping(("staging",)))
        readings = await source.read(ASKS)
        await source.close()
    for one in ASKS:
        reading = readings[one]
        assert reading.freshness is Freshness.ERROR
        assert reading.detail.startswith(f"Prometheus at {url.removeprefix('http://')} {words}")
        assert "; the query was sum" in reading.detail


async def test_hanging_server_is_an_error_after_the_timeout() -> None:
    """The caller gets a reading in bounded time."""
    released = asyncio.Event()

    async def hangs(_: web.BaseRequest) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    async with serving(hangs) as url:
        assert "did not respond within 0.05 s" in await detail_of(url, timeout_s=0.05)
        released.set()


async def test_unreachable_server_is_an_error() -> None:
    """A refused connection, and an unknown host name."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound, and not listening
        port = taken.getsockname()[1]
        details = [await detail_of(f"http://{host}:{port}") for host in (HOST, "no.such.invalid")]
    assert all("cannot be reached: " in detail for detail in details)


async def test_server_without_http_is_an_error() -> None:
    """Whatever listens there."""

    async def smtp_banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(smtp_banner, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "does not respond in HTTP" in await detail_of(f"http://{HOST}:{port}")


async def test_error_contains_no_password() -> None:
    """A password in the URL is sent to the server and not shown."""
    headers = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        headers.append(request.headers.get("Authorization", ""))
        return await forbidden(request)

    async with serving(handler) as url:
        detail = await detail_of(url.replace("http://", "http://reader:hunter2@"))
    assert all(header.startswith("Basic ") for header in headers)
    assert "hunter2" not in detail
    assert "reader" not in detail


@pytest.mark.parametrize(
    "url", ["prometheus:9090", "ftp://x:secret@y", "http://", "http://x:secret@y:no"]
)
def test_invalid_url_is_refused_at_the_start(url: str) -> None:
    """Without quoting it."""
    with pytest.raises(ValueError, match="begin with http:// or https:// and a host") as refusal:
        Prometheus(url, SeriesMapping(("staging",)))
    assert "secret" not in str(refusal.value)


async def detail_of(url: str, timeout_s: float = 3.0) -> str:
    """The detail of the readings of a failing server."""
    source = Prometheus(url, SeriesMapping(("staging",)), timeout_s=timeout_s)
    readings = await source.read(ASKS)
    await source.close()
    assert {reading.freshness for reading in readings.values()} == {Freshness.ERROR}
    reading: Reading = readings[ASKS[0]]
    return reading.detail
