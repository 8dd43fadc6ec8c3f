"""Do the checks of rendered text find violations?"""

import copy
from collections.abc import Callable

import pytest

from charts import pod_security
from charts.helm import Object
from charts.network import Place, Policies
from charts.objects import Pod, environment, selects

GOOD: Object = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "initContainers": [
        {
            "name": "first",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
    "containers": [
        {
            "name": "main",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}

Change = Callable[[Object], object]


def context(spec: Object, container: str = "containers") -> Object:
    found: Object = spec[container][0]["securityContext"]
    return found


FORBIDDEN: dict[str, Change] = {
    "hostNetwork is shared": lambda s: s.update(hostNetwork=True),
    "volume disk is of type hostPath": lambda s: s["volumes"].append(
        {"name": "disk", "hostPath": {"path": "/"}}
    ),
    "sysctl kernel.msgmax is set": lambda s: s["securityContext"].update(
        sysctls=[{"name": "kernel.msgmax", "value": "1"}]
    ),
    "the pod is a host process": lambda s: s["securityContext"].update(
        windowsOptions={"hostProcess": True}
    ),
    "the pod has AppArmor profile Unconfined": lambda s: s["securityContext"].update(
        appArmorProfile={"type": "Unconfined"}
    ),
    "container main: it has SELinux options": lambda s: context(s).update(
        seLinuxOptions={"user": "root"}
    ),
    "container first: it may run as root": lambda s: context(s, "initContainers").update(
        runAsNonRoot=False
    ),
    "the pod runs as root": lambda s: s["securityContext"].update(runAsUser=0),
    "container main: it has seccomp profile Unconfined": lambda s: context(s).update(
        seccompProfile={"type": "Unconfined"}
    ),
    "container main: it is privileged": lambda s: context(s).update(privileged=True),
    "container main: procMount is Unmasked": lambda s: context(s).update(procMount="Unmasked"),
    "container first: allowPrivilegeEscalation is not false": lambda s: context(
        s, "initContainers"
    ).pop("allowPrivilegeEscalation"),
    "container main: runAsNonRoot is not true": lambda s: s["securityContext"].pop("runAsNonRoot"),
    "container main: it has no seccomp profile": lambda s: s["securityContext"].pop(
        "seccompProfile"
    ),
    "container main: capabilities are not dropped: ALL": lambda s: context(s).update(
        capabilities={"drop": ["NET_RAW"]}
    ),
    "container main: capabilities are added: SYS_ADMIN": lambda s: context(s).update(
        capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}
    ),
    "container main: host port 80 is taken": lambda s: s["containers"][0].update(
        ports=[{"containerPort": 80, "hostPort": 80}]
    ),
    "container main: livenessProbe asks host 10.0.0.1": lambda s: s["containers"][0][
        "livenessProbe"
    ]["httpGet"].update(host="10.0.0.1"),
}


def test_pod_that_meets_the_standard_has_no_violation() -> None:
    """A container inherits the security context of its pod."""
    assert pod_security.violations(Pod("Pod/good", {}, {}, GOOD)) == []


@pytest.mark.parametrize("finding", FORBIDDEN)
def test_every_violation_of_the_standard_is_found(finding: str) -> None:
    """One change to a valid pod, and the violation that names it."""
    spec = copy.deepcopy(GOOD)
    FORBIDDEN[finding](spec)

    found = pod_security.violations(Pod("Pod/bad", {}, {}, spec))

    assert any(f.startswith(f"Pod/bad: {finding}") for f in found), found


def test_former_apparmor_annotation_is_found() -> None:
    """It disables the profile on older nodes."""
    old = {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}

    assert pod_security.violations(Pod("Pod/bad", {}, old, GOOD)) == [
        "Pod/bad: annotation container.apparmor.security.beta.kubernetes.io/main is unconfined"
    ]


def policy(selector: Object, **directions: list[Object]) -> Object:
    kinds = [name.capitalize() for name in directions]
    return {"spec": {"podSelector": selector, "policyTypes": kinds, **directions}}


A = Place("a", "shop", {"app": "a"})
B = Place("b", "shop", {"app": "b"}, {"http": 8080})
FAR = Place("far", "elsewhere", {"app": "a"})
OUTSIDE = Place("outside", address="203.0.113.7")
DENY = policy({}, ingress=[], egress=[])
A_TO_B = policy(
    {"matchLabels": {"app": "a"}},
    egress=[{"to": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": "http"}]}],
)
B_FROM_A = policy(
    {"matchLabels": {"app": "b"}},
    ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 8080}]}],
)
B_FROM_NEAR_AND_FAR = policy(
    {"matchLabels": {"app": "b"}},
    ingress=[{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "a"}}}]}],
)
A_TO_THE_WORLD = policy(
    {"matchLabels": {"app": "a"}},
    egress=[{"to": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/30"]}}]}],
)


@pytest.mark.parametrize(
    ("policies", "source", "target", "port", "passes"),
    [
        ([], A, B, 8080, True),
        ([DENY], A, B, 8080, False),
        ([DENY, A_TO_B], A, B, 8080, False),
        ([DENY, B_FROM_A], A, B, 8080, False),
        ([DENY, A_TO_B, B_FROM_A], A, B, 8080, True),
        ([DENY, A_TO_B, B_FROM_A], A, B, 9090, False),
        ([DENY, A_TO_B, B_FROM_A], B, A, 8080, False),
        ([DENY, A_TO_B, B_FROM_A], FAR, B, 8080, False),
        ([DENY, B_FROM_NEAR_AND_FAR], FAR, B, 8080, True),
        ([DENY, B_FROM_NEAR_AND_FAR], OUTSIDE, B, 8080, False),
        ([DENY, A_TO_THE_WORLD], A, OUTSIDE, 5432, True),
        ([DENY, A_TO_THE_WORLD], A, Place("near", address="203.0.113.1"), 5432, False),
        ([DENY, A_TO_THE_WORLD], A, B, 8080, False),
    ],
)
def test_connection_must_be_allowed_at_both_ends(
    policies: list[Object],
    source: Place,
    target: Place,
    port: int,
    passes: bool,  # noqa: FBT001  # the expected result
) -> None:
    """As Kubernetes documents it: for a selected pod everything is denied but what some policy
    allows.
    """
    let = Policies("shop", tuple(policies))
    assert let.passing(source, target, [port]) == ([port] if passes else [])


def test_selector_without_requirements_selects_everything() -> None:
    """With requirements, each of them must hold."""
    rule = {"key": "app", "operator": "In", "values": ["a", "b"]}

    assert selects({}, {"app": "a"})
    assert selects({"matchExpressions": [rule]}, {"app": "a"})
    assert not selects({"matchExpressions": [rule]}, {"app": "c"})
    assert not selects({"matchLabels": {"app": "a", "more": "x"}}, {"app": "a"})


def test_environment_is_composed_as_by_the_kubelet() -> None:
    """Maps first, then the list in its order, with references to earlier variables."""
    settings = {
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"BOROUGH_HOST": "0.0.0.0", "BOROUGH_PART": "from the map"},  # noqa: S104  # text
    }
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "own", "key": "password"}}},
            {"name": "BOROUGH_PART", "value": "orders"},
            {"name": "BOROUGH_STORE", "value": "postgresql://{capability}:$(PASSWORD)@db/$(NONE)"},
        ],
    }

    assert environment(Pod("Pod/a", {}, {}, {"containers": [container]}), [settings]) == {
        "BOROUGH_HOST": "0.0.0.0",  # noqa: S104  # text
        "BOROUGH_PART": "orders",
        "PASSWORD": "pass",
        "BOROUGH_STORE": "postgresql://{capability}:pass@db/$(NONE)",
    }
