"""Load on a shop while something is done to it, and what came of it: Jobs of our own image.

`open_loop` is the chart's own load: requests leave at their times whatever the answers, so that a
stall shows as failures, never as fewer requests. `customers` are a closed loop: each repeats an
order under its key until it is settled. Both report the responses at their end, and `audit` the
content of the stores.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import yaml

from borough_telemetry.signals import SERVER_DURATION
from e2e.cluster import (
    Forward,
    exec_python,
    finish_job,
    get,
    kubectl,
    one_at_a_time,
    start_job,
    wait_until,
)
from e2e.release import Release, Values, is_ready

OPS = 9090
ANSWERED = f"{SERVER_DURATION.series}_count"
START_S, END_S = 60, 60
"""Bounds, for a Job to get under way, and from its last request to its end."""
UNDER_WAY = 10
"""So many requests at the door, some to prepare, mean that a load is under way."""
AUDIT = """
import subprocess, sys
words = [sys.executable, "-m", "borough", "audit", "--json", "--app", sys.argv[1]]
done = subprocess.run(words, capture_output=True)
print((done.stdout or done.stderr).decode())
"""


class TooShort(AssertionError):
    """A load that was over before what was to be done under it: it proves nothing."""


class Load:
    """A Job that sends requests for so many `seconds`, under way while the context lasts.

    At its end the context waits for the last answer; `report` is then what the Job prints, a
    `LoadResult` or a `CustomersResult` of the bill. Raises TooShort. `door` is a part that hosts
    the gateway: it tells when the first requests have come.
    """

    def __init__(
        self, release: Release, manifest: Mapping[str, Any], *, door: str, seconds: float
    ) -> None:
        self.report: dict[str, Any] = {}
        self._release = release
        self._manifest = manifest
        self._door = door
        self._seconds = seconds

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Returns once it is under way."""
        with counted(self._release, self._door) as counts:
            enough = sum(counts().values()) + UNDER_WAY
            self._job = start_job(self._release.namespace, self._manifest)
            what = f"{UNDER_WAY} requests of job {self._job}"
            try:
                wait_until(what, lambda: sum(counts().values()) >= enough, START_S)
            except AssertionError as error:
                error.add_note(self._release.explain())
                self.stop()
                raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is not None:
            self.stop()
        else:
            self.check()
            self.finish()

    def check(self) -> None:
        """Raises TooShort where it is over."""
        jobs = {job["metadata"]["name"]: job for job in get("jobs", "", self._release.namespace)}
        if jobs[self._job]["status"].get("conditions"):
            raise TooShort(f"{self._seconds:.0f} s of load were over before what was done under it")

    def finish(self) -> None:
        """Wait for the last answer."""
        run = finish_job(self._release.namespace, self._job, self._seconds + END_S)
        self.report = _document(run.logs)

    def stop(self) -> None:
        """End it at once, without a report."""
        kubectl("delete", "job", self._job, "--namespace", self._release.namespace, "--wait")


def open_loop(  # noqa: PLR0913  # the sides of a load
    release: Release,
    values: Values,
    *,
    door: str,
    rate: float,
    seconds: float,
    workload: str = "orders",
    shares: tuple[str, ...] = (),
    arrivals: str = "poisson",
) -> Load:
    """So many requests a second; `values` are those of the release."""
    wanted = {"rate": rate, "seconds": seconds, "workload": workload, "shares": list(shares)}
    manifest = _manifest(release, values, wanted)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["args"].append(f"--arrivals={arrivals}")
    return Load(release, manifest, door=door, seconds=seconds)


def customers(release: Release, values: Values, *, door: str, seconds: float) -> Load:
    """Two who order at the same time, and again a moment later."""
    manifest = _manifest(release, values, {})
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    (keys,) = (word for word in container["args"] if word.startswith("--keys="))
    container["args"] = [
        "customers", release.door, keys, "--json",
        "--at-once=2", "--pause=0.2", f"--seconds={seconds}",
    ]  # fmt: skip  # the command as one would type it
    return Load(release, manifest, door=door, seconds=seconds)


@contextmanager
def together(*loads: Load) -> Iterator[None]:
    """All of them under way while the context lasts, and to their ends. Raises TooShort."""
    with ExitStack() as stack:
        for load in loads:
            load.start()
            stack.callback(load.stop)
        yield
        for load in loads:
            load.check()
        stack.pop_all()
    for load in loads:
        load.finish()


def _manifest(release: Release, values: Values, load: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**values, "load": {"enabled": True, "json": True, **load}}
    (job,) = filter(None, yaml.safe_load_all(release.template(whole, "load.yaml")))
    return dict(job)


def turn() -> AbstractContextManager[None]:
    """Loads take turns, with what is done under them: two cores carry one of them, not two."""
    return one_at_a_time("load")


def failures(report: Mapping[str, Any]) -> dict[str, Any]:
    """What an open loop was denied, by reason, with the first few in full; empty if nothing."""
    return (
        {k: report[k] for k in ("reasons", "first_failures", "statuses")}
        if report["reasons"]
        else {}
    )


def served(report: Mapping[str, Any]) -> int:
    """How many requests of an open loop were answered as they should be, from its first."""
    return int(report["served"] + report["warm_up"]["served"])


def audit(release: Release, part: str, app: str = "borough_shop.app:APP") -> dict[str, Any]:
    """What the auditor finds once nothing is under way: `clean`, `orders` by status, `violations`.

    He reads every store, which any part that has one of its own can reach.
    """
    return _document(
        exec_python(release.namespace, release.deployment(part), AUDIT, app, within=120)
    )


def _document(said: str) -> dict[str, Any]:
    """The one line of JSON of a program, which says in other words why there is none."""
    try:
        (line,) = (line for line in said.splitlines() if line.startswith("{"))
        return dict(json.loads(line))
    except ValueError:
        raise AssertionError(f"it says: {said}") from None


@contextmanager
def counted(release: Release, part: str) -> Iterator[Any]:
    """A function that answers how many requests each pod of a part has answered, by its own count:
    the pods that are ready as the context begins.
    """
    with ExitStack() as stack:
        names = [pod["metadata"]["name"] for pod in release.pods(part) if is_ready(pod)]
        ways = {
            name: stack.enter_context(Forward(release.namespace, f"pod/{name}", OPS))
            for name in names
        }
        yield partial(_counts, ways)


def _counts(ways: Mapping[str, Forward]) -> dict[str, float]:
    return {name: _answered(way.get("/metrics")) for name, way in ways.items()}


def _answered(page: str) -> float:
    lines = (line for line in page.splitlines() if line.startswith(ANSWERED))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
