"""Are requests sent at their scheduled times, and answers recorded as they came?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from borough_bill.load.attack import Attack, set_up
from borough_bill.load.generator import Job, JobFailed
from borough_bill.load.recording import Recording
from borough_bill.load.workload import Workload

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CLOSING = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
PLAIN = Workload.parse("classes.look.path = '/look'", "plain")


async def ok(request: str, writer: asyncio.StreamWriter) -> None:
    """Answer any request correctly."""
    writer.write(OK)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """The URL of a server in this process; `answer` is called with the head of each request."""
    writers = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await answer(head.decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.transport.abort()


async def send(
    url: str | dict[str, tuple[str, ...]],
    folder: Path,
    number: int,
    load: Workload = PLAIN,
    **facts: Any,
) -> Recording:
    """An attack of `number` requests within 10 ms, run in this process instead of a child."""
    doors = {"": (url,)} if isinstance(url, str) else url
    job = Job(
        doors=doors,
        workload="",
        out=folder / "run.npz",
        **{"rate": number * 100.0, "seconds": 0.01, "arrivals": "constant", **facts},
    )
    return await Attack(job, load, lambda _: None).run()


async def test_request_is_sent_before_earlier_ones_are_answered(tmp_path: Path) -> None:
    """No request is answered until all have arrived: a closed loop would wait forever."""
    all_arrived = asyncio.Barrier(20)

    async def together(request: str, writer: asyncio.StreamWriter) -> None:
        await all_arrived.wait()
        await ok(request, writer)

    async with answering(together) as url:
        run = await send(url, tmp_path, 20)
    assert (run.served, run.header.connections, run.header.held_back) == (20, 20, 0)


async def test_idle_connection_is_reused(tmp_path: Path) -> None:
    """Connections are kept alive, so that 20 requests need fewer than 20."""
    async with answering(ok) as url:
        run = await send(url, tmp_path, 20, arrivals=str(_file(tmp_path, range(20))), seconds=30)
    assert run.served == 20
    assert run.header.connections < 20


def _file(folder: Path, times: range) -> Path:
    """Times a hundredth of a second apart, in a file."""
    path = folder / "times.txt"
    path.write_text("\n".join(str(time / 100) for time in times))
    return path


async def test_wait_at_the_connection_bound_counts_as_latency(tmp_path: Path) -> None:
    """Requests wait in order, are counted as held back, and add no slip."""
    seen = []

    async def one_by_one(request: str, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        await asyncio.sleep(0.005)
        await ok(request, writer)

    async with answering(one_by_one) as url:
        run = await send(url, tmp_path, 10, connections=2)
    assert run.served == 10
    assert len(set(map(id, seen))) == run.header.connections == 2
    assert run.header.held_back == 8
    assert np.all(np.diff(run.requests["sent"]) >= 0)
    assert run.latencies()[-2:].min() > 3 * 0.005


async def test_closed_connection_is_replaced_at_the_bound(tmp_path: Path) -> None:
    """A request that waits at the bound gets a new connection when one closes."""

    async def once(request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(CLOSING)
        writer.close()

    async with answering(once) as url:
        run = await send(url, tmp_path, 10, connections=1, timeout_s=5)
    assert (run.served, run.header.connections) == (10, 10)


async def test_only_expected_answers_count_as_served(tmp_path: Path) -> None:
    """Wrong and broken answers are recorded like correct ones, each with its reason."""
    answers = {
        "right": OK,
        "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "interim": OK,
        "closing": CLOSING,
        "failing": OK.replace(b"200 OK", b"503 Service Unavailable"),
        "garbage": b"220 smtp.example.com ESMTP\r\n",
        "short": OK[:-1],
    }

    async def answer(request: str, writer: asyncio.StreamWriter) -> None:
        kind = request.split()[1].strip("/")
        if kind == "interim":
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(0)  # so that it is read by itself, in the loop's next round
            await asyncio.sleep(0)
        writer.write(answers[kind])
        if kind in {"short", "closing"}:
            writer.close()

    load = Workload.parse("\n".join(f"classes.{kind}.path = '/{kind}'" for kind in answers), "all")
    async with answering(answer) as url:
        run = await send(url, tmp_path, 200, load)

    right = {"right", "chunked", "interim", "closing"}
    statuses = dict.fromkeys(right, 200) | {"failing": 503}
    for number, kind in enumerate(answers):
        these = run.requests[run.requests["klass"] == number]
        assert len(these) > 5
        assert set(these["ok"]) == {kind in right}, kind
        assert set(these["status"]) == {statuses.get(kind, 0)}, kind
    assert run.served + run.failed == 200
    assert set(run.header.reasons) == {
        "failing: answered 503",
        "garbage: the answer is no HTTP",
        "short: the connection broke before the answer was whole",
    }


async def test_request_without_an_answer_fails_at_its_timeout(tmp_path: Path) -> None:
    """Every request is recorded as failed, with no status and the timeout as its reason."""

    async def never(request: str, writer: asyncio.StreamWriter) -> None:
        """Keep the connection open, and send nothing."""

    async with answering(never) as url:
        run = await send(url, tmp_path, 20, timeout_s=0.2)

    assert (run.served, run.failed) == (0, 20)
    assert set(run.requests["status"]) == {0}
    assert run.header.reasons == {"look: no answer within 0.2 s": 20}


async def test_every_request_is_tried_when_the_server_is_down(tmp_path: Path) -> None:
    """Each request fails on its own, with the connection error as its reason."""
    async with answering(ok) as url:
        pass
    run = await send(url, tmp_path, 10)

    assert run.failed == 10
    assert list(run.header.reasons.values()) == [10]
    assert "look: no connection: " in next(iter(run.header.reasons))


async def test_first_failures_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    """Each of the first 20 has its intended time, class, status and reason."""

    async def answer(request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(OK.replace(b"200 OK", b"503 Service Unavailable"))

    async with answering(answer) as url:
        run = await send(url, tmp_path, 40, warm_up_s=0.01)
    first = run.header.first_failures

    assert run.header.reasons == {"look: answered 503": 80}
    assert len(first) == 20
    assert {(f.request_class, f.status, f.reason) for f in first} == {("look", 503, "answered 503")}
    assert {failure.at_s for failure in first} <= set(run.requests["intended"].tolist())


async def test_requests_go_to_the_longest_prefix_and_replicas_in_turn(tmp_path: Path) -> None:
    """The longest matching prefix selects the door; its replicas get equal shares."""
    asked: dict[str, list[str]] = {"one": [], "two": [], "orders": []}

    def noting(name: str) -> Answer:
        async def note(request: str, writer: asyncio.StreamWriter) -> None:
            asked[name].append(request)
            await ok(request, writer)

        return note

    load = Workload.parse("classes.a.path = '/v1/orders'\nclasses.b.path = '/v1/menu'", "both")
    async with (
        answering(noting("one")) as one,
        answering(noting("two")) as two,
        answering(noting("orders")) as orders,
    ):
        doors = {"/v1": (one, f"{two}/base"), "/v1/orders": (orders,)}
        run = await send(doors, tmp_path, 41, load)

    shares = np.bincount(run.requests["klass"])
    assert run.served == 41
    assert len(asked["orders"]) == shares[0]
    assert abs(len(asked["one"]) - len(asked["two"])) <= 1
    assert {request.split()[1] for request in asked["two"]} == {"/base/v1/menu"}
    assert f"host: {two.removeprefix('http://')}\r\n" in asked["two"][0]


async def test_idempotency_keys_are_unique_across_runs_of_one_seed(tmp_path: Path) -> None:
    """With a used key, the second run would be answered the stored orders."""
    asked: list[str] = []

    async def note(request: str, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        await ok(request, writer)

    load = Workload.parse(
        "data.n = [1, 2, 3, 4, 5]\n"
        "classes.a = { path = '/{{n}}', headers = { idempotency-key = '{{key}}' } }",
        "keys",
    )
    async with answering(note) as url:
        times = str(_file(tmp_path, range(10)))
        for _ in range(2):
            await send(url, tmp_path, 10, load, arrivals=times, seconds=30)

    assert len({request.split("idempotency-key: ")[1] for request in asked}) == 20
    paths = [request.split()[1] for request in asked]
    assert paths[:10] == paths[10:]
    assert len(set(paths)) > 1


async def test_warm_up_is_answered_before_the_window_begins(tmp_path: Path) -> None:
    """Its requests are recorded and marked, and its last answer precedes the window."""
    async with answering(ok) as url:
        run = await send(url, tmp_path, 40, warm_up_s=0.02)
    warm = run.requests["warm"]

    assert (int(np.count_nonzero(warm)), len(run.measured)) == (80, 40)
    assert run.requests["done"][warm].max() <= run.header.window_begin_s
    assert run.requests["sent"][~warm].min() >= run.header.window_begin_s
    begun = run.measured["intended"] - run.header.window_begin_s
    assert np.allclose(begun, np.arange(40) / 4_000, atol=1e-6)


async def test_job_without_a_request_in_its_window_is_refused(tmp_path: Path) -> None:
    """An empty window has no latency to measure."""
    with pytest.raises(JobFailed, match="no request falls into the window"):
        await send("http://127.0.0.1:1", tmp_path, 1, rate=0.1, arrivals="poisson")


async def test_path_without_a_door_is_refused(tmp_path: Path) -> None:
    """The error comes before the first request, and lists the doors."""
    with pytest.raises(JobFailed, match="no door takes /look; there are doors for /v1"):
        await send({"/v1": ("http://127.0.0.1:1",)}, tmp_path, 1)


async def test_failed_set_up_request_stops_the_job(tmp_path: Path) -> None:
    """The error quotes the request and its answer; later requests are not sent."""
    load = Workload.parse(
        "setup = [{ path = '/a' }, { path = '/b', expect.status = 204 }, { path = '/c' }]\n"
        "classes.look.path = '/look'",
        "wrong",
    )
    asked = []

    async def note(request: str, writer: asyncio.StreamWriter) -> None:
        asked.append(request.split()[1])
        await ok(request, writer)

    async with answering(note) as url:
        job = Job(doors={"": (url,)}, workload="", out=tmp_path / "run.npz", seconds=1)

        with pytest.raises(JobFailed, match="set-up: GET /b: answered 200: ok"):
            await set_up(job, load)
    assert asked == ["/a", "/b"]
