"""The coffee shop as an application, declared as data."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from borough.app import App
from borough.errors import Malformed
from borough_shop import (
    __version__,
    gateway,
    inventory,
    notifications,
    orders,
    payments,
    profiles,
)
from borough_shop.inventory.contract import Inventory
from borough_shop.inventory.store import menu


async def seed(stores: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """Put the menu into inventory; existing articles are not changed.

    `stock`: pieces of each article, 1,000,000 if unset; `only`: the SKU of the only one to put
    there.
    """
    only, stock = options.get("only", ""), options.get("stock", "1000000")
    if unknown := sorted(set(options) - {"stock", "only"}):
        raise Malformed(f"there is no option {', '.join(unknown)}: there are stock and only")
    if not stock.isdecimal():
        raise Malformed(f"stock: {stock!r} is no number of pieces")
    articles = [article for article in menu(int(stock)) if not only or article.sku == only]
    if not articles:
        raise Malformed(f"there is no article {only} on the menu")
    await stores[Inventory.name].receive(tuple(articles))
    return f"{len(articles)} articles are on the menu"


APP = App(
    name="Borough",
    version=__version__,
    capabilities=(
        orders.CAPABILITY,
        payments.CAPABILITY,
        profiles.CAPABILITY,
        inventory.CAPABILITY,
        notifications.CAPABILITY,
    ),
    gateway=gateway.GATEWAY,
    shapes=resources.files(__package__) / "shapes.toml",
    objectives=resources.files(__package__) / "slo.toml",
    seed=seed,
)
