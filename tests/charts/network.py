"""Which connections NetworkPolicies allow, computed from the rendered text by the rules of
Kubernetes.

A connection must be allowed at both ends. An end that no policy selects for that direction allows
everything; a selected end allows what any of its policies allows.
"""

import ipaddress
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

from charts.helm import Object
from charts.objects import of_kind, pods, selects

NAMESPACE_NAME = "kubernetes.io/metadata.name"
SOME_POD = "10.0.0.1"
"""The address of any pod: a block for addresses outside the cluster must not contain it."""

Direction = Literal["egress", "ingress"]
SIDE: Mapping[Direction, str] = {"egress": "to", "ingress": "from"}


class Edge(NamedTuple):
    """An allowed connection, by the names of its ends."""

    source: str
    target: str
    port: int


@dataclass(frozen=True)
class Place:
    """Where a connection begins or ends: a pod, or with an `address` and no labels, any machine."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """The named ports, which policies may refer to."""
    address: str = ""


@dataclass(frozen=True)
class Policies:
    """The NetworkPolicies of one namespace."""

    namespace: str
    policies: tuple[Object, ...]

    def passing(
        self, source: Place, target: Place, ports: Iterable[int], protocol: str = "TCP"
    ) -> list[int]:
        """The ports of the target on which a connection to it is allowed."""
        ways = (self._leave("egress", source, target), self._leave("ingress", target, source))
        return [
            port
            for port in ports
            if all(
                rules is None or any(_covers(rule, target, port, protocol) for rule in rules)
                for rules in ways
            )
        ]

    def of(self, place: Place) -> list[Object]:
        """The policies that select it."""
        if place.namespace != self.namespace:
            return []
        return [p for p in self.policies if selects(p["spec"]["podSelector"], place.labels)]

    def _leave(self, direction: Direction, end: Place, other: Place) -> list[Object] | None:
        """The rules of one end that match the other; None where no policy selects it."""
        specs = [p["spec"] for p in self.of(end) if direction in _directions(p["spec"])]
        if not specs:
            return None
        return [
            rule
            for spec in specs
            for rule in spec.get(direction) or []
            if self._among(rule.get(SIDE[direction]), other)
        ]

    def _among(self, peers: Iterable[Mapping[str, Any]] | None, other: Place) -> bool:
        return not peers or any(self._matches(peer, other) for peer in peers)

    def _matches(self, peer: Mapping[str, Any], other: Place) -> bool:
        if block := peer.get("ipBlock"):
            address = ipaddress.ip_address(other.address or SOME_POD)
            return address in ipaddress.ip_network(block["cidr"]) and not any(
                address in ipaddress.ip_network(but) for but in block.get("except") or []
            )
        if other.address:
            return False
        if (spaces := peer.get("namespaceSelector")) is not None:
            near = selects(spaces, {NAMESPACE_NAME: other.namespace})
        else:
            near = other.namespace == self.namespace
        return near and selects(peer.get("podSelector") or {}, other.labels)


@dataclass(frozen=True)
class Cluster:
    """Releases, each in a namespace of its own, and the other clients."""

    releases: Mapping[str, Iterable[Object]]
    """The objects by namespace."""
    others: tuple[Place, ...] = ()

    def places(self, namespace: str) -> dict[str, Place]:
        """The places of the pods of a release, by component."""
        return {
            pod.component: Place(pod.component, namespace, pod.labels, pod.ports)
            for pod in pods(self.releases[namespace])
        }

    def only(self, direction: Direction) -> Self:
        """The same with policies for this direction alone."""
        releases = {
            name: [_ruling(found, direction) for found in objects]
            for name, objects in self.releases.items()
        }
        return replace(self, releases=releases)

    def edges(self, namespace: str, ports: Iterable[int]) -> set[Edge]:
        """Every allowed TCP connection from or to a pod of that release."""
        ours = self.places(namespace)
        theirs = [self.places(name).values() for name in self.releases if name != namespace]
        every_place = [*ours.values(), *itertools.chain(*theirs), *self.others]
        return {
            Edge(source.name, target.name, port)
            for source in every_place
            for target in every_place
            if source is not target and not {source.name, target.name}.isdisjoint(ours)
            for port in self._passing(source, target, ports)
        }

    def _passing(self, source: Place, target: Place, ports: Iterable[int]) -> Iterable[int]:
        for name, objects in self.releases.items():
            let = Policies(name, tuple(of_kind(objects, "NetworkPolicy")))
            ports = let.passing(source, target, ports)
        return ports


def _ruling(found: Object, direction: Direction) -> Object:
    if found["kind"] != "NetworkPolicy":
        return found
    return {**found, "spec": {**found["spec"], "policyTypes": [direction.capitalize()]}}


def _directions(spec: Object) -> list[str]:
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return [direction.lower() for direction in types]


def _covers(rule: Mapping[str, Any], target: Place, port: int, protocol: str) -> bool:
    return not rule.get("ports") or any(
        port_rule.get("protocol", "TCP") == protocol and _is_port(port_rule, target, port)
        for port_rule in rule["ports"]
    )


def _is_port(port_rule: Mapping[str, Any], target: Place, port: int) -> bool:
    first = port_rule.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return target.ports.get(first) == port
    return bool(first <= port <= port_rule.get("endPort", first))
