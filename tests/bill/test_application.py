"""Is an application measured by its options, or refused in a sentence that names the wrong one?"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bill.fakes import intent
from borough_bill.experiments.application import (
    KEYS,
    SETTINGS,
    SHOP,
    CannotMeasure,
    Options,
    pairs,
    select,
)
from borough_bill.experiments.folder import Folder, WrongFolder
from borough_bill.experiments.run import Run
from borough_bill.experiments.scale import DEMO, FULL
from borough_bill.load.workload import BadWorkload
from borough_bill.targets.machine import commit
from borough_bill.targets.shapes import CommandFailed

LIBRARY = "library.app:APP"
LOANS = str(Path(__file__).parents[2] / "examples" / "library" / "loans.toml")


def library(**options: object) -> Options:
    """The options of a run of the library."""
    return replace(Options(app=LIBRARY, workload=LOANS), **options)  # type: ignore[arg-type]  # by name, checked at run time


def test_shop_is_measured_by_default() -> None:
    """Without a lookup, and with nothing left out."""
    assert select(Options(), FULL) == (SHOP, FULL)
    assert SHOP.left_out == ()


def test_other_application_is_measured_in_all_its_shapes_and_its_lacks_are_reported() -> None:
    """The shape of one part is the reference; the one with most parts, which decides the rate, is
    last. There is no ladder, no baseline, and none of the shop's settings and customers.
    """
    app, scale = select(library(), FULL)

    assert (scale.reference, scale.again) == ("monolith", "monolith-again")
    assert scale.shapes == ("two", "microservices")
    assert not scale.ladder
    assert [text.partition(":")[0] for text in app.left_out] == [
        "No ladder, and no D10 (what watching costs)",
        "No D18 (saga or boundary)",
    ]
    assert app.labels["application"] == LIBRARY
    assert (app.settings, app.keys, app.baseline) == (SETTINGS, {}, None)
    demo, _ = select(library(), DEMO)
    assert len(demo.left_out) == 1  # a demonstration has no ladder


def test_shapes_and_reference_can_be_named() -> None:
    """Also an extracted capability; the reference is not compared with itself."""
    named = library(reference="two", shapes="microservices,two,extract:catalog,monolith")
    _, scale = select(named, FULL)

    assert scale.reference == "two"
    assert scale.shapes == ("monolith", "extract:catalog", "microservices")


def test_ladder_of_the_shop_is_left_out_if_the_reference_is_not_a_single_process() -> None:
    """Its lower rungs have no network between parts."""
    app, scale = select(Options(reference="apis", shapes="microservices"), FULL)

    assert not scale.ladder
    assert app.baseline == SHOP.baseline
    (why,) = app.left_out
    assert why.endswith("it begins in one process, and apis has 3.")


def test_customers_are_made_if_the_workload_needs_them_and_can_be_given(tmp_path: Path) -> None:
    """Any application with customers gets their keys, as the shop does."""
    loyalty = Options(app="loyalty:APP", workload="orders", shapes="extract-loyalty")
    assert select(loyalty, FULL)[0].keys == KEYS == SHOP.keys
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"ada": "secret"}))
    app, _ = select(replace(loyalty, keys=file), FULL)
    assert app.keys == {"ada": "secret"}


def test_settings_and_options_of_the_seed_are_pairs() -> None:
    """A setting may have the prefix of the environment variable."""
    app, _ = select(
        library(settings=("BOROUGH_TRACE_RATIO=0.5", "POOL_SIZE=2"), seed=("copies=9",)), FULL
    )
    assert app.settings == SETTINGS | {"TRACE_RATIO": "0.5", "POOL_SIZE": "2"}
    assert app.seed == {"copies": "9"}
    with pytest.raises(CannotMeasure, match="--seed-with copies: it is NAME=VALUE"):
        pairs("--seed-with", ["copies"])


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        (library(app="nonesuch:APP"), CommandFailed, "^--app nonesuch:APP: No module named"),
        (library(app="library.app:doors"), CommandFailed, "^--app library.app:doors: that is no"),
        (library(workload=None), CannotMeasure, "^--app library.app:APP needs --workload FILE"),
        (library(workload="none.toml"), BadWorkload, "^workload none.toml cannot be read"),
        (library(shapes="two,three"), CommandFailed, "^there is no shape three; there are mono"),
        (library(reference="three"), CommandFailed, "^there is no shape three; there are mono"),
        (library(shapes="monolith"), CannotMeasure, "library.app:APP only monolith is left$"),
    ],
)
def test_options_that_cannot_be_measured_are_refused_before_the_start(
    options: Options, error: type[Exception], sentence: str
) -> None:
    """In one sentence, which names the wrong option and the possible ones."""
    with pytest.raises(error, match=sentence) as refused:
        select(options, FULL)
    assert "\n" not in str(refused.value)


def test_interrupted_run_of_another_application_is_not_resumed(tmp_path: Path) -> None:
    """Nor with another workload of the same name."""
    folder = Folder(tmp_path / "run")
    folder.clear()
    app, scale = select(library(), DEMO)
    begun = intent(scale.blocks).model_copy(update={"commit": commit()})
    folder.begin(begun)
    with pytest.raises(
        WrongFolder, match=r"application borough_shop\.app:APP, not library\.app:APP"
    ):
        Run(folder, scale, lambda *_: None, app=app)
    labels = {**app.labels, "workload": "SHA-256 of another"}
    folder.begin(
        begun.model_copy(update={"plan": begun.plan.model_copy(update={"labels": labels})})
    )
    with pytest.raises(WrongFolder, match="workload SHA-256 of another, not SHA-256 "):
        Run(folder, scale, lambda *_: None, app=app)
