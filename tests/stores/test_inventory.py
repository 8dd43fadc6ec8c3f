"""Is stock reserved once, committed once, released once, and never oversold?"""

import pytest

from borough.testing.clock import MORNING
from borough_shop.errors import (
    CommitAfterRelease,
    OutOfStock,
    ReleaseAfterCommit,
    Released,
    UnknownSku,
)
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import StockStore
from shop.samples import an_article, an_id, lines


async def left(stock: StockStore) -> dict[str, int]:
    """The free pieces of every article."""
    return {article.sku: article.stock for article in await stock.articles()}


@pytest.fixture(autouse=True)
async def menu(stock: StockStore) -> None:
    """Ten espressos and three flat whites."""
    await stock.receive((an_article("flat-white", stock=3), an_article("espresso", stock=10)))


async def test_articles_are_returned_sorted(stock: StockStore) -> None:
    """Every field, by SKU."""
    assert await stock.articles() == (
        an_article("espresso", stock=10),
        an_article("flat-white", stock=3),
    )


async def test_known_article_is_not_changed_by_receiving_it_again(stock: StockStore) -> None:
    """Receiving it again, as every seeding does, restores no sold piece."""
    await stock.reserve(an_id(1), lines(espresso=2), MORNING)
    await stock.receive((an_article("espresso", stock=10),))

    assert await left(stock) == {"espresso": 8, "flat-white": 3}


async def test_reservation_holds_lines_at_their_prices(stock: StockStore) -> None:
    """Sorted by SKU, at the price of that time, and the pieces are no longer free."""
    held = await stock.reserve(an_id(1), lines(flat_white=1, espresso=2), MORNING)

    assert held.state is ReservationState.OPEN
    assert [(line.sku, line.quantity, line.price.minor) for line in held.lines] == [
        ("espresso", 2, 250),
        ("flat-white", 1, 250),
    ]
    assert await left(stock) == {"espresso": 8, "flat-white": 2}


async def test_second_reserve_of_an_order_returns_its_row(stock: StockStore) -> None:
    """Whatever lines the second reserve has, even impossible ones."""
    held = await stock.reserve(an_id(1), lines(espresso=2), MORNING)

    assert await stock.reserve(an_id(1), lines(espresso=2), MORNING) == held
    assert await stock.reserve(an_id(1), lines(unicorn=99), MORNING) == held
    assert await left(stock) == {"espresso": 8, "flat-white": 3}


async def test_all_lines_are_held_or_none(stock: StockStore) -> None:
    """One line without stock holds none of the others, and the order may try again."""
    with pytest.raises(OutOfStock, match="flat-white"):
        await stock.reserve(an_id(1), lines(espresso=2, flat_white=4), MORNING)

    assert await left(stock) == {"espresso": 10, "flat-white": 3}
    assert await stock.ledger() == ()
    await stock.reserve(an_id(1), lines(espresso=2), MORNING)
    assert await left(stock) == {"espresso": 8, "flat-white": 3}


async def test_unknown_article_is_named(stock: StockStore) -> None:
    """Nothing is held."""
    with pytest.raises(UnknownSku, match="unicorn"):
        await stock.reserve(an_id(1), lines(espresso=1, unicorn=1), MORNING)

    assert await stock.ledger() == ()


async def test_commit_takes_stock_for_good(stock: StockStore) -> None:
    """It returns lines and prices every time, and the stock stays taken."""
    held = await stock.reserve(an_id(1), lines(espresso=2), MORNING)
    committed = Reservation(order_id=an_id(1), state=ReservationState.COMMITTED, lines=held.lines)

    assert await stock.commit(an_id(1), MORNING) == committed
    assert await stock.commit(an_id(1), MORNING) == committed
    assert await stock.reserve(an_id(1), lines(espresso=2), MORNING) == committed
    assert await left(stock) == {"espresso": 8, "flat-white": 3}


async def test_release_returns_stock_once(stock: StockStore) -> None:
    """Repeating it returns nothing more."""
    held = await stock.reserve(an_id(1), lines(espresso=2, flat_white=3), MORNING)
    released = Reservation(order_id=an_id(1), state=ReservationState.RELEASED, lines=held.lines)

    assert await stock.release(an_id(1), MORNING) == released
    assert await stock.release(an_id(1), MORNING) == released
    assert await left(stock) == {"espresso": 10, "flat-white": 3}


async def test_release_before_any_reserve_leaves_a_tombstone(stock: StockStore) -> None:
    """The late reserve is refused, and holds nothing."""
    tombstone = await stock.release(an_id(1), MORNING)

    assert tombstone == Reservation(order_id=an_id(1), state=ReservationState.RELEASED, lines=())
    assert await stock.ledger() == (tombstone,)
    with pytest.raises(Released):
        await stock.reserve(an_id(1), lines(espresso=1), MORNING)
    assert await left(stock) == {"espresso": 10, "flat-white": 3}


async def test_released_stock_out_refuses_a_late_reserve(stock: StockStore) -> None:
    """A rejected order never holds stock again, even where there is some by then."""
    with pytest.raises(OutOfStock):
        await stock.reserve(an_id(1), lines(flat_white=4), MORNING)
    await stock.release(an_id(1), MORNING)

    with pytest.raises(Released):
        await stock.reserve(an_id(1), lines(flat_white=1), MORNING)


async def test_commit_after_a_release_is_an_error(stock: StockStore) -> None:
    """Also on a tombstone, and where nothing was ever reserved; nothing changes."""
    await stock.reserve(an_id(1), lines(espresso=2), MORNING)
    for number in (1, 2):
        await stock.release(an_id(number), MORNING)

    for number in (1, 2, 3):
        with pytest.raises(CommitAfterRelease):
            await stock.commit(an_id(number), MORNING)
    assert await left(stock) == {"espresso": 10, "flat-white": 3}


async def test_release_after_a_commit_is_an_error(stock: StockStore) -> None:
    """The stock is taken for good."""
    await stock.reserve(an_id(1), lines(espresso=2), MORNING)
    await stock.commit(an_id(1), MORNING)

    with pytest.raises(ReleaseAfterCommit):
        await stock.release(an_id(1), MORNING)
    assert await left(stock) == {"espresso": 8, "flat-white": 3}
