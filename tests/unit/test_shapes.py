"""Which part hosts each capability, and is an invalid shape refused by name?"""

from pathlib import Path
from typing import Any

import pytest

from borough import shapes
from borough.compose import build
from borough.config import Settings, WrongSettings, load
from borough.testing import suites
from borough_shop.app import APP
from shop.journeys import ENDINGS, ordering
from shop.simulation import SETTINGS

EVERYTHING = tuple(APP.calls)
WHOLE = f"[mine.parts]\na = {list(EVERYTHING)}\n"
"""A valid shape."""


def test_shapes_range_from_one_part_to_a_part_for_each_capability() -> None:
    """Each hosts every capability."""
    known = shapes.load(APP.calls, APP.shapes)
    for shape in known.values():
        assert {c for hosted in shape.parts.values() for c in hosted} == set(APP.calls), shape.name
    assert set(known["monolith"].parts.values()) == {EVERYTHING}
    assert set(known["microservices"].parts.values()) == {(name,) for name in EVERYTHING}


async def test_every_shape_loads_and_answers_the_same() -> None:
    """Each call has a part that serves it, and every outcome of an order is the same."""
    journey = ordering(*ENDINGS.values())
    assert await suites.shapes(APP, journey, settings=SETTINGS) == []


def test_any_capability_can_be_extracted() -> None:
    """`extract:NAME` is the monolith without NAME, beside NAME."""
    shape = shapes.named("extract:inventory", {}, APP.calls)
    assert shape.parts["inventory"] == ("inventory",)
    assert set(shape.parts["app"]) == set(EVERYTHING) - {"inventory"}


def test_rest_is_every_capability_not_named_elsewhere(tmp_path: Path) -> None:
    """In a list, beside other names or alone; and as one part for each of them."""
    file = tmp_path / "own.toml"
    file.write_text(
        '[two.parts]\napp = ["*"]\npayments = ["payments"]\n'
        '[each.parts]\nfront = ["gateway", "profiles"]\n"*" = ["*"]\n'
    )
    own = shapes.load(APP.calls, file)
    assert own["two"].parts == shapes.named("extract:payments", {}, APP.calls).parts
    rest = [name for name in EVERYTHING if name not in {"gateway", "profiles"}]
    assert own["each"].parts == {"front": ("gateway", "profiles"), **{n: (n,) for n in rest}}


@pytest.mark.parametrize(
    ("shape", "part", "served"),
    [
        ("monolith", "app", set()),
        ("roles", "browse", set()),
        ("roles", "checkout", set()),
        ("apis", "api", {"profiles"}),
        ("apis", "checkout", {"orders", "inventory"}),
        ("apis", "notifier", {"notifications"}),
        ("extract-payments", "app", set()),
        ("extract-payments", "payments", {"payments"}),
        ("microservices", "gateway", set()),
        ("microservices", "orders", {"orders"}),
    ],
)
def test_part_serves_to_others_only_what_they_call(shape: str, part: str, served: set[str]) -> None:
    """The internal port has the routes that another part needs, and no other."""
    found = shapes.load(APP.calls, APP.shapes)[shape].served_to_others(part, APP.calls)
    assert found == served


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[mine.parts]\na = ["gateway", "orders"]', "payments"),
        ('[mine.parts]\na = ["gatewya"]', "gatewya"),
        ('[mine.parts]\na = ["orders", "orders"]', "orders is named twice"),
        ("[mine.parts]\na = []", "part a"),
        ('[mine.parts]\na = "gateway"', "parts"),
        ("mine = 3", "mine"),
        (WHOLE + '[mine.door]\na = ["/v1"]', "shape mine .*`door`"),
        (WHOLE + '[mine.doors]\nb = ["/v1"]', "shape mine, doors: there is no part b"),
        (WHOLE + 'c = ["orders"]\n[mine.doors]\nc = ["/v1"]', "shape mine, doors: c hosts no"),
        ("[mine", "shapes file"),
    ],
)
def test_invalid_shape_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """The error names what is hosted nowhere, unknown, hosted twice or misspelt."""
    path = tmp_path / "shapes.toml"
    path.write_text(text)
    with pytest.raises(shapes.WrongShape, match=named):
        shapes.load(APP.calls, path)


def test_shapes_file_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are a one-sentence error too, not a traceback."""
    path = tmp_path / "shapes.toml"
    path.write_bytes(b"\xff\xfe[mine]")
    with pytest.raises(shapes.WrongShape, match=r"shapes file .*shapes\.toml.*utf-8"):
        shapes.load(APP.calls, path)


def test_shapes_file_of_the_user_is_read(tmp_path: Path) -> None:
    """A user's file replaces the packaged one."""
    path = tmp_path / "shapes.toml"
    rest = ", ".join(f'"{name}"' for name in EVERYTHING if name != "gateway")
    path.write_text(f'[two.parts]\ndoor = ["gateway"]\nrest = [{rest}]\n')
    (shape,) = shapes.load(APP.calls, path).values()
    assert shape.served_to_others("rest", APP.calls) == APP.calls["gateway"]


@pytest.mark.parametrize(
    ("hosted", "settings", "named"),
    [
        (["gateway"], {}, ", ".join(sorted(APP.calls["gateway"]))),
        (["bakery"], {}, "bakery"),
        ([], {}, "at least one"),
        (["payments"], {"shape": "villa"}, "villa"),
        (["payments", "profiles"], {"shape": "microservices"}, "payments, profiles"),
        (["payments"], {"peers": {"bakery": ("http://b:1",)}}, "bakery"),
        (["payments"], {"faults": {"gateway": {"delay_ms": 1}}}, "gateway"),
        (["payments"], {"faults": {"orders": {"delay_ms": 1}}}, "FAULTS: .* not host orders"),
        (["payments"], {"shapes_file": Path("/nope")}, "shapes file /nope"),
    ],
)
async def test_part_with_missing_or_wrong_settings_does_not_start(
    hosted: list[str], settings: dict[str, Any], named: str
) -> None:
    """A peer without an address, or an invalid value, is named at start."""
    with pytest.raises((shapes.WrongShape, WrongSettings), match=named):
        await build(APP, Settings(**settings), hosted)


@pytest.mark.parametrize("url", ["orders:80", "https://orders", "http://", "http://orders/path"])
async def test_invalid_address_is_refused(url: str) -> None:
    """A peer is http://HOST:PORT, and the error says so."""
    peers = dict.fromkeys(APP.calls["gateway"], ("http://127.0.0.1:1",))
    with pytest.raises(WrongSettings, match="BOROUGH_PEERS: orders"):
        await build(APP, Settings(peers=peers | {"orders": (url,)}), ["gateway"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTLP_ENDPOINT", "nonsense"),
        ("OTLP_ENDPOINT", "collector:4318"),
        ("OTLP_ENDPOINT", "grpc://collector:4317"),
        ("OTLP_ENDPOINT", "http://:4318"),
        ("OTLP_ENDPOINT", "http://collector:many"),
        ("PEERS", "orders"),
        ("FAULTS", "{"),
        ("API_KEYS", '{"ada": "secret"'),
    ],
)
def test_wrong_setting_names_its_variable_and_shows_no_secret(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error begins with the variable that has to be changed."""
    monkeypatch.setenv(f"BOROUGH_{name}", value)
    with pytest.raises(WrongSettings, match=f"^BOROUGH_{name}: ") as refused:
        load(APP.settings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:4318", "https://collector/base"])
def test_collector_is_an_http_address_or_empty(url: str) -> None:
    """An address that the exporter can use is taken unchanged."""
    assert Settings(otlp_endpoint=url).otlp_endpoint == url
