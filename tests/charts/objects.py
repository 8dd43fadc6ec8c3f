"""Queries on rendered objects: pods, selectors, environments."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from charts.helm import Object

COMPONENT = "app.kubernetes.io/component"
SELECTOR = frozenset({"app.kubernetes.io/name", "app.kubernetes.io/instance", COMPONENT})
CAPABILITY = "capability.borough.dev/"
SHAPE_OF_DOOR = "door.borough.dev/shape"

BROUGHT = {
    "url": "postgresql://{capability}:pass@db.example.org/borough",
    "password": "pass",
    "admin-password": "of the superuser",
    "api-keys": '{"ada": "key-of-ada"}',
}
"""The content of a Secret that the user makes, by the keys that the chart reads."""


@dataclass(frozen=True)
class Pod:
    """A pod that an object makes; `owner` is that object, as `Deployment/borough-orders`."""

    owner: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Object

    @property
    def component(self) -> str:
        """The part, or the component that is no part."""
        return self.labels[COMPONENT]

    @property
    def containers(self) -> list[Object]:
        """All of them, init containers first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        """The first container that is no init container."""
        first: Object = self.spec["containers"][0]
        return first

    @property
    def ports(self) -> dict[str, int]:
        """The ports of its containers by name."""
        return {p["name"]: p["containerPort"] for c in self.containers for p in c.get("ports", [])}


def of_kind(objects: Iterable[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [found for found in objects if found["kind"] == kind]


def name_of(found: Object) -> str:
    """The name of an object."""
    name: str = found["metadata"]["name"]
    return name


def named(objects: Iterable[Object], kind: str) -> dict[str, Object]:
    """The objects of a kind by name."""
    return {name_of(found): found for found in of_kind(objects, kind)}


def identity(found: Object) -> str:
    """The key of the object within a namespace."""
    return f"{found['kind']}/{name_of(found)}"


def pods(objects: Iterable[Object]) -> list[Pod]:
    """One for each object that makes pods, whatever its number of replicas."""
    return [
        Pod(
            identity(found),
            template.get("metadata", {}).get("labels", {}),
            template.get("metadata", {}).get("annotations", {}),
            template["spec"],
        )
        for found in objects
        if (template := _template(found)) is not None
    ]


def _template(found: Object) -> Object | None:
    if found["kind"] == "Pod":
        return found
    spec = found.get("spec")
    if not isinstance(spec, dict):
        return None
    spec = spec.get("jobTemplate", {}).get("spec", spec)  # a CronJob's
    template: Object | None = spec.get("template")
    return template if template and "containers" in template.get("spec", {}) else None


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    wanted = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(rule, labels) for rule in rules
    )


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(rule["key"])
    match rule["operator"]:
        case "In":
            return value in rule["values"]
        case "NotIn":
            return value not in rule["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise ValueError(f"there is no operator {other}")


def behind(service: Object, among: Iterable[Pod]) -> list[Pod]:
    """The pods a Service sends to."""
    return [
        pod for pod in among if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
    ]


def environment(
    pod: Pod, objects: Iterable[Object], container: Object | None = None
) -> dict[str, str]:
    """The variables of a container, by default the main one, as its program will read them. A
    Secret that is not rendered belongs to the user and contains `BROUGHT`; the downward API returns
    the path of the field. Raises KeyError where a ConfigMap or a key does not exist.
    """
    known = list(objects)
    values = dict(_from_maps(container or pod.main, known))
    for variable in (container or pod.main).get("env", []):
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            value = source["fieldRef"]["fieldPath"]
        elif "resourceFieldRef" in source:
            value = source["resourceFieldRef"]["resource"]
        elif source:
            ((kind, reference),) = source.items()
            value = _content(kind.removesuffix("KeyRef"), reference["name"], known)[
                reference["key"]
            ]
        else:
            value = variable.get("value", "")
        values[variable["name"]] = re.sub(
            r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda m: values.get(m[1], m[0]), value
        )
    return values


def _from_maps(container: Object, objects: list[Object]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom", []):
        ((kind, reference),) = ((k, v) for k, v in source.items() if k != "prefix")
        prefix = source.get("prefix", "")
        for key, value in _content(kind.removesuffix("Ref"), reference["name"], objects).items():
            yield prefix + key, value


def _content(kind: str, name: str, objects: list[Object]) -> Mapping[str, str]:
    if kind == "configMap":
        data: Mapping[str, str] = named(objects, "ConfigMap")[name].get("data", {})
        return data
    secret = named(objects, "Secret").get(name)
    if secret is None:
        return BROUGHT
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
