"""Credentials of the API server: of a pod's service account, or of a kubeconfig.

The kubelet renews a service account's token within its hour, so the file is read again after a
minute.
"""

import base64
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD_AFTER = 60.0
"""Seconds for which a token read from a file is used."""


class NoCredentials(Exception):
    """No credentials were found; the message says where they were looked for."""


@dataclass(slots=True)
class Token:
    """A bearer token, which may be renewed in its file."""

    text: str = ""
    file: Path | None = None
    clock: Callable[[], float] = time.monotonic
    _read_at: float = field(default=float("-inf"), repr=False)

    def now(self) -> str:
        """The token; empty where none is used. Raises OSError."""
        if self.file is not None and self.clock() - self._read_at >= REREAD_AFTER:
            self.text = self.file.read_text("utf-8").strip()
            self._read_at = self.clock()
        return self.text

    def forget(self) -> None:
        """Read the file again at the next use, since the token was refused."""
        self._read_at = float("-inf")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Address and trust of the API server, and the client's identity. Certificates and keys are
    PEM.
    """

    server: str
    namespace: str = "default"
    """The namespace of the pod, or of the kubeconfig's context."""
    ca: str | None = None
    insecure: bool = False
    certificate: str | None = None
    key: str | None = None
    token: Token = field(default_factory=Token)

    def headers(self) -> dict[str, str]:
        token = self.token.now()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def ssl_context(self) -> ssl.SSLContext:
        """The TLS context of both directions. Raises ssl.SSLError.

        VERIFY_X509_STRICT, Python 3.13's default, requires extensions that RFC 5280 leaves optional
        and that the roots of many clusters, such as EKS's, lack: it is off, as in kubectl.
        """
        context = ssl.create_default_context(cadata=self.ca)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None and self.key is not None:
            with tempfile.NamedTemporaryFile("w") as pair:  # OpenSSL reads them from files only
                pair.write(f"{self.certificate}\n{self.key}")
                pair.flush()
                context.load_cert_chain(pair.name)
        return context


def find(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Credentials:
    """Credentials of the kubeconfig that KUBECONFIG names, else of this pod, else of
    ~/.kube/config.

    Raises NoCredentials.
    """
    named = environment.get("KUBECONFIG", "").split(os.pathsep)[0]
    if named:
        return of_kubeconfig(Path(named))
    if "KUBERNETES_SERVICE_HOST" in environment:
        return of_pod(environment, account)
    home = Path(environment.get("HOME", "/")) / ".kube" / "config"
    if home.exists():
        return of_kubeconfig(home)
    raise NoCredentials(
        "not in a pod of a cluster, KUBECONFIG is not set, and there is no ~/.kube/config"
    )


def of_pod(environment: Mapping[str, str], account: Path = ACCOUNT) -> Credentials:
    """Credentials of this pod's service account. Raises NoCredentials."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
    if ":" in host:  # IPv6
        host = f"[{host}]"
    try:
        return Credentials(
            server=f"https://{host}:{port}",
            namespace=(account / "namespace").read_text("utf-8").strip(),
            ca=(account / "ca.crt").read_text("utf-8"),
            token=Token(file=account / "token"),
        )
    except OSError as error:
        raise NoCredentials(f"this pod has no service account: {error}") from None


def of_kubeconfig(path: Path) -> Credentials:
    """Credentials of a kubeconfig's current context. Raises NoCredentials."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        context = _named(content, "contexts", content["current-context"])["context"]
        cluster = _named(content, "clusters", context["cluster"])["cluster"]
        user = _named(content, "users", context["user"])["user"] or {}
        file = user.get("tokenFile")
        if unknown := {"exec", "auth-provider", "username"} & user.keys():
            raise NoCredentials(
                f"{path}: user {context['user']} logs in by {min(unknown)}, which is not supported "
                "here: use a token, a tokenFile or a client certificate"
            )
        return Credentials(
            server=cluster["server"].rstrip("/"),
            namespace=context.get("namespace", "default"),
            ca=_pem(path, cluster, "certificate-authority"),
            insecure=cluster.get("insecure-skip-tls-verify", False),
            certificate=_pem(path, user, "client-certificate"),
            key=_pem(path, user, "client-key"),
            token=Token(user.get("token", ""), None if file is None else path.parent / file),
        )
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NoCredentials(f"{path}: {error}") from None
    except (KeyError, TypeError, StopIteration):
        raise NoCredentials(f"{path} has no current context with a cluster and a user") from None


def _named(content: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(entry for entry in content[kind] if entry["name"] == name)
    return found


def _pem(path: Path, holder: Mapping[str, Any], field_name: str) -> str | None:
    if (data := holder.get(f"{field_name}-data")) is not None:
        return base64.b64decode(data).decode()
    if (file := holder.get(field_name)) is not None:
        pem: str = (path.parent / file).read_text("utf-8")
        return pem
    return None
