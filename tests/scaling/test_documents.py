"""Does the page of fields say all that there is to know, and nothing else?"""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from borough_operator.decision.model import Reason
from borough_operator.documents import Undescribed, page
from borough_operator.kube.conditions import CONDITIONS

CRD = Path(__file__).parents[2] / "charts/borough-operator/files/servicescaler.yaml"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CRD.read_text("utf-8"))
    return found


def test_every_field_has_its_row(definition: dict[str, Any]) -> None:
    """With type, default and sentence."""
    text = page(definition)
    assert (
        "| `goals[].type` | RequestRate, InFlight, Latency or Query | required | Its form." in text
    )
    assert "| `behavior.down.window` | duration | 120s | How long every goal must have been" in text
    assert (
        "| `replicas.max` | whole number from 1 to 10000 | required | The most replicas. |" in text
    )
    assert "| `hold.manager` | text | The field manager that gave it, such as kubectl. |" in text


def test_every_refusal_stands_there_in_its_own_words(definition: dict[str, Any]) -> None:
    """What the API server will say is found by searching the page for it."""
    text = page(definition)
    assert "- `replicas`: replicas.min must not be greater than replicas.max." in text
    assert '- `goals[].quantile`: quantile must lie between 0 and 1, such as "0.95".' in text


@pytest.mark.parametrize("word", sorted({*Reason, *CONDITIONS}))
def test_every_reason_and_condition_is_explained(definition: dict[str, Any], word: str) -> None:
    """The lists are closed, and the page has them whole."""
    assert f"| {word} | " in page(definition)


def test_a_field_that_nobody_described_is_named(definition: dict[str, Any]) -> None:
    """The page is not written without it."""
    changed = copy.deepcopy(definition)
    schema = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["behavior"]["properties"]["down"]["description"]
    with pytest.raises(Undescribed, match=r"behavior\.down"):
        page(changed)
