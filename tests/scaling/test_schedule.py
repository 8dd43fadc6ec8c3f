"""When is each scaler due?"""

from hypothesis import given
from hypothesis import strategies as st

from borough_operator.running.loop import Schedule, step_after

MOMENTS = st.floats(0, 1e6)


def middling() -> float:
    return 0.5


def test_first_due_time_is_within_the_interval() -> None:
    """Keys added at once are spread by the given randomness."""
    chances = iter([0.0, 0.25, 0.75])
    schedule: Schedule[str] = Schedule(lambda: next(chances))
    for name in "abc":
        schedule.spread(name, now=100.0, interval=8.0)
    assert list(schedule.take(108.0)) == [("a", 100.0), ("b", 102.0), ("c", 106.0)]


def test_only_due_keys_are_taken() -> None:
    """In the order of their due times."""
    schedule: Schedule[str] = Schedule(middling)
    for name, due in (("late", 9.0), ("now", 5.0), ("early", 3.0)):
        schedule.put(name, due)
    assert list(schedule.take(5.0)) == [("early", 3.0), ("now", 5.0)]
    assert schedule.next_due() == 9.0


def test_taken_key_is_not_due_until_put_back() -> None:
    """A scaler in work is not started again."""
    schedule: Schedule[str] = Schedule(middling)
    schedule.put("a", 1.0)
    assert list(schedule.take(10.0)) == [("a", 1.0)]
    assert list(schedule.take(1000.0)) == []


def test_last_put_or_forget_counts() -> None:
    """A rescheduled or forgotten key is not due at its former time."""
    schedule: Schedule[str] = Schedule(middling)
    schedule.put("moved", 1.0)
    schedule.put("moved", 20.0)
    schedule.put("gone", 1.0)
    schedule.forget("gone")
    assert list(schedule.take(10.0)) == []
    assert list(schedule.take(20.0)) == [("moved", 20.0)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), MOMENTS)), MOMENTS)
def test_every_key_is_due_once_at_its_last_time(puts: list[tuple[str, float]], now: float) -> None:
    """For any sequence of puts, no key is lost or returned twice."""
    schedule: Schedule[str] = Schedule(middling)
    for name, due in puts:
        schedule.put(name, due)
    last = dict(puts)
    taken = list(schedule.take(now))
    assert dict(taken) == {name: due for name, due in last.items() if due <= now}
    assert len(taken) == len(dict(taken))
    assert len(schedule) == len(last) - len(taken)


@given(MOMENTS, MOMENTS, st.floats(1, 600))
def test_next_step_is_a_future_multiple_of_the_interval(
    due: float, later: float, interval: float
) -> None:
    """A slow evaluation skips steps, and the phase stays."""
    now = due + later
    step = step_after(due, now, interval)
    assert now - 1e-6 * interval <= step <= now + interval * 1.000001
    steps = (step - due) / interval
    assert abs(steps - round(steps)) < 1e-3
