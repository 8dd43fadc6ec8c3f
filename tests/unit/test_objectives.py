"""Are objectives read, refused by file and key if wrong, and found by part?"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from borough import commands
from borough.app import GATEWAY, App, WrongApp
from borough.objectives import Availability, Latency, Objectives, WrongObjectives, read
from borough_operator.simulator.station import model
from borough_shop.app import APP
from library.app import APP as LIBRARY

ROOT = Path(__file__).parents[2]


def with_objectives(app: App, folder: Path, text: str) -> App:
    """The application with a file of other objectives."""
    file = folder / "slo.toml"
    file.write_text(text)
    return replace(app, objectives=file)


@pytest.mark.parametrize("app", [APP, LIBRARY], ids=lambda app: app.name)
def test_each_shipped_application_has_objectives_of_its_gateway(app: App) -> None:
    """Both availability and latency are set, since external callers rely on them."""
    doors = app.objectives_by_name[GATEWAY]
    assert doors.availability is not None
    assert doors.latency is not None


def test_objectives_file_is_read(tmp_path: Path) -> None:
    """Its values are parsed, and objectives are printed as one sentence."""
    file = tmp_path / "slo.toml"
    file.write_text(
        "[gateway]\navailability = { ratio = 0.995, window_days = 7 }\n"
        "latency = { ratio = 0.99, threshold_ms = 100 }\n"
    )
    found = read(file)
    assert found == {
        GATEWAY: Objectives(
            availability=Availability(ratio=0.995, window_days=7),
            latency=Latency(ratio=0.99, threshold_ms=100),
        )
    }
    assert str(found[GATEWAY]) == ("99.5 % without a server error in 7 days; 99 % within 100 ms")


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("[gateway]", "gateway", "neither `availability` nor `latency`"),
        ("[gateway]\nspeed = 1", "gateway.speed", "not permitted"),
        ("[gateway]\nlatency = { ratio = 0.95 }", "gateway.latency.threshold_ms", "required"),
        ("[gateway]\nlatency = { ratio = 95, threshold_ms = 250 }", "gateway.latency.ratio", "1"),
        (
            "[gateway]\nlatency = { ratio = 0.95, threshold_ms = 300 }",
            "gateway.latency.threshold_ms",
            "no bound of 300: 5, 10, 25",
        ),
        (
            "[gateway]\navailability = { ratio = 0.9, window_days = 0 }",
            "gateway.availability.window_days",
            "greater than or equal to 1",
        ),
        ("gateway = 1", "gateway", "valid dictionary"),
    ],
)
def test_wrong_objective_is_refused_by_file_and_key(
    tmp_path: Path, text: str, key: str, why: str
) -> None:
    """The error is one sentence with file, key and reason."""
    file = tmp_path / "slo.toml"
    file.write_text(text)
    with pytest.raises(WrongObjectives) as refused:
        read(file)
    sentence = str(refused.value)
    assert sentence.startswith(f"objectives file {file}, {key}: ")
    assert why in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("text", [None, "[gateway", "\xff"], ids=["absent", "no TOML", "no UTF-8"])
def test_objectives_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    """An application whose objectives cannot be read is not constructed."""
    file = tmp_path / "slo.toml"
    if text is not None:
        file.write_text(text, encoding="latin-1")
    with pytest.raises(WrongApp, match=re.escape(f"{APP.name}: objectives file {file}: ")):
        replace(APP, objectives=file)


def test_objective_of_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """The application is not constructed, since a mistyped name would apply to no part."""
    text = "[gatewya]\nlatency = { ratio = 0.95, threshold_ms = 250 }"
    with pytest.raises(WrongApp, match=r"slo\.toml, gatewya: there is neither a capability nor"):
        with_objectives(APP, tmp_path, text)


def test_objectives_of_a_part_precede_those_of_what_it_hosts(tmp_path: Path) -> None:
    """Without its own it has those of a hosted gateway, else of its only capability, else none."""
    text = """
        [gateway]
        latency = { ratio = 0.95, threshold_ms = 250 }
        [loans]
        latency = { ratio = 0.9, threshold_ms = 100 }
        [two]
        latency = { ratio = 0.5, threshold_ms = 10 }
    """
    file = tmp_path / "shapes.toml"
    file.write_text(
        "[mine.parts]\napp = ['catalog', 'gateway']\ntwo = ['loans']\nrest = ['loans', 'notices']\n"
    )
    app = with_objectives(replace(LIBRARY, shapes=file), tmp_path, text)

    def threshold_ms(part: str, *hosted: str) -> float | None:
        found = app.objectives_of(part, hosted)
        return found.latency.threshold_ms if found and found.latency else None

    assert threshold_ms("app", "catalog", "gateway") == 250
    assert threshold_ms("loans", "loans") == 100
    assert threshold_ms("two", "loans") == 10
    assert threshold_ms("rest", "loans", "notices") is None


def test_command_prints_the_objectives_of_the_application() -> None:
    """As JSON, or as one line each."""
    printed = json.loads(commands.objectives(APP, as_json=True))
    assert {
        n: Objectives.model_validate(one) for n, one in printed.items()
    } == APP.objectives_by_name
    lines = commands.objectives(APP, as_json=False).splitlines()
    assert [line.split()[0] for line in lines] == list(APP.objectives_by_name)


def test_examples_have_the_latency_objective_of_the_shop() -> None:
    """Goals in documents and the model of the leaderboard have that of the gateway; goals in
    examples of the chart state none, since the chart adds it.
    """
    goal = re.compile(r"\{type: Latency\b[^}]*\}")
    files = [*ROOT.glob("docs/*.md"), *ROOT.glob("charts/**/*.md"), *ROOT.glob("charts/*/ci/*")]
    typed = [yaml.safe_load(found) for f in files for found in goal.findall(f.read_text("utf-8"))]
    latency = APP.objectives_by_name[GATEWAY].latency
    assert latency is not None
    in_full = {
        "type": "Latency",
        "quantile": f"{latency.ratio:g}",
        "objective": f"{latency.threshold_ms:g}ms",
    }
    assert {frozenset(one.items()) for one in typed} == {
        frozenset(in_full.items()),
        frozenset({("type", "Latency")}),
    }
    modelled = model().objective
    assert (modelled.quantile, modelled.latency_ms) == (latency.ratio, latency.threshold_ms)
