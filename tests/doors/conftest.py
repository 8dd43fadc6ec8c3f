"""A shop in memory, its REST door behind a real socket, and Ada before it.

Short because pytest looks for fixtures in a file of this name.
"""

from collections.abc import AsyncIterator

import pytest

from shop.door import Visitor, visiting
from shop.memory import Shop, memory_shop


@pytest.fixture
def shop() -> Shop:
    """Every capability, with plenty of everything."""
    return memory_shop()


@pytest.fixture
async def ada(shop: Shop) -> AsyncIterator[Visitor]:
    """A customer with a profile and a card that is good."""
    async with visiting(shop.door()) as visitor:
        await visitor.introduce()
        yield visitor
