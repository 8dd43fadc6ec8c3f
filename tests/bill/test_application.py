"""Is an application measured by its options, or refused in a sentence that names the wrong one?"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

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
from borough_bill.testing import intent

LIBRARY = "library.app:APP"
LOANS = str(Path(__file__).parents[2] / "examples" / "library" / "loans.toml")


def library(**options: object) -> Options:
    """The options of a run of the library."""
    return replace(Options(app=LIBRARY, workload=LOANS), **options)  # type: ignore[arg-type]  # by name, checked at run time


def test_without_an_application_the_shop_is_measured_as_it_always_is() -> None:
    """Nothing of it is looked up, and nothing is left out."""
    assert select(Options(), FULL) == (SHOP, FULL)
    assert SHOP.left_out == ()


def test_stranger_is_measured_in_all_its_shapes_and_the_report_says_what_it_lacks() -> None:
    """The shape of one part is the reference; that of most parts, which decides the rate, is last.
    It has no ladder, no baseline, and none of the shop's settings and customers.
    """
    of, scale = select(library(), FULL)

    assert (scale.reference, scale.again) == ("monolith", "monolith-again")
    assert scale.shapes == ("two", "microservices")
    assert not scale.ladder
    assert [text.partition(":")[0] for text in of.left_out] == [
        "No ladder, and no D10 (what watching costs)",
        "No D18 (saga or boundary)",
    ]
    assert of.labels["application"] == LIBRARY
    assert (of.settings, of.keys, of.baseline) == (SETTINGS, {}, None)
    demo, _ = select(library(), DEMO)
    assert len(demo.left_out) == 1  # a demonstration has no ladder anyway


def test_shapes_and_reference_can_be_named() -> None:
    """One that is extracted, too; the reference is not compared with itself."""
    named = library(reference="two", shapes="microservices,two,extract:catalog,monolith")
    _, scale = select(named, FULL)

    assert scale.reference == "two"
    assert scale.shapes == ("monolith", "extract:catalog", "microservices")


def test_ladder_of_the_shop_is_left_out_where_the_reference_is_no_single_process() -> None:
    """Its lower rungs have no network between parts."""
    of, scale = select(Options(reference="apis", shapes="microservices"), FULL)

    assert not scale.ladder
    assert of.baseline == SHOP.baseline
    (why,) = of.left_out
    assert why.endswith("it begins in one process, and apis has 3.")


def test_customers_are_made_where_the_workload_needs_them_and_can_be_named(tmp_path: Path) -> None:
    """An application with customers gets their keys, as the shop does."""
    loyalty = Options(app="loyalty:APP", workload="orders", shapes="extract-loyalty")
    assert select(loyalty, FULL)[0].keys == KEYS == SHOP.keys
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"ada": "secret"}))
    of, _ = select(replace(loyalty, keys=file), FULL)
    assert of.keys == {"ada": "secret"}


def test_settings_and_what_the_seed_is_told_are_pairs() -> None:
    """A setting may be named as the environment names it."""
    of, _ = select(
        library(settings=("BOROUGH_TRACE_RATIO=0.5", "POOL_SIZE=2"), seed=("copies=9",)), FULL
    )
    assert of.settings == SETTINGS | {"TRACE_RATIO": "0.5", "POOL_SIZE": "2"}
    assert of.seed == {"copies": "9"}
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
def test_what_cannot_be_measured_is_refused_before_anything_is_started(
    options: Options, error: type[Exception], sentence: str
) -> None:
    """One sentence, which names it and says what there is."""
    with pytest.raises(error, match=sentence) as refused:
        select(options, FULL)
    assert "\n" not in str(refused.value)


def test_an_interrupted_run_of_another_application_is_not_gone_on_with(tmp_path: Path) -> None:
    """Nor with another workload of the same name."""
    folder = Folder(tmp_path / "run")
    folder.clear()
    of, scale = select(library(), DEMO)
    begun = intent(scale.blocks).model_copy(update={"commit": commit()})
    folder.begin(begun)
    with pytest.raises(
        WrongFolder, match=r"application borough_shop\.app:APP, not library\.app:APP"
    ):
        Run(folder, scale, lambda *_: None, of=of)
    labels = {**of.labels, "workload": "SHA-256 of another"}
    folder.begin(
        begun.model_copy(update={"plan": begun.plan.model_copy(update={"labels": labels})})
    )
    with pytest.raises(WrongFolder, match="workload SHA-256 of another, not SHA-256 "):
        Run(folder, scale, lambda *_: None, of=of)
