"""Does the page of fields say all that there is to know, and nothing else? And does the page of
the operator name what there is?
"""

import copy
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from borough_operator.decision.model import Reason
from borough_operator.documents import MissingDescription, page
from borough_operator.kube.conditions import CONDITIONS
from borough_operator.running import signals
from borough_operator.sources.mapping import SeriesMapping

ROOT = Path(__file__).parents[2]
CRD = ROOT / "charts/borough-operator/files/servicescaler.yaml"
GUIDE = (ROOT / "docs/operator.md").read_text("utf-8")


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CRD.read_text("utf-8"))
    return found


def test_every_field_has_its_row(definition: dict[str, Any]) -> None:
    """With type, default and sentence."""
    text = page(definition)
    assert (
        "| `goals[].type` | RequestRate, InFlight, Latency or Query | required | Its type." in text
    )
    assert "| `behavior.down.window` | duration | 120s | How long every goal must have had" in text
    assert (
        "| `replicas.max` | whole number from 1 to 10000 | required | The maximum of replicas. |"
        in text
    )
    assert "| `hold.manager` | text | The field manager that set it, such as kubectl. |" in text


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
    with pytest.raises(MissingDescription, match=r"behavior\.down"):
        page(changed)


def test_the_guide_names_only_metrics_and_conditions_there_are() -> None:
    """Whoever alerts on a metric that nobody tells is never woken."""
    named = set(re.findall(r"`(borough_[a-z_]+)", GUIDE))

    assert named
    assert named <= {signal.series for signal in signals.ALL}
    assert set(re.findall(r'condition="(\w+)"', GUIDE)) <= set(CONDITIONS)


def test_the_guide_has_every_name_of_the_mapping_with_its_default() -> None:
    """What is set for a whole operator stands in one table."""
    for field in fields(SeriesMapping):
        if field.name != "namespaces":
            default = f"{field.default:g}" if isinstance(field.default, float) else field.default
            assert f"| `{field.name}` | `{default}` |" in GUIDE


def test_every_command_of_the_guide_says_in_which_namespace() -> None:
    """The operator is in another one than its scalers, and few people's default is either."""
    commands = re.findall(r"^    (?:kubectl|helm) .*(?:\\\n.*)*", GUIDE, re.MULTILINE)

    assert len(commands) > 3
    assert [command for command in commands if "--namespace" not in command] == []
