"""Does a capability behave the same in this process, through the codec, and over the network?

Every call marked idempotent is sent twice, on each transport: in sequence, and concurrently.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from borough import deadline
from borough.app import App, Definition
from borough.capability import Capability, Message, post, read
from borough.errors import Internal
from borough.testing.simulation import plain_settings
from borough.testing.suites import TRANSPORTS, Ask, Journey, Stores, Via, check_contracts
from borough_shop.app import APP
from shop.cases import CASES
from shop.journeys import agree, agree_at_once


class Question(Message):
    """What `Oddities` shall do."""

    number: int
    word: str = "plain"


class Answer(Message):
    """What it did."""

    text: str


class Oddities(Capability, Protocol, path="/oddities"):
    """A capability that misbehaves on request."""

    @post("/broken", idempotent=True)
    async def broken(self, request: Question) -> Answer:
        """A defect."""
        ...

    @read("/{word}/echo")
    async def echo(self, request: Question) -> Answer:
        """Return the question."""
        ...

    @post("/spent", idempotent=True)
    async def spent(self, request: Question) -> Answer:
        """Whether the deadline, if there is one, has at most so many milliseconds left."""
        ...

    @post("/forgotten", idempotent=False)
    async def forgotten(self, request: Question) -> Answer:
        """A method that no case calls, and that is not marked as idempotent."""
        ...


class OdditiesService(Oddities):
    """Stores only a count, so that a mark can be wrong."""

    def __init__(self) -> None:
        self.count = 0

    async def broken(self, request: Question) -> Answer:
        raise ZeroDivisionError("secret detail")

    async def echo(self, request: Question) -> Answer:
        self.count += 1
        return Answer(text=f"{request.word}-{request.number}")

    async def spent(self, request: Question) -> Answer:
        left = deadline.remaining()
        return Answer(text="none" if left is None else str(left <= request.number / 1_000))

    async def forgotten(self, request: Question) -> Answer:
        return Answer(text="")


class Counting(OdditiesService):
    """Its echo changes state, unlike a read."""

    async def echo(self, request: Question) -> Answer:
        await super().echo(request)
        return Answer(text=str(self.count))


def odd_app(service: type[OdditiesService] = OdditiesService) -> App:
    """An application of this one capability, which stores no rows."""
    oddities = Definition(
        contract=Oddities,
        make=lambda _part, _store: service(),
        sql=lambda _database: None,
        memory=lambda: None,
    )
    return App(name="odd", version="1", capabilities=(oddities,), shapes=Path())


async def a_defect_is_internal_and_keeps_its_detail(ask: Ask, stores: Stores) -> None:
    """An unexpected exception becomes Internal, and its message is not sent to the caller."""
    with pytest.raises(Internal) as caught:
        await ask(Oddities).broken(Question(number=1))
    assert "secret" not in str(caught.value)


async def a_read_carries_its_message_in_path_and_query(ask: Ask, stores: Stores) -> None:
    """Values that need escaping arrive unchanged, and so do fields left at their default."""
    answer = await ask(Oddities).echo(Question(number=7, word="süß & sauer?"))
    assert answer.text == "süß & sauer?-7"
    assert (await ask(Oddities).echo(Question(number=7))).text == "plain-7"


async def the_deadline_goes_along(ask: Ask, stores: Stores) -> None:
    """The callee has no more time than its caller."""
    with deadline.within(3.0):
        answer = await ask(Oddities).spent(Question(number=3_000))
    assert answer.text == "True"


async def an_error_hides_what_is_wrong(ask: Ask, stores: Stores) -> None:
    """A case that accepts any error as an answer."""
    with suppress(Exception):
        await ask(Oddities).echo(Question(number=7))


OF_EVERY_TRANSPORT: Sequence[Journey] = (
    a_defect_is_internal_and_keeps_its_detail,
    a_read_carries_its_message_in_path_and_query,
    the_deadline_goes_along,
)
over_each_transport = pytest.mark.parametrize("via", TRANSPORTS)
in_turn_and_at_once = pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])


@over_each_transport
@in_turn_and_at_once
async def test_every_contract_of_the_shop_holds(via: Via, at_once: bool) -> None:  # noqa: FBT001
    """Methods marked as idempotent are, and every case gets the expected answer."""
    settings = plain_settings(APP, pbkdf2_iterations=0)
    allowed = agree_at_once if at_once else agree
    await check_contracts(APP, CASES, via, at_once=at_once, agree=allowed, settings=settings)


@over_each_transport
@in_turn_and_at_once
async def test_errors_escapes_and_deadlines_are_transported(via: Via, at_once: bool) -> None:  # noqa: FBT001
    """Cases that no capability of the shop has."""
    await check_contracts(odd_app(), OF_EVERY_TRANSPORT, via, at_once=at_once)


@over_each_transport
async def test_idempotent_method_without_a_case_is_named(via: Via) -> None:
    """A mark that is never tested may be wrong; an unmarked method needs no case."""
    with pytest.raises(ExceptionGroup) as caught:
        await check_contracts(odd_app(), OF_EVERY_TRANSPORT[:1], via)
    (unsent,) = caught.value.exceptions
    assert str(unsent).endswith(": oddities.echo, oddities.spent")


@over_each_transport
@in_turn_and_at_once
async def test_wrong_mark_is_reported_although_a_case_handles_the_error(
    via: Via,
    at_once: bool,  # noqa: FBT001
) -> None:
    """The difference is recorded, whether or not the case catches the error."""
    cases = (*OF_EVERY_TRANSPORT[::2], an_error_hides_what_is_wrong)
    with pytest.raises(ExceptionGroup) as caught:
        await check_contracts(odd_app(Counting), cases, via, at_once=at_once)
    (wrong,) = caught.value.exceptions
    assert str(wrong).startswith("oddities.echo is not idempotent")


async def test_failed_case_is_named_and_the_others_run() -> None:
    """One run reports every failure."""
    with pytest.raises(ExceptionGroup) as caught:
        await check_contracts(odd_app(Counting), OF_EVERY_TRANSPORT, "local")
    (failed,) = caught.value.exceptions
    (note,) = failed.__notes__
    assert note == "in the case a_read_carries_its_message_in_path_and_query, local"
