"""Is every reason documented, and produced in a test?

A file of its own because it reads what all modules of the decision produce.
"""

from pathlib import Path

import pytest

from borough_operator.decision.decide import no_decision
from borough_operator.decision.memory import Memory, Window
from borough_operator.decision.model import History, Reason
from scaling.documents import MEANING
from scaling.worlds import START

WITHOUT_DECISION = (Reason.TARGET_MISSING, Reason.TARGET_UNREADABLE, Reason.SPEC_INVALID)


def test_every_reason_has_its_own_sentence() -> None:
    """The list of the documentation is that of the code."""
    assert set(MEANING) == set(Reason)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in MEANING.values())
    assert len(set(MEANING.values())) == len(Reason)


def test_every_reason_is_produced_in_a_test_of_the_decision() -> None:
    """Except those with which nothing is decided."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_decide*.py"))
    missing = [r for r in Reason if f"Reason.{r.name}" not in tests and r not in WITHOUT_DECISION]
    assert missing == []


@pytest.mark.parametrize("reason", WITHOUT_DECISION)
def test_no_decision_has_no_number_and_no_write(reason: Reason) -> None:
    """The window begins anew."""
    before = History(applied=4, memory=Memory(window=Window().with_demand(START, 2.0, 120.0)))
    decision = no_decision(reason, "There is no Deployment payments.", before)
    assert (decision.final, decision.reason, decision.write) == (None, reason, False)
    assert decision.history.applied == 4
    assert decision.history.memory.window == Window()
