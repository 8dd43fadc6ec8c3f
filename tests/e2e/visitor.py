"""Ways to a shop's door: from a pod elsewhere in the cluster, and by curl from outside of it.

A visitor's pod has nothing to do with the release: another namespace, no label of ours. It runs our
image because that is the one image sure to be there.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from e2e.cluster import IMAGE, CommandFailed, apply, exec_python, kubectl

ASK = """
import json, sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen
asked = json.loads(sys.argv[1])
request = Request(asked["url"], method=asked["method"], headers=asked["headers"])
if asked["body"] is not None:
    request.data = json.dumps(asked["body"]).encode()
    request.add_header("Content-Type", "application/json")
try:
    answer = urlopen(request, timeout=20)
except HTTPError as error:
    answer = error
headers = {name.lower(): value for name, value in answer.headers.items()}
print(json.dumps([answer.status, headers, answer.read().decode()]))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door says; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The JSON of it."""
        return json.loads(self.text)


class Door(Protocol):
    """Asks the public port of a shop. Raises CommandFailed where no answer comes."""

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class FromPod:
    """From inside a pod that has Python: `url` is the door as the cluster knows it."""

    namespace: str
    pod: str
    url: str

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        asked = {"method": method, "url": self.url + path, "headers": dict(headers or {})}
        said = exec_python(self.namespace, self.pod, ASK, json.dumps({**asked, "body": body}))
        return Answer(*json.loads(said))


@dataclass(frozen=True, slots=True)
class ByCurl:
    """By curl, from where the tests run: `url` is a forwarded port."""

    url: str

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        words = ["curl", "--silent", "--show-error", "--include", "--max-time", "20"]
        words += ["--request", method, self.url + path]
        for name, value in (headers or {}).items():
            words += ["--header", f"{name}: {value}"]
        if body is not None:
            words += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
        done = subprocess.run(  # noqa: S603  # our own words
            words, capture_output=True, check=False
        )
        if done.returncode:
            raise CommandFailed(f"curl {method} {path}: {done.stderr.decode()}")
        head, _, text = done.stdout.decode().partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        return Answer(int(status.split()[1]), headers, text)


def restricted_pod(name: str, *command: str) -> dict[str, Any]:
    """A pod of our image that `restricted` admits, running this command."""
    container = {
        "name": "main",
        "image": IMAGE,
        "command": list(command),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 0,  # it has nothing to end
            "containers": [container],
        },
    }


def send_visitor(namespace: str, name: str = "visitor") -> str:
    """A pod that does nothing but be there, for `exec_python`; how kubectl calls it."""
    waiting = "import signal; signal.pause()"
    apply(namespace, restricted_pod(name, "python", "-c", waiting))
    pod = f"pod/{name}"
    kubectl("wait", "--namespace", namespace, "--for", "condition=Ready", pod, "--timeout", "60s")
    return pod
