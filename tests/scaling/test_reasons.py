"""Is every reason of the closed list explained, and produced by something?

A file of its own because it reads what all modules of the decision produce.
"""

from pathlib import Path

import pytest

from borough_operator.decision.decide import impossible
from borough_operator.decision.memory import Memory, Window
from borough_operator.decision.model import History, Reason
from borough_operator.decision.reasons import MEANING
from scaling.worlds import START

OF_OTHERS = (Reason.TARGET_MISSING, Reason.TARGET_UNREADABLE, Reason.SPEC_INVALID)


def test_every_reason_has_one_sentence() -> None:
    """The list in the docs is the list in the code."""
    assert set(MEANING) == set(Reason)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in MEANING.values())
    assert len(set(MEANING.values())) == len(Reason)


def test_every_reason_has_a_test_that_produces_it() -> None:
    """Each is named in a test of the decision, or by those who decide that there is none."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_decide*.py"))
    missing = [r for r in Reason if f"Reason.{r.name}" not in tests and r not in OF_OTHERS]
    assert missing == []


@pytest.mark.parametrize("reason", OF_OTHERS)
def test_where_nothing_can_be_decided_nothing_is_done(reason: Reason) -> None:
    """No number is said, nothing is written, and the window begins anew."""
    before = History(applied=4, memory=Memory(window=Window().seen(START, 2.0, 120.0)))
    decision = impossible(reason, "There is no Deployment payments.", before)
    assert (decision.answer, decision.reason, decision.write) == (None, reason, False)
    assert decision.history.applied == 4
    assert decision.history.memory.window == Window()
