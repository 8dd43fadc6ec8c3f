"""Does a simulated policy live as a real one would: late pods, paid from the start, seen late?"""

from collections.abc import Callable
from dataclasses import dataclass

from borough_operator.simulator.pods import model
from borough_operator.simulator.station import Station
from borough_operator.simulator.timeline import WARM_UP, Timeline, View, run

MODEL = model()


@dataclass
class Scripted:
    """Asks for what a script says at each second of the trace."""

    script: Callable[[int], int]
    period: int = 1

    def scale(self, view: View) -> int:
        """The script's answer."""
        return self.script(view.now - WARM_UP)


def lived(load: list[float], script: Callable[[int], int]) -> Timeline:
    """What came of a script."""
    return run(load, Scripted(script), Station(MODEL), MODEL)


def test_a_pod_is_ready_eight_seconds_after_it_was_asked_for_and_paid_for_at_once() -> None:
    """The model's start-up time."""
    timeline = lived([10.0] * 30, lambda second: 2 if second < 5 else 4)

    assert list(timeline.replicas) == [2] * 5 + [4] * 25
    assert [second.ready for second in timeline.seconds] == [2] * 13 + [4] * 17


def test_what_is_removed_goes_at_once_and_the_starting_go_first() -> None:
    """As a ReplicaSet chooses: pods that are not ready bear no load."""
    timeline = lived([10.0] * 30, lambda second: 2 if second < 5 else 6 if second < 9 else 3)

    assert [second.ready for second in timeline.seconds] == [2] * 13 + [3] * 17


def test_the_warm_up_is_lived_and_not_judged() -> None:
    """A policy that begins badly and has learned when the trace begins pays nothing for it."""
    timeline = lived([100.0] * 30, lambda second: 1 if second < -100 else 10)

    assert not any(second.violated for second in timeline.seconds)
    assert len(timeline.seconds) == len(timeline.replicas) == 30


def test_too_few_pods_leave_a_backlog_that_must_be_worked_off() -> None:
    """100 a second on 3 pods, of 60, for 5 s: 200 wait. 7 more do 100 a second beyond the load, in
    the second in which they come at last; two seconds later nobody waits.
    """
    timeline = lived([40.0] * 60 + [100.0] * 20, lambda second: 3 if second < 57 else 10)

    left = [round(second.backlog) for second in timeline.seconds[59:68]]
    assert left == [0, 40, 80, 120, 160, 200, 100, 0, 0]
    violated = [second.violated for second in timeline.seconds]
    assert violated.index(True) == 60
    assert not any(violated[68:])
