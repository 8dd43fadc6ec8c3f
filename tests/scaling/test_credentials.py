"""How does the operator find its way to the API server, and prove who it is?"""

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


def test_a_pod_is_its_service_account(account: Path) -> None:
    """Address, authority, namespace and token are where the kubelet puts them."""
    found = find(POD, account)
    assert (found.server, found.namespace, found.ca) == ("https://[fd00::1]:443", "shop", "PEM")
    assert found.headers() == {"Authorization": "Bearer one"}


def test_a_kubeconfig_that_was_named_comes_first(account: Path) -> None:
    """Whoever names one means it, also inside a pod."""
    named = kubeconfig(account, {"token": "t"})
    assert find({**POD, "KUBECONFIG": str(named)}, account).server == "https://api:6443"


def test_the_current_context_says_who_and_where(tmp_path: Path) -> None:
    """Data in the file and files beside it are both read."""
    (tmp_path / "client.key").write_text("KEY")
    data = base64.b64encode(b"CERTIFICATE").decode()
    user = {"client-certificate-data": data, "client-key": "client.key"}
    found = of_kubeconfig(kubeconfig(tmp_path, user, **{"insecure-skip-tls-verify": True}))
    assert (found.certificate, found.key, found.insecure) == ("CERTIFICATE", "KEY", True)
    assert (found.namespace, found.headers()) == ("shop", {})


def test_a_cluster_s_plain_root_is_trusted() -> None:
    """Whatever Python thinks of its extensions, it is checked, and the name is."""
    context = Credentials("https://api:6443").ssl_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    insecure = Credentials("https://api:6443", insecure=True).ssl_context()
    assert (insecure.verify_mode, insecure.check_hostname) == (ssl.CERT_NONE, False)


def test_a_token_is_read_again(tmp_path: Path) -> None:
    """The kubelet renews it: after a minute, and at once when it was refused."""
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


def test_a_way_to_log_in_that_is_not_known_is_named(tmp_path: Path) -> None:
    """It is refused with the file, the user and what would do instead."""
    path = kubeconfig(tmp_path, {"exec": {"command": "cloud"}})
    with pytest.raises(NoCredentials, match=r"user u logs in by exec.* use a token, a tokenFile"):
        of_kubeconfig(path)


@pytest.mark.parametrize("content", ["", "clusters: []", "current-context: x", "{", "- a"])
def test_a_kubeconfig_that_says_nothing_is_named(tmp_path: Path, content: str) -> None:
    """The message names the file."""
    path = tmp_path / "broken"
    path.write_text(content)
    with pytest.raises(NoCredentials, match="broken"):
        of_kubeconfig(path)


def test_no_way_at_all_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """A process on a machine that knows no cluster learns what to set."""
    with pytest.raises(NoCredentials, match="KUBECONFIG is not set"):
        find({"HOME": str(tmp_path)})
    with pytest.raises(NoCredentials, match="no service account"):
        find(POD, tmp_path)
