"""How does the door answer while the parts behind it are dead? Without naming them."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from borough.compose import build
from borough_shop.app import APP
from parts import settings_with
from shop.door import Answer, Visitor, visiting

DEAD = "http://127.0.0.1:1"
SAID_BY_LIBRARIES = ("127.0.0.1", "http:", ":1", "connect", "errno", "ssl", "refused")


@pytest.fixture
async def ada() -> AsyncIterator[Visitor]:
    """A client of a gateway whose peers do not listen."""
    settings = settings_with(
        APP,
        api_keys={"ada": SecretStr("key-of-ada")},
        peers=dict.fromkeys(APP.calls["gateway"], (DEAD,)),
        log_level="error",
    )
    part = await build(APP, settings, {"gateway"})
    try:
        async with visiting(part.public) as visitor:
            yield visitor
    finally:
        await part.close()


@pytest.fixture(params=["the menu", "an order"])
async def refused(request: pytest.FixtureRequest, ada: Visitor) -> tuple[Answer, str]:
    """An answer, and the call that could not be made for it."""
    if request.param == "the menu":
        return await ada.ask("GET", "/v1/menu"), "inventory.menu"
    return await ada.order("k-1", espresso=1), "orders.place"


async def test_dead_peer_is_503_with_retry_after(
    refused: tuple[Answer, str],
) -> None:
    """A problem document of code `unavailable`, whose sentence names the call."""
    answer, call = refused
    assert (answer.status, answer.problem.code) == (503, "unavailable")
    assert call in answer.problem.detail
    assert int(answer.headers["Retry-After"]) == answer.problem.retry_after


async def test_answer_about_a_dead_peer_names_no_address(refused: tuple[Answer, str]) -> None:
    """Neither an address nor a port nor what a library had to say reaches a customer."""
    answer, _ = refused
    shown = str(answer.body).lower()
    assert [word for word in SAID_BY_LIBRARIES if word in shown] == []
