"""Does a simulated autoscaler run as a real one: start-up time, cost from the request on?"""

from collections.abc import Callable
from dataclasses import dataclass

from borough_operator.simulator.station import Station, model
from borough_operator.simulator.timeline import WARM_UP, Timeline, View, run

MODEL = model()


@dataclass
class Scripted:
    """Requests the replicas of a script at each second of the trace."""

    script: Callable[[int], int]
    period: int = 1

    def scale(self, view: View) -> int:
        """The script's number."""
        return self.script(view.now - WARM_UP)


def run_script(load: list[float], script: Callable[[int], int]) -> Timeline:
    """The run of a script."""
    return run(load, Scripted(script), Station(MODEL), MODEL)


def test_pod_is_ready_after_its_start_up_and_paid_for_at_once() -> None:
    """Eight seconds in the model."""
    timeline = run_script([10.0] * 30, lambda second: 2 if second < 5 else 4)

    assert list(timeline.replicas) == [2] * 5 + [4] * 25
    assert [second.ready for second in timeline.seconds] == [2] * 13 + [4] * 17


def test_removal_is_immediate_and_takes_starting_pods_first() -> None:
    """As a ReplicaSet does: unready pods carry no load."""
    timeline = run_script([10.0] * 30, lambda second: 2 if second < 5 else 6 if second < 9 else 3)

    assert [second.ready for second in timeline.seconds] == [2] * 13 + [3] * 17


def test_warm_up_is_run_and_not_scored() -> None:
    """A bad start before the trace costs nothing."""
    timeline = run_script([100.0] * 30, lambda second: 1 if second < -100 else 10)

    assert not any(second.violated for second in timeline.seconds)
    assert len(timeline.seconds) == len(timeline.replicas) == 30


def test_too_few_pods_leave_a_backlog() -> None:
    """100 per second on 3 pods, of 60, for 5 s: 200 wait. 7 more complete 100 per second beyond the
    load once they are ready; two seconds later none waits.
    """
    timeline = run_script([40.0] * 60 + [100.0] * 20, lambda second: 3 if second < 57 else 10)

    left = [round(second.backlog) for second in timeline.seconds[59:68]]
    assert left == [0, 40, 80, 120, 160, 200, 100, 0, 0]
    violated = [second.violated for second in timeline.seconds]
    assert violated.index(True) == 60
    assert not any(violated[68:])
