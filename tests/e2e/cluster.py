"""The cluster the current kube context names, by kubectl and helm: whatever a user could type.

Nothing here knows which cluster it is. What waits, waits for a condition, with a bound, and says in
a sentence what did not come about. What is looked at again and again is asked through one
`kubectl proxy`: a kubectl for each look would take the cores from the cluster that shares them with
the tests. No read depends on a NetworkPolicy: what is read
from a pod is read through `kubectl port-forward`, which enters it from its own node, where the API
server's proxy would come from another one and be refused.
"""

import atexit
import fcntl
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from borough import __version__
from borough_operator import __version__ as operator_version

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("BOROUGH_IMAGE", f"borough:{__version__}")
"""The image under test, as the cluster's nodes have it."""
LOAD_IMAGE = os.environ.get("BOROUGH_LOAD_IMAGE", f"borough-bill:{__version__}")
OPERATOR_IMAGE = os.environ.get("BOROUGH_OPERATOR_IMAGE", f"borough-operator:{operator_version}")
"""The operator's, likewise."""
GROUPS = {
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "servicescalers": "/apis/borough.dev/v1alpha1",
    "statefulsets": "/apis/apps/v1",
}
"""Where the API server keeps the kinds that tests look at."""
RESTRICTED = "pod-security.kubernetes.io/enforce"
COMMAND_S = 300.0
"""Far above what any one command takes."""
LOOK_S = 0.5
"""How often a condition is looked at."""

T = TypeVar("T")


class CommandFailed(Exception):
    """kubectl or helm said no; the message is the command and what it said."""


class NotInTime(AssertionError):
    """What was waited for did not come about; the message says what, and what there was instead."""


def kubectl(*args: str, input: str | None = None, within: float = COMMAND_S) -> str:  # noqa: A002  # subprocess' word
    """What it prints. Raises CommandFailed with its complaint."""
    return _run("kubectl", args, input, within)


def helm(*args: str, input: str | None = None, within: float = COMMAND_S) -> str:  # noqa: A002  # as above
    """What it prints. Raises CommandFailed with its complaint."""
    return _run("helm", args, input, within)


def _run(program: str, args: tuple[str, ...], text: str | None, within: float) -> str:
    spoken = f"{program} {' '.join(args)}"
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            [program, *args], input=text or "", capture_output=True, text=True,
            timeout=within, check=False,
        )  # fmt: skip  # one glance
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{spoken}: no end after {within:.0f} s") from None
    if done.returncode:
        raise CommandFailed(f"{spoken}: {(done.stderr.strip() or done.stdout.strip())[-4_000:]}")
    return done.stdout


def get(kind: str, selector: str = "", namespace: str = "default") -> list[dict[str, Any]]:
    """The objects of that kind that bear these labels. Raises CommandFailed."""
    query = urlencode({"labelSelector": selector})
    items: list[dict[str, Any]] = _asked(f"{_path(kind, namespace)}?{query}")["items"]
    return items


def look(kind: str, name: str, namespace: str) -> dict[str, Any]:
    """One object, as the API tells it. Raises CommandFailed."""
    return _asked(f"{_path(kind, namespace)}/{name}")


def _path(kind: str, namespace: str) -> str:
    return f"{GROUPS[kind]}/namespaces/{namespace}/{kind}"


def _asked(path: str) -> dict[str, Any]:
    try:
        return dict(_api().json(path))
    except OSError as error:
        raise CommandFailed(f"GET {path}: {error}") from None


@cache
def _api() -> "Way":
    """The API server, for as long as this process lives."""
    way = Way("proxy", "--port", "0")
    way.__enter__()
    atexit.register(way.__exit__, None, None, None)
    return way


def met(found: Mapping[str, Any]) -> set[str]:
    """The conditions of an object that hold."""
    conditions = found.get("status", {}).get("conditions", [])
    return {c["type"] for c in conditions if c["status"] == "True"}


def apply(namespace: str, *manifests: Mapping[str, Any], dry_run: bool = False) -> None:
    """Make these objects, or bring them up to date; `dry_run` only asks whether one might."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    only = ("--dry-run=server",) if dry_run else ()
    inside = ("--namespace", namespace, "--filename", "-")
    kubectl("apply", *inside, *only, input=json.dumps(listed))


def wait_until(what: str, condition: Callable[[], T | None], within: float) -> T:
    """The first answer of `condition` that is true of anything, looked at for `within` seconds.

    A command that fails counts as not yet. Raises NotInTime: "`what` did not come about in ..".
    """
    started, last = time.monotonic(), ""
    while True:
        try:
            if answer := condition():
                return answer
            last = repr(answer)
        except (CommandFailed, OSError) as error:
            last = str(error)
        if time.monotonic() - started > within:
            raise NotInTime(f"{what} did not come about in {within:.0f} s; at last: {last}")
        time.sleep(LOOK_S)


class Way:
    """A local port that `kubectl WORDS` opens, for as long as the context lasts."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.url = ""

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile("w+")  # a pipe would fill
        self._process = subprocess.Popen(  # noqa: S603  # our own words
            ["kubectl", *self._words],  # noqa: S607  # the user's kubectl
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        try:
            self.url = f"http://127.0.0.1:{self._local_port()}"
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _local_port(self) -> str:
        """The port kubectl chose. Raises CommandFailed with its complaint."""
        spoken = f"kubectl {' '.join(self._words)}"
        said = wait_until(f"{spoken}, a word of it", self._first_words, within=30)
        found = re.search(r" (?:from|on) 127\.0\.0\.1:(\d+)\b", said)
        if found is None:
            raise CommandFailed(f"{spoken}: {said}")
        return found[1]

    def _first_words(self) -> str:
        """A whole line of what it said, or that it ended."""
        ended = self._process.poll() is not None
        self._said.seek(0)
        said = self._said.read()
        return said if said.endswith("\n") else "it ended" if ended else ""

    def get(self, path: str, accept: str = "*/*") -> str:
        """The body of the answer. Raises OSError where there is none, or none below 400."""
        request = Request(self.url + path, headers={"Accept": accept})  # noqa: S310  # http, above
        with urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return str(answer.read().decode())

    def json(self, path: str) -> Any:
        """The same, read as JSON."""
        return json.loads(self.get(path))


class Forward(Way):
    """A way into a pod: `kubectl port-forward` to `target`, which is "pod/NAME", "service/NAME"
    (one pod of it) or "deployment/NAME", at its `port`.
    """

    def __init__(self, namespace: str, target: str, port: int) -> None:
        super().__init__("--namespace", namespace, "port-forward", target, f":{port}")


def exec_python(namespace: str, target: str, code: str, *args: str, within: float = 60) -> str:
    """What this program prints that runs inside "pod/NAME" or "deployment/NAME"; it finds `args`
    in sys.argv[1:]. Raises CommandFailed.
    """
    return kubectl(
        "exec", "--namespace", namespace, "--stdin", target, "--", "python", "-", *args,
        input=code, within=within,
    )  # fmt: skip  # one glance


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Only one process at a time does `what`, here or in another test run."""
    with (Path(tempfile.gettempdir()) / f"borough-e2e-{what}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A new namespace that enforces `restricted`, for as long as the context lasts.

    What an earlier run left under that name goes first. The end does not wait until it is gone.
    """
    kubectl("delete", "namespace", name, "--ignore-not-found", "--wait")
    labels = {RESTRICTED: "restricted"}
    made = {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
    }  # fmt: skip  # one glance
    kubectl("create", "--filename", "-", input=json.dumps(made))
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


class JobRun(NamedTuple):
    """How a Job ended: whether well, and all its pods printed."""

    ok: bool
    logs: str


def start_job(namespace: str, manifest: Mapping[str, Any]) -> str:
    """Start this Job, in the place of one of its name; the name."""
    name = str(manifest["metadata"]["name"])
    kubectl("delete", "job", name, "--namespace", namespace, "--ignore-not-found", "--wait")
    apply(namespace, manifest)
    return name


def finish_job(namespace: str, name: str, within: float) -> JobRun:
    """Wait for its end, and read what it printed; the Job is deleted. Raises NotInTime."""

    def ended() -> str:
        job = look("jobs", name, namespace)
        return next((word for word in ("Complete", "Failed") if word in met(job)), "")

    word = wait_until(f"the end of job {name}", ended, within)
    logs = kubectl("logs", f"job/{name}", "--namespace", namespace, "--all-containers")
    kubectl("delete", "job", name, "--namespace", namespace, "--wait=false")
    return JobRun(word == "Complete", logs)
