"""Does the baseline answer as the monolith does, with one transaction an order?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from borough import commands
from borough.compose import build, open_database
from borough.config import Fault, Settings, WrongSettings
from borough.serving.lifecycle import Part
from borough_shop.app import APP
from borough_shop.experiments.baseline.part import NAME
from borough_shop.experiments.baseline.part import build as build_baseline
from borough_shop.inventory.store import SqlStock
from borough_shop.notifications.store import SqlNotifications
from borough_shop.payments.store import SqlVerdicts
from parts import settings_with
from shop.door import Answer, Visitor, visiting

EVERYTHING = list(APP.calls)
OWN = frozenset({"order_id", "created_at", "settled_at", "trace_id", "next_cursor"})
"""Fields whose values differ from order to order."""
WRITES = 'borough_store_transactions_total{capability="baseline",kind="write"}'


def settings_for(folder: Path) -> Settings:
    return settings_with(
        APP,
        store=SecretStr(f"sqlite:///{folder}"),
        sqlite_synchronous="NORMAL",
        pbkdf2_iterations=0,
        api_keys={"ada": SecretStr("key-of-ada")},
        rate_limit_burst=10_000,
        deadline_ms=60_000,
        shape="monolith",
        log_level="error",
    )


@asynccontextmanager
async def served(part: Part) -> AsyncIterator[Visitor]:
    try:
        async with visiting(part.public) as ada:
            yield ada
    finally:
        await part.close()


@asynccontextmanager
async def baseline(folder: Path, stock: int = 10) -> AsyncIterator[tuple[Visitor, Part]]:
    part = await build_baseline(settings_for(folder), stock)
    async with served(part) as ada:
        yield ada, part


async def journey(ada: Visitor) -> list[Answer]:
    """The answers to every kind of request of a customer, refusals included."""
    answers = [await ada.ask("GET", "/v1/profile"), await ada.order("k0", espresso=1)]
    await ada.introduce("tok_declined_1")
    answers += [await ada.order("k1", espresso=1), await ada.order("k2", espresso=11)]
    await ada.introduce()
    answers += [
        await ada.ask("GET", "/v1/profile"),
        await ada.ask("GET", "/v1/menu"),
        await ada.order("k3", espresso=2, cappuccino=1),
        await ada.order("k3", espresso=2, cappuccino=1),
        await ada.order("k3", espresso=1),
        await ada.order("k1", espresso=1),
        await ada.order("k4", nonesuch=1),
        await ada.order("k5", espresso=9),
        await ada.order("k5", espresso=9),
        await ada.order("k6", espresso=8),
        await ada.order("k7", espresso=0),
        await ada.ask("GET", "/v1/menu"),
        await ada.ask("GET", "/v1/orders"),
        await ada.ask("GET", "/v1/orders/01890a5d-ac96-774b-bcce-b302099a8057"),
    ]
    placed = next(answer for answer in answers if answer.status == 201)
    return [*answers, await ada.ask("GET", placed.headers["Location"])]


def comparable(answer: Answer) -> tuple[int, Any]:
    return answer.status, _without_own(answer.body)


def _without_own(body: Any) -> Any:
    match body:
        case dict():
            return {
                name: name if name in OWN and value else _without_own(value)
                for name, value in body.items()
            }
        case list():
            return [_without_own(item) for item in body]
    return body


async def test_baseline_answers_as_the_monolith_does(sqlite_url: str, tmp_path: Path) -> None:
    """Every answer is equal field by field, except for ids and times."""
    shop = settings_for(tmp_path).model_copy(update={"store": SecretStr(sqlite_url)})
    await commands.seed(APP, shop, {"stock": "10"})
    async with served(await build(APP, shop, EVERYTHING)) as ada:
        of_monolith = [comparable(answer) for answer in await journey(ada)]
    async with baseline(tmp_path / "baseline") as (ada, _):
        of_baseline = [comparable(answer) for answer in await journey(ada)]
    assert of_baseline == of_monolith
    assert {status for status, _ in of_baseline} == {200, 201, 402, 404, 409, 422}


async def test_sixty_concurrent_orders_for_fifty_pieces_place_fifty(
    tmp_path: Path,
) -> None:
    """The others are out of stock; each placed order has one verdict and one notification."""
    async with baseline(tmp_path, stock=50) as (ada, _):
        await ada.introduce()
        answers = await asyncio.gather(*(ada.order(f"k{n}", espresso=1) for n in range(60)))
        assert sorted(answer.status for answer in answers) == [201] * 50 + [409] * 10
    database = open_database(settings_for(tmp_path), NAME)
    stock = {article.sku: article.stock for article in await SqlStock(database).articles()}
    assert stock["espresso"] == 0
    assert len(await SqlNotifications(database).ledger()) == 50
    assert len(await SqlVerdicts(database).ledger()) == 50
    await database.close()


async def test_order_sent_ten_times_at_once_is_placed_once(tmp_path: Path) -> None:
    """The other nine requests return the placed order."""
    async with baseline(tmp_path) as (ada, _):
        await ada.introduce()
        answers = await asyncio.gather(*(ada.order("k", espresso=1) for _ in range(10)))
        assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
        assert len({answer.body["order_id"] for answer in answers}) == 1


@pytest.mark.parametrize("pieces", [1, 11, 0])
async def test_every_outcome_of_an_order_is_one_transaction(pieces: int, tmp_path: Path) -> None:
    """Whether it is placed, out of stock, or without a profile."""
    async with baseline(tmp_path) as (ada, part):
        if pieces:
            await ada.introduce()
        before = _value(part, WRITES)
        await ada.order("k", espresso=pieces or 1)
        assert _value(part, WRITES) == before + 1
        assert _value(part, WRITES.replace("write", "read")) == 0


def _value(part: Part, series: str) -> float:
    lines = part.telemetry.exposition().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(series))


async def test_restarted_baseline_keeps_its_data(tmp_path: Path) -> None:
    """After a restart the placed order and the remaining stock are unchanged."""
    async with baseline(tmp_path, stock=1) as (ada, _):
        await ada.introduce()
        assert (await ada.order("k", espresso=1)).status == 201
    async with baseline(tmp_path, stock=1) as (ada, _):
        assert (await ada.order("k", espresso=1)).status == 200
        assert (await ada.order("other", espresso=1)).problem.code == "out-of-stock"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"store": SecretStr("postgresql://a@b/c")}, "BOROUGH_STORE: .* sqlite:///FOLDER"),
        ({"faults": {"payments": Fault(delay_ms=1)}}, "BOROUGH_FAULTS: nothing"),
    ],
)
async def test_settings_the_baseline_does_not_support_are_refused(
    changed: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    """If they were ignored, the measurement would be of other settings than those asked for."""
    with pytest.raises(WrongSettings, match=sentence):
        await build_baseline(settings_for(tmp_path).model_copy(update=changed), 1)
