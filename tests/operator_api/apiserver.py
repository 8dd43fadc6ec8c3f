"""A Kubernetes API server of our own: kube-apiserver on an etcd, in a folder that is thrown away.

There is no node and no controller: the tests write the status that these would write. What the
server itself does (schemas, CEL, defaults, managed fields, conflicts, watches, RBAC) is the real
thing. It starts in about four seconds and comes back on its port after a restart.
"""

import http.client
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from borough_bill.targets.processes import HOST, Ports, die_with_parent
from programs import program
from waiting import until

Object = dict[str, Any]

ABSENT = "{} is neither in KUBEBUILDER_ASSETS nor on the path: see setup-envtest"
READY_LOOKS = 1_200
ADMIN = "admin"
OPERATOR = "operator"
"""A user who may do nothing until a Role says so; the password of each is its name."""
LAST_WORDS = 10
_USERS = f"{ADMIN},{ADMIN},{ADMIN},system:masters\n{OPERATOR},{OPERATOR},{OPERATOR}\n"


class Refused(Exception):
    """What the server answered instead of an object."""

    def __init__(self, code: int, status: Object) -> None:
        super().__init__(status.get("message", ""))
        self.code = code
        self.reason = str(status.get("reason", ""))


def of_control_plane(name: str) -> str:
    """Where a program of the control plane is."""
    path = os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")))
    return program(name, ABSENT.format(name), path)


class ApiServer:
    """A running one, until `stop`. `arguments` come after ours, so that they win."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self._programs = {name: of_control_plane(name) for name in ("etcd", "kube-apiserver")}
        self._ports = ports = Ports()
        self._etcd, self._peers, self._port = ports.public, ports.internal, ports.ops
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.url = f"https://{HOST}:{self._port}"
        self.authority = folder / "pki" / "apiserver.crt"
        (folder / "users.csv").write_text(_USERS)

    def start(self) -> None:
        """Bring up what does not run, and wait until it serves."""
        etcd = f"http://{HOST}:{self._etcd}"
        key = self.folder / "pki" / "apiserver.key"  # the server makes it before it asks for it
        self._run("etcd", "--log-level=error", "--unsafe-no-fsync",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://{HOST}:{self._peers}")  # fmt: skip  # as one types it
        self._run("kube-apiserver", f"--etcd-servers={etcd}",
            f"--bind-address={HOST}", f"--secure-port={self._port}", f"--cert-dir={key.parent}",
            f"--advertise-address={HOST}", "--endpoint-reconciler-type=none",
            f"--token-auth-file={self.folder / 'users.csv'}", "--authorization-mode=RBAC",
            f"--service-account-signing-key-file={key}", f"--service-account-key-file={key}",
            "--service-account-issuer=https://tests", "--service-cluster-ip-range=198.18.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # no controller makes any
            *self._arguments)  # fmt: skip  # as one types it
        self._wait_until_ready()

    def stop(self, *names: str) -> None:
        """End those programs, or both; what is stored stays."""
        for name in names or ("kube-apiserver", "etcd"):
            if (process := self._running.pop(name, None)) is not None:
                process.kill()  # etcd's log has everything; a clean exit would take longer
                process.wait()

    def restart(self) -> None:
        """The API server dies and comes back; every connection breaks."""
        self.stop("kube-apiserver")
        self.start()

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The file that lets a user in; what it names exists once the server runs."""
        path = self.folder / f"{user}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": user}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        }
        path.write_text(json.dumps(content))  # JSON is YAML
        return path

    def ask(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """What the administrator is answered: an object, or the text where it is none.

        Raises Refused, and OSError where there is no server.
        """
        request = urllib.request.Request(  # noqa: S310  # our own server
            self.url + path,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {ADMIN}",
                "Content-Type": content,
                "Accept": accept,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._trust()) as answer:  # noqa: S310  # our own
                text = answer.read().decode()
                return json.loads(text) if text.startswith("{") else text
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _status(error.read())) from None

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def _run(self, name: str, *arguments: str) -> None:
        if name in self._running:
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  # our own words
                [self._programs[name], *arguments],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # two system calls, and nothing else
            )

    def _wait_until_ready(self) -> None:
        def look() -> bool:
            for name, process in self._running.items():
                assert process.poll() is None, f"{name} ended: {self._last_words(name)}"
            return self._answers()

        until(look, looks=READY_LOOKS)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/readyz") == "ok")
        except (OSError, http.client.HTTPException, Refused):
            return False

    def _last_words(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-LAST_WORDS:])


def _status(body: bytes) -> Object:
    try:
        status: Object = json.loads(body)
    except ValueError:
        return {"message": body.decode("utf-8", "replace")}
    return status
