"""Random histories of many orders: no disturbance, in any order, breaks a law.

What is drawn: who orders what under which key and when, which calls are lost, unanswered, doubled
or late, which part dies at which steps, how far each step lets others go first, when time passes,
when reconcile and the relay go round, and whether notifications are sent. Hypothesis shrinks what
it finds. The histories are the same in every run; a soak (BOROUGH_SOAK_ROUNDS) draws others, so
many times as many, and prints how to draw again the one that failed.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from borough.app import App
from borough.errors import BoroughError
from borough.testing.chaos import NetworkFault, Script
from borough.testing.simulation import Shape
from borough_shop.app import APP
from borough_shop.orders.contract import Order, OrderPlaced, OrderStatus, PlaceOrder
from shop.journeys import ARTICLES, CUSTOMERS
from shop.mistakes import MISTAKES
from shop.samples import basket
from shop.simulation import EXTRACT_PAYMENTS, MICROSERVICES, MONOLITH, ShopSimulation

EXAMPLES = 300
ROUNDS = int(os.environ.get("BOROUGH_SOAK_ROUNDS", "0"))
REPEATABLE = settings(max_examples=EXAMPLES, derandomize=True, database=None)
DRAWN = settings(
    REPEATABLE,
    max_examples=EXAMPLES * max(ROUNDS, 1),
    derandomize=ROUNDS == 0,
    print_blob=True,
)
EASY = ("settles without asking", "no tombstone", "returns stock again", "claimed is sent")
"""Mistakes that one misfortune brings to light: a few dozen histories find them, whatever is drawn.
The others are for the exhaustive search."""

BASKETS = {
    "one": basket(espresso=1),
    "two": basket(espresso=3, flat_white=1),
    "many": basket(flat_white=4),
    "none": basket(tea=1),
}
"""By idempotency key: a key stands for one basket."""


@dataclass(frozen=True, slots=True)
class Act:
    """After so many turns: a customer orders, a loop goes round, or time passes and both do."""

    after: int
    does: PlaceOrder | float | str


@dataclass(frozen=True, slots=True)
class History:
    """Everything that was drawn."""

    shape: Shape
    script: Script
    acts: tuple[Act, ...]
    mail_fails: tuple[bool, ...]


requests = st.builds(
    lambda customer_id, key: PlaceOrder(customer_id=customer_id, key=key, basket=BASKETS[key]),
    st.sampled_from(["ada", "ada", "ada", "grace", "grace", "grace", "bob", "eve"]),
    st.sampled_from(["one", "one", "one", "two", "two", "two", "many", "none"]),
)
acts = st.builds(
    Act,
    after=st.integers(0, 40),
    does=st.one_of(*[requests] * 4, st.sampled_from([0.5, 3.0, 8.0, *["reconcile", "relay"] * 2])),
)
network_faults = st.sampled_from([*[NetworkFault.NONE] * 12, *NetworkFault])
crashes = st.lists(st.integers(1, 60), max_size=3).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Enough disturbances to break orders, few enough that many are placed."""
    shape = draw(st.sampled_from([MONOLITH, EXTRACT_PAYMENTS, MICROSERVICES, MICROSERVICES]))
    mortal = draw(st.sampled_from(sorted(shape)))
    script = Script(
        network_faults=tuple(draw(st.lists(network_faults, min_size=15, max_size=40))),
        pace=tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))),
        crashes={mortal: draw(crashes)},
    )
    return History(
        shape=shape,
        script=script,
        acts=tuple(draw(st.lists(acts, min_size=3, max_size=12))),
        mail_fails=tuple(draw(st.lists(st.booleans(), max_size=6))),
    )


class Live:
    """A history as it happens, and the answers customers got."""

    def __init__(self, history: History, app: App = APP) -> None:
        self.history = history
        self.simulation = ShopSimulation(history.shape, history.script, app=app, send=self._send)
        self.answers: list[tuple[PlaceOrder, Order]] = []
        self._mail_fails = chain(history.mail_fails, repeat(object=False))

    async def happen(self) -> None:
        """All acts, side by side; then rest, what was late, and rest again."""
        simulation = self.simulation
        await simulation.stock_up(ARTICLES, CUSTOMERS)
        await asyncio.gather(*map(self._act, self.history.acts))
        await simulation.come_to_rest()
        await simulation.network.deliver_late()
        await simulation.come_to_rest()

    async def ask(self, request: PlaceOrder) -> Order:
        """The stored order of a request made before, or a fresh one if it never arrived."""
        return (await self.simulation.place(request)).order

    async def _act(self, act: Act) -> None:
        for _ in range(act.after):
            await asyncio.sleep(0)
        match act.does:
            case PlaceOrder() as request:
                with suppress(BoroughError):
                    self.answers.append((request, await self.ask(request)))
            case "reconcile":
                await self.simulation.reconcile()
            case "relay":
                await self.simulation.relay()
            case float(seconds):
                self.simulation.clock.advance(seconds)
                await asyncio.gather(self.simulation.reconcile(), self.simulation.relay())

    async def _send(self, event: OrderPlaced, text: str) -> None:
        if next(self._mail_fails):
            raise OSError("the mail server is on fire")


@DRAWN
@given(histories())
def test_random_history_breaks_no_law(history: History) -> None:
    """After a drain the auditor finds nothing, no settlement contradicted another, an answer once
    given for good stays true, and a replay answers the same settled order, of which there is one.
    """

    async def live() -> None:
        life = Live(history)
        simulation = life.simulation
        with simulation.open():
            await life.happen()
            assert await simulation.audit() == ()
            assert simulation.settle_conflicts() == 0

            for request, answered in life.answers:
                stored = await life.ask(request)
                assert stored.status is not OrderStatus.PENDING
                if answered.status is not OrderStatus.PENDING:
                    assert stored == answered
                assert stored.order_id == answered.order_id
            orders = [record.order for record in await simulation.stored.orders.ledger()]
            asked = {
                (act.does.customer_id, act.does.basket)
                for act in history.acts
                if isinstance(act.does, PlaceOrder)
            }
            assert len({(order.customer_id, order.basket) for order in orders}) == len(orders)
            assert {(order.customer_id, order.basket) for order in orders} <= asked

    asyncio.run(live())


def test_random_histories_place_orders() -> None:
    """The laws do not hold for want of orders: many histories place one, some more."""
    placed: list[int] = []

    @settings(REPEATABLE, max_examples=100)
    @given(histories())
    def count(history: History) -> None:
        async def live() -> None:
            life = Live(history)
            with life.simulation.open():
                await life.happen()
                ledger = await life.simulation.stored.orders.ledger()
            placed.append([row.order.status for row in ledger].count(OrderStatus.PLACED))

        asyncio.run(live())

    count()
    assert sum(n > 0 for n in placed) > len(placed) / 3
    assert sum(n > 1 for n in placed) > len(placed) / 20


@pytest.mark.parametrize("name", EASY)
def test_random_histories_find_a_planted_mistake(name: str) -> None:
    """The drawn disturbances suffice to find a planted mistake."""
    mistake = MISTAKES[name]

    def is_spoiled(history: History) -> bool:
        async def live() -> bool:
            life = Live(history, mistake.app)
            with life.simulation.open():
                await life.happen()
                return mistake.kind in {
                    violation.kind for violation in await life.simulation.audit()
                }

        return asyncio.run(live())

    only_search = settings(REPEATABLE, phases=[Phase.generate])
    assert is_spoiled(find(histories(), is_spoiled, settings=only_search))
