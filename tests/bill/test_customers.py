"""Do customers at any door repeat an order until it is settled, and say which was not?"""

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
from borough_bill.load.clients import Clients, NotServed, Url
from borough_bill.load.closed_loop import CustomersResult
from borough_bill.load.customers import LOST, PLACED, Errand, Outcome, crowd
from borough_bill.load.generator import JobFailed

(ADA,) = crowd(1)
ORDER = Errand(ADA, "the-key", (("espresso", 1),))

Answer = Callable[[int], web.Response]
"""What the door says to the first try, to the second, and so on; none where it says nothing."""


@asynccontextmanager
async def door(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """A door that answers anything like this, and the keys it was asked with."""
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


def said(http: int, **document: str) -> web.Response:
    """An answer in JSON, with that status."""
    return web.json_response(document, status=http)


async def test_an_order_is_repeated_under_its_key_until_it_is_settled() -> None:
    """Whatever leaves its end open: it is pending, nobody is there, or a proxy says so in HTML."""
    answers = [
        said(202, status="pending"),
        said(503, code="unavailable"),
        web.Response(status=502, text="<html>"),
        said(201, status="placed"),
    ]
    async with door(lambda number: answers[number - 1]) as (url, keys), Clients(Url(url)) as people:
        outcome = await people.run(ORDER)

    assert (outcome.word, outcome.statuses) == (PLACED, (202, 503, 502, 201))
    assert keys == [ORDER.key] * 4


async def test_an_order_that_stays_open_is_lost_when_patience_ends() -> None:
    """The customer does not know how it ended, and says so."""
    async with door(lambda _: said(202)) as (url, _), Clients(Url(url), patience=0.3) as people:
        outcome = await people.run(ORDER)

    assert outcome.word == LOST
    assert len(outcome.statuses) > 1


async def test_a_customer_who_is_not_let_in_says_what_was_answered() -> None:
    """At once where asking again will not help; else when patience ends."""
    async with door(lambda _: said(401, code="unauthenticated")) as (url, keys):
        async with Clients(Url(url)) as people:
            with pytest.raises(NotServed, match="the menu answers 401"):
                await people.menu(ADA)
        assert len(keys) == 1
    async with Clients(Url(url), patience=0.2) as people:
        with pytest.raises(NotServed, match="the profile of customer-1 answers 0"):
            await people.introduce([ADA])


def test_what_became_of_orders_is_counted_and_the_unsettled_are_named() -> None:
    """A lost order and one with an end it should not have are two different things."""
    endings = {
        PLACED: (202, 201),
        "out-of-stock": (409,),
        "internal": (500,),
        LOST: (0, 503),
    }
    found = CustomersResult.of([Outcome(ORDER, *ending) for ending in endings.items()], 2.5)

    assert found.words == dict.fromkeys(endings, 1)
    assert (found.orders, found.lost, found.unexpected, found.repeated) == (4, 1, 1, 2)
    assert found.statuses == {0: 1, 201: 1, 202: 1, 409: 1, 500: 1, 503: 1}
    assert [order.word for order in found.unsettled] == ["internal", LOST]
    assert "customer-1, key the-key: lost after 0 503" in found.sentences()


async def test_a_program_reads_how_all_orders_ended(bare: tuple[str, ...], tmp_path: Path) -> None:
    """The command tells it in one line of JSON. No key is used twice, also not by a second run of
    the same seed, whose orders would be answered from the books; and no extra is needed.
    """
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({ADA.name: ADA.key, "bob": "key-of-bob"}))
    menu = {"items": [{"sku": "espresso"}, {"sku": "croissant"}]}
    async with door(lambda _: web.json_response(menu, status=201)) as (url, keys):
        words = ["customers", f"{url}/", "--keys", str(file), "--json"]
        words += ["--seconds", "0.2", "--at-once", "2", "--pause", "0.01"]
        alone = await asyncio.to_thread(subprocess.run, [*bare, *words], stdout=subprocess.PIPE)
        again = await asyncio.to_thread(CliRunner().invoke, app, words)
    found = [CustomersResult.model_validate_json(said) for said in (alone.stdout, again.stdout)]

    assert (alone.returncode, again.exit_code) == (0, 0)
    for run in found:
        assert run.words == {PLACED: run.orders}
        assert run.statuses == {201: run.orders}
        assert run.orders > 2
    ordered = [key for key in keys if key]
    assert len(set(ordered)) == len(ordered) == found[0].orders + found[1].orders


async def test_the_status_says_that_an_order_went_wrong(tmp_path: Path) -> None:
    """And which one is on the screen."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({ADA.name: ADA.key}))

    def answer(number: int) -> web.Response:
        if number <= 2:
            return web.json_response({"items": [{"sku": "espresso"}, {"sku": "croissant"}]})
        return said(500, code="internal")

    async with door(answer) as (url, keys):
        words = ["customers", url, "--keys", str(file), "--seconds", "0", "--at-once", "1"]
        done = await asyncio.to_thread(CliRunner().invoke, app, words)

    assert done.exit_code == 1
    assert "1 orders in " in done.output
    assert f"customer-1, key {keys[-1]}: internal after 500" in done.output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("ftp://shop", "ftp://shop is no address like"),
        ("http://127.0.0.1:1", "holds no API keys"),
    ],
)
def test_what_cannot_be_done_is_refused(words: str, complaint: str, tmp_path: Path) -> None:
    """With a sentence that names it."""
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    done = CliRunner().invoke(app, f"customers {words} --keys {keys}")

    assert isinstance(done.exception, JobFailed)
    assert complaint in str(done.exception)
