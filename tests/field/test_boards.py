"""Does a real Prometheus that scrapes real parts under traffic answer whatever the boards ask?

Two shapes run at once: one with all in one part, where no part calls another, and one whose parts
call each other. Each is a namespace.
"""

import asyncio
import json
import random
import shutil
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from borough import commands
from borough.config import Settings
from borough_bill.load.customers import ClosedLoop, OrderClient, make_customers, order_plans
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP
from dashboards.prometheus import Prometheus, of_prometheus, prometheus
from e2e.queries import Question, has_data, questions
from unhurried import UNHURRIED
from waiting import LOOK_S, LOOKS

BOARDS = Path(__file__).parents[2] / "dashboards"
SHAPES = ("monolith", "apis")
SETTINGS = {
    **UNHURRIED,
    "LOG_LEVEL": "error",
    "OTLP_ENDPOINT": "http://127.0.0.1:1",  # exemplars are of exported traces only
    "PBKDF2_ITERATIONS": "0",
}
OPERATORS = "who-scales-and-why"
"""The board that no part answers: tests/field/operator_api asks an operator."""
WINDOW = {"__rate_interval": "10s", "__range": "60s"}


class Heard(NamedTuple):
    """A question of a board about a shape, and what Prometheus knew."""

    shape: str
    question: Question
    answer: Mapping[str, Any]
    exemplars: list[dict[str, Any]]

    @property
    def by_part(self) -> bool:
        """Whether a line for each part is asked for."""
        return "by part" in self.question.asker

    @property
    def parts(self) -> set[str | None]:
        """The parts that have a series each."""
        return {series["metric"].get("part") for series in self.answer["data"]["result"]}

    @property
    def whole(self) -> bool:
        """Whether nothing is missing: a part has a rate only once two scrapes saw it at work."""
        lines = not self.by_part or self.parts == set(shape_named(self.shape).parts)
        return (
            lines and has_data(self.answer) and bool(self.exemplars or not self.question.exemplar)
        )


@pytest.fixture(scope="module")
def heard(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Heard, ...]:
    """Everything that is asked, with its answer: asked until each is whole, or until the end of
    patience.
    """
    of_prometheus("prometheus")
    files = (path for path in BOARDS.glob("*.json") if path.stem != OPERATORS)
    boards = [json.loads(path.read_text("utf-8")) for path in files]
    folder = tmp_path_factory.mktemp("answers")
    return asyncio.run(_hear(boards, migrated_sqlite, folder))


async def _hear(
    boards: list[dict[str, Any]], migrated_sqlite: Path, folder: Path
) -> tuple[Heard, ...]:
    customers = make_customers(2)
    keys = {customer.name: customer.key for customer in customers}
    towns = {name: await _town(name, keys, migrated_sqlite, folder) for name in SHAPES}
    async with prometheus(towns, folder) as server, AsyncExitStack() as running:
        await asyncio.gather(*map(running.enter_async_context, towns.values()))
        await server.scrapes(sum(len(town.processes) for town in towns.values()))
        for town in towns.values():
            clients = await running.enter_async_context(OrderClient(town.addresses))
            await clients.put_profiles(customers)
            wanted = order_plans(random.Random(7), customers, await clients.menu(customers[0]))
            await running.enter_async_context(ClosedLoop(clients, wanted, at_once=1))
        return tuple([heard for name in towns for heard in await _ask(server, boards, name)])


async def _town(
    name: str, keys: Mapping[str, str], migrated_sqlite: Path, folder: Path
) -> LocalShape:
    own = folder / name
    shutil.copytree(migrated_sqlite, own / "store")
    store = f"sqlite:///{own / 'store'}"
    await commands.seed(APP, Settings(store=SecretStr(store)), {"stock": "100000"})
    return LocalShape(shape_named(name), own, store=store, keys=keys, settings=SETTINGS)


async def _ask(server: Prometheus, boards: list[dict[str, Any]], shape: str) -> list[Heard]:
    values = {"namespace": shape, "workload": ".+", "part": ".+", **WINDOW}
    asked = [question for board in boards for question in questions(board, values)]
    heard: list[Heard] = []
    for _ in range(LOOKS):
        heard = [
            Heard(shape, one, await server.ask(one.target), await _exemplars(server, one))
            for one in asked
        ]
        if all(fact.whole for fact in heard):
            break
        await asyncio.sleep(LOOK_S)
    return heard


async def _exemplars(server: Prometheus, question: Question) -> list[dict[str, Any]]:
    if not question.exemplar:
        return []
    now = time.time()
    asked = urlencode({"query": question.promql, "start": now - 60, "end": now})
    series = (await server.ask(f"/api/v1/query_exemplars?{asked}"))["data"]
    return [exemplar for one in series for exemplar in one["exemplars"]]


def test_every_query_of_every_board_has_data_in_every_shape(heard: tuple[Heard, ...]) -> None:
    """Whatever is shown or offered for choice has something to show while there is traffic, also
    where nothing ever went wrong.
    """
    assert {fact.shape for fact in heard} == set(SHAPES)
    assert [(f.shape, f.question) for f in heard if not has_data(f.answer)] == []


def test_every_latency_panel_has_dots_that_name_a_trace(heard: tuple[Heard, ...]) -> None:
    """Where a panel asks for exemplars, there are some, with the label data sources look for."""
    asked = [fact for fact in heard if fact.question.exemplar]
    assert asked
    for fact in asked:
        assert fact.exemplars, fact.question
        assert all(len(dot["labels"]["trace_id"]) == 32 for dot in fact.exemplars)


def test_a_shape_is_seen_whole_and_alone(heard: tuple[Heard, ...]) -> None:
    """The namespace that is chosen decides: every part of its shape has a line, and no other."""
    for shape in SHAPES:
        parts = set(shape_named(shape).parts)
        of_parts = [f for f in heard if f.shape == shape and f.by_part]
        assert [fact.parts for fact in of_parts] == [parts] * 3
        (named,) = (f for f in heard if f.shape == shape and "variable part" in f.question.asker)
        assert set(named.answer["data"]) == parts


def test_nothing_fails_in_good_health(heard: tuple[Heard, ...]) -> None:
    """What never happened is shown as 0, and the budget as whole."""
    ends = {"that worked, A": 1, "budget left, A": 1, "that failed, by part, A": 0}
    for fact in heard:
        for end, value in ends.items():
            if fact.question.asker.endswith(end):
                shown = [float(series["value"][1]) for series in fact.answer["data"]["result"]]
                assert set(shown) == {value}, fact.question
