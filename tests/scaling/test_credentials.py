"""Are credentials found, read and renewed?"""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from borough_operator.kube.credentials import (
    REREAD_AFTER,
    Credentials,
    NoCredentials,
    Token,
    find,
    of_kubeconfig,
)
from scaling.servers import Clock

POD = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def kubeconfig(folder: Path, user: Mapping[str, Any], **cluster: Any) -> Path:
    path = folder / "config"
    content = {
        "current-context": "here",
        "contexts": [
            {"name": "there", "context": {"cluster": "other", "user": "other"}},
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def account(tmp_path: Path) -> Path:
    for name, content in (("token", "one\n"), ("ca.crt", "PEM"), ("namespace", "shop\n")):
        (tmp_path / name).write_text(content)
    return tmp_path


def test_pod_uses_its_service_account(account: Path) -> None:
    """Address, CA, namespace and token come from where the kubelet puts them."""
    found = find(POD, account)
    assert (found.server, found.namespace, found.ca) == ("https://[fd00::1]:443", "shop", "PEM")
    assert found.headers() == {"Authorization": "Bearer one"}


def test_kubeconfig_variable_takes_precedence_over_the_pod(account: Path) -> None:
    """KUBECONFIG is explicit, so it is used inside a pod too."""
    named = kubeconfig(account, {"token": "t"})
    assert find({**POD, "KUBECONFIG": str(named)}, account).server == "https://api:6443"


def test_current_context_selects_cluster_and_user(tmp_path: Path) -> None:
    """Inline data and referenced files are both read."""
    (tmp_path / "client.key").write_text("KEY")
    data = base64.b64encode(b"CERTIFICATE").decode()
    user = {"client-certificate-data": data, "client-key": "client.key"}
    found = of_kubeconfig(kubeconfig(tmp_path, user, **{"insecure-skip-tls-verify": True}))
    assert (found.certificate, found.key, found.insecure) == ("CERTIFICATE", "KEY", True)
    assert (found.namespace, found.headers()) == ("shop", {})


def test_root_certificate_without_strict_extensions_is_accepted() -> None:
    """Signature and host name are still verified."""
    context = Credentials("https://api:6443").ssl_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    insecure = Credentials("https://api:6443", insecure=True).ssl_context()
    assert (insecure.verify_mode, insecure.check_hostname) == (ssl.CERT_NONE, False)


def test_token_is_read_again_after_a_minute_or_a_refusal(tmp_path: Path) -> None:
    """The kubelet renews it within its hour."""
    file, clock = tmp_path / "token", Clock()
    token = Token(file=file, clock=clock)
    file.write_text("one")
    assert token.now() == "one"
    file.write_text("two")
    clock.now += REREAD_AFTER - 1
    assert token.now() == "one"
    clock.now += 1
    assert token.now() == "two"
    file.write_text("three")
    token.forget()
    assert token.now() == "three"


def test_unsupported_login_is_refused_by_name(tmp_path: Path) -> None:
    """The message contains the file, the user and the supported ways."""
    path = kubeconfig(tmp_path, {"exec": {"command": "cloud"}})
    with pytest.raises(NoCredentials, match=r"user u logs in by exec.* use a token, a tokenFile"):
        of_kubeconfig(path)


@pytest.mark.parametrize("content", ["", "clusters: []", "current-context: x", "{", "- a"])
def test_invalid_kubeconfig_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    """The message names the file."""
    path = tmp_path / "broken"
    path.write_text(content)
    with pytest.raises(NoCredentials, match="broken"):
        of_kubeconfig(path)


def test_missing_credentials_name_the_places_searched(tmp_path: Path) -> None:
    """Outside a cluster, and in a pod without a service account."""
    with pytest.raises(NoCredentials, match="KUBECONFIG is not set"):
        find({"HOME": str(tmp_path)})
    with pytest.raises(NoCredentials, match="no service account"):
        find(POD, tmp_path)
