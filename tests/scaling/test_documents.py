"""Are the pages of fields and of the operator complete, and do they match the code?"""

import copy
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from borough_operator.decision.decide import no_decision
from borough_operator.decision.model import History, Reason
from borough_operator.kube.status import render
from borough_operator.running import signals
from borough_operator.sources.mapping import SeriesMapping
from scaling.documents import CONDITIONS, MissingDescription, page

ROOT = Path(__file__).parents[2]
CRD = ROOT / "charts/borough-operator/files/servicescaler.yaml"
GUIDE = (ROOT / "docs/operator.md").read_text("utf-8")


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CRD.read_text("utf-8"))
    return found


def test_every_field_has_a_row(definition: dict[str, Any]) -> None:
    """With type, default and description."""
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


def test_every_validation_message_is_on_the_page(definition: dict[str, Any]) -> None:
    """A message of the API server is found by a search of the page."""
    text = page(definition)
    assert "- `replicas`: replicas.min must not be greater than replicas.max." in text
    assert '- `goals[].quantile`: quantile must lie between 0 and 1, such as "0.95".' in text


@pytest.mark.parametrize("word", sorted({*Reason, *CONDITIONS}))
def test_every_reason_and_condition_is_on_the_page(definition: dict[str, Any], word: str) -> None:
    """The lists are closed and complete."""
    assert f"| {word} | " in page(definition)


def test_every_condition_of_a_status_is_explained() -> None:
    """The list of the page is that of the code."""
    decision = no_decision(Reason.PAUSED, "", History())
    status = render(
        decision, generation=1, mode="Paused", observation=None, previous={}, now=1_800_000_000.0
    )
    assert [each["type"] for each in status["conditions"]] == list(CONDITIONS)


def test_field_without_a_description_is_refused(definition: dict[str, Any]) -> None:
    """The page is not written."""
    changed = copy.deepcopy(definition)
    schema = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["behavior"]["properties"]["down"]["description"]
    with pytest.raises(MissingDescription, match=r"behavior\.down"):
        page(changed)


def test_guide_names_existing_metrics_and_conditions() -> None:
    """An alert on a metric that does not exist never fires."""
    named = set(re.findall(r"`(borough_[a-z_]+)", GUIDE))

    assert named
    assert named <= {signal.series for signal in signals.ALL}
    assert set(re.findall(r'condition="(\w+)"', GUIDE)) <= set(CONDITIONS)


def test_guide_lists_every_mapping_setting_with_its_default() -> None:
    """In one table."""
    for field in fields(SeriesMapping):
        if field.name != "namespaces":
            default = f"{field.default:g}" if isinstance(field.default, float) else field.default
            assert f"| `{field.name}` | `{default}` |" in GUIDE


def test_every_command_of_the_guide_has_a_namespace() -> None:
    """Operator and scalers are in different namespaces, and neither is usually the default."""
    commands = re.findall(r"^    (?:kubectl|helm) .*(?:\\\n.*)*", GUIDE, re.MULTILINE)

    assert len(commands) > 3
    assert [command for command in commands if "--namespace" not in command] == []
