"""When is each scaler due, and does anybody hurry or get lost?"""

from hypothesis import given
from hypothesis import strategies as st

from borough_operator.running.schedule import Schedule, step_after

MOMENTS = st.floats(0, 1e6)


def middling() -> float:
    return 0.5


def test_a_first_moment_lies_within_the_interval() -> None:
    """Ten thousand that come at once are spread, by the chance that is handed in."""
    chances = iter([0.0, 0.25, 0.75])
    schedule: Schedule[str] = Schedule(lambda: next(chances))
    for name in "abc":
        schedule.spread(name, now=100.0, interval=8.0)
    assert list(schedule.take(108.0)) == [("a", 100.0), ("b", 102.0), ("c", 106.0)]


def test_who_is_not_due_stays() -> None:
    """Taken are those whose moment has come, in its order."""
    schedule: Schedule[str] = Schedule(middling)
    for name, due in (("late", 9.0), ("now", 5.0), ("early", 3.0)):
        schedule.put(name, due)
    assert list(schedule.take(5.0)) == [("early", 3.0), ("now", 5.0)]
    assert schedule.next_due() == 9.0


def test_who_was_taken_is_not_due_until_put_back() -> None:
    """What is being worked on is not begun again."""
    schedule: Schedule[str] = Schedule(middling)
    schedule.put("a", 1.0)
    assert list(schedule.take(10.0)) == [("a", 1.0)]
    assert list(schedule.take(1000.0)) == []


def test_the_last_word_counts() -> None:
    """Who is put elsewhere, or forgotten, is not due when it was."""
    schedule: Schedule[str] = Schedule(middling)
    schedule.put("moved", 1.0)
    schedule.put("moved", 20.0)
    schedule.put("gone", 1.0)
    schedule.forget("gone")
    assert list(schedule.take(10.0)) == []
    assert list(schedule.take(20.0)) == [("moved", 20.0)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), MOMENTS)), MOMENTS)
def test_everybody_is_due_once_at_the_moment_put_last(
    puts: list[tuple[str, float]], now: float
) -> None:
    """Whatever was put in whatever order, nobody is lost and nobody comes twice."""
    schedule: Schedule[str] = Schedule(middling)
    for name, due in puts:
        schedule.put(name, due)
    last = dict(puts)
    taken = list(schedule.take(now))
    assert dict(taken) == {name: due for name, due in last.items() if due <= now}
    assert len(taken) == len(dict(taken))
    assert len(schedule) == len(last) - len(taken)


@given(MOMENTS, MOMENTS, st.floats(1, 600))
def test_the_next_step_is_ahead_and_on_the_grid(due: float, later: float, interval: float) -> None:
    """A decision that took too long leaves out steps, and the rhythm stays."""
    now = due + later
    step = step_after(due, now, interval)
    assert now - 1e-6 * interval <= step <= now + interval * 1.000001
    steps = (step - due) / interval
    assert abs(steps - round(steps)) < 1e-3
