"""Is each order repeated until it is settled, and is an unsettled one reported?"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from borough_bill.__main__ import app
from borough_bill.load.customers import (
    LOST,
    PLACED,
    CustomersResult,
    NotServed,
    OrderClient,
    OrderPlan,
    Outcome,
    make_customers,
)
from borough_bill.load.generator import JobFailed

(ADA,) = make_customers(1)
ORDER = OrderPlan(ADA, "the-key", (("espresso", 1),))

Answer = Callable[[int], web.Response]
"""Maps the number of a request, from 1, to the answer of the door."""


@asynccontextmanager
async def door(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """The URL of a door with these answers, and the idempotency keys of its requests."""
    keys: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        keys.append(request.headers.get("idempotency-key", ""))
        return answer(len(keys))

    site = web.Application()
    site.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await (listening := web.TCPSite(runner, "127.0.0.1", 0)).start()
        yield listening.name, keys
    finally:
        await runner.cleanup()


def answer_of(http: int, **document: str) -> web.Response:
    """A JSON answer with this status."""
    return web.json_response(document, status=http)


async def test_open_order_is_repeated_under_its_key_until_it_is_settled() -> None:
    """A pending order, an unavailable shop and a proxy's HTML all leave the ending open."""
    answers = [
        answer_of(202, status="pending"),
        answer_of(503, code="unavailable"),
        web.Response(status=502, text="<html>"),
        answer_of(201, status="placed"),
    ]
    async with (
        door(lambda number: answers[number - 1]) as (url, keys),
        OrderClient(lambda _: (url,)) as client,
    ):
        outcome = await client.run(ORDER)

    assert (outcome.ending, outcome.statuses) == (PLACED, (202, 503, 502, 201))
    assert keys == [ORDER.key] * 4


async def test_order_that_stays_open_ends_as_lost_after_the_time_limit() -> None:
    """Its real ending is unknown to the customer."""
    async with (
        door(lambda _: answer_of(202)) as (url, _),
        OrderClient(lambda _: (url,), settle_within_s=0.3) as client,
    ):
        outcome = await client.run(ORDER)

    assert outcome.ending == LOST
    assert len(outcome.statuses) > 1


async def test_refused_set_up_request_raises_the_answer() -> None:
    """At once where a retry cannot help, else after the time limit."""
    async with door(lambda _: answer_of(401, code="unauthenticated")) as (url, keys):
        async with OrderClient(lambda _: (url,)) as client:
            with pytest.raises(NotServed, match="the menu answers 401"):
                await client.menu(ADA)
        assert len(keys) == 1
    async with OrderClient(lambda _: (url,), settle_within_s=0.2) as client:
        with pytest.raises(NotServed, match="the profile of customer-1 answers 0"):
            await client.put_profiles([ADA])


def test_endings_are_counted_and_unsettled_orders_are_listed() -> None:
    """Lost orders and orders with an unexpected ending are counted separately."""
    endings = {
        PLACED: (202, 201),
        "out-of-stock": (409,),
        "internal": (500,),
        LOST: (0, 503),
    }
    found = CustomersResult.of([Outcome(ORDER, *ending) for ending in endings.items()], 2.5)

    assert found.endings == dict.fromkeys(endings, 1)
    assert (found.orders, found.lost, found.unexpected, found.repeated) == (4, 1, 1, 2)
    assert found.statuses == {0: 1, 201: 1, 202: 1, 409: 1, 500: 1, 503: 1}
    assert [order.ending for order in found.unsettled] == ["internal", LOST]
    assert "customer-1, key the-key: lost after 0 503" in found.sentences()


async def test_json_output_counts_all_orders(bare: tuple[str, ...], tmp_path: Path) -> None:
    """The command writes one line of JSON, and runs without the extra. No key is used twice, not
    even by a second run with the same seed.
    """
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({ADA.name: ADA.key, "bob": "key-of-bob"}))
    menu = {"items": [{"sku": "espresso"}, {"sku": "croissant"}]}
    async with door(lambda _: web.json_response(menu, status=201)) as (url, keys):
        arguments = ["customers", f"{url}/", "--keys", str(file), "--json"]
        arguments += ["--seconds", "0.2", "--at-once", "2", "--pause", "0.01"]
        alone = await asyncio.to_thread(subprocess.run, [*bare, *arguments], stdout=subprocess.PIPE)
        again = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    found = [CustomersResult.model_validate_json(output) for output in (alone.stdout, again.stdout)]

    assert (alone.returncode, again.exit_code) == (0, 0)
    for run in found:
        assert run.endings == {PLACED: run.orders}
        assert run.statuses == {201: run.orders}
        assert run.orders > 2
    ordered = [key for key in keys if key]
    assert len(set(ordered)) == len(ordered) == found[0].orders + found[1].orders


async def test_exit_status_is_1_when_an_order_is_unsettled(tmp_path: Path) -> None:
    """The output lists the order with its key and statuses."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({ADA.name: ADA.key}))

    def answer(number: int) -> web.Response:
        if number <= 2:
            return web.json_response({"items": [{"sku": "espresso"}, {"sku": "croissant"}]})
        return answer_of(500, code="internal")

    async with door(answer) as (url, keys):
        arguments = ["customers", url, "--keys", str(file), "--seconds", "0", "--at-once", "1"]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)

    assert done.exit_code == 1
    assert "1 orders in " in done.output
    assert f"customer-1, key {keys[-1]}: internal after 500" in done.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("ftp://shop", "ftp://shop is no address like"),
        ("http://127.0.0.1:1", "holds no API keys"),
    ],
)
def test_wrong_option_is_refused_by_name(arguments: str, complaint: str, tmp_path: Path) -> None:
    """A bad address and an empty key file each have a message."""
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    done = CliRunner().invoke(app, f"customers {arguments} --keys {keys}")

    assert isinstance(done.exception, JobFailed)
    assert complaint in str(done.exception)
