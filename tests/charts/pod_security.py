"""What the Pod Security Standard `restricted` forbids, written from its text, for Kubernetes 1.34.

https://kubernetes.io/docs/concepts/security/pod-security-standards/. The API server refuses such
a pod in a namespace that enforces the standard; here the violation names the container and the
rule.
"""

from collections.abc import Iterator
from typing import Any

from charts.helm import Object
from charts.objects import Pod

VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
        "projected", "secret",
    }
)  # fmt: skip  # as a table
SELINUX_TYPES = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
SECCOMP = frozenset({"RuntimeDefault", "Localhost"})
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")


def violations(pod: Pod) -> list[str]:
    """A sentence for everything that the standard forbids in this pod."""
    spec = pod.spec
    containers = [*pod.containers, *spec.get("ephemeralContainers", [])]
    return [
        f"{pod.owner}: {found}"
        for found in (
            *_of_the_pod(spec),
            *_of_annotations(pod),
            *_of_context("the pod", spec.get("securityContext", {})),
            *(
                f"container {container['name']}: {found}"
                for container in containers
                for found in _of_container(container, spec.get("securityContext", {}))
            ),
        )
    ]


def _of_the_pod(spec: Object) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is shared"
    for volume in spec.get("volumes", []):
        if wrong := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is of type {', '.join(sorted(wrong))}"
    for sysctl in spec.get("securityContext", {}).get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is set"


def _of_annotations(pod: Pod) -> Iterator[str]:
    for key, value in pod.annotations.items():
        if key.startswith("container.apparmor.security.beta.kubernetes.io/") and not (
            value in {"", "runtime/default"} or value.startswith("localhost/")
        ):
            yield f"annotation {key} is {value}"


def _of_context(whose: str, context: Object) -> Iterator[str]:
    """Violations in the security context of a pod or a container."""
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{whose} is a host process"
    apparmor = context.get("appArmorProfile", {}).get("type", "RuntimeDefault")
    if apparmor not in {"RuntimeDefault", "Localhost"}:
        yield f"{whose} has AppArmor profile {apparmor}"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{whose} has SELinux options {selinux}"
    if context.get("runAsNonRoot") is False:
        yield f"{whose} may run as root"
    if context.get("runAsUser") == 0:
        yield f"{whose} runs as root"
    if (seccomp := context.get("seccompProfile", {}).get("type")) not in {None, *SECCOMP}:
        yield f"{whose} has seccomp profile {seccomp}"


def _of_container(container: Object, of_pod: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    yield from _of_context("it", context)
    if context.get("privileged"):
        yield "it is privileged"
    if context.get("procMount", "Default") != "Default":
        yield f"procMount is {context['procMount']}"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if not context.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        yield "runAsNonRoot is not true"
    if not (context.get("seccompProfile") or of_pod.get("seccompProfile")):
        yield "it has no seccomp profile"
    yield from _of_capabilities(context.get("capabilities", {}))
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"host port {port['hostPort']} is taken"
    yield from _of_hosts(container)


def _of_capabilities(capabilities: Object) -> Iterator[str]:
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities are not dropped: ALL"
    if kept := set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"capabilities are added: {', '.join(sorted(kept))}"


def _of_hosts(container: Object) -> Iterator[str]:
    """A probe or a hook may not set a host."""
    handlers: dict[str, Any] = {name: container.get(name, {}) for name in PROBES}
    handlers |= {name: container.get("lifecycle", {}).get(name, {}) for name in HOOKS}
    for name, handler in handlers.items():
        for how in ("httpGet", "tcpSocket"):
            if host := handler.get(how, {}).get("host"):
                yield f"{name} asks host {host}"
