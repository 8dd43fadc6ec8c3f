"""Where one CustomResourceDefinition refuses or drops what an older one accepted.

A comparison of schemas, by the keywords of structural schemas that restrict a value. A pattern or
a rule that is new or differs counts as a restriction, since the set of accepted values cannot be
computed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

LOWER = ("minimum", "minLength", "minItems", "minProperties")
"""Keywords that restrict more where they are greater."""
UPPER = ("maximum", "maxLength", "maxItems", "maxProperties")
"""Keywords that restrict more where they are smaller."""
EXACT = (
    *("type", "format", "pattern", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
    *("uniqueItems", "x-kubernetes-int-or-string", "x-kubernetes-list-type"),
    *("x-kubernetes-list-map-keys", "allOf", "anyOf", "oneOf", "not"),
)
"""Keywords of which any other value may restrict more."""
NAMES = ("group", "scope", "names")


def restrictions(old: Schema, new: Schema) -> list[str]:
    """Every way in which the new definition accepts less, as a path and what differs."""
    found = [f"{key} differs" for key in NAMES if old["spec"][key] != new["spec"][key]]
    versions = {version["name"]: version for version in new["spec"]["versions"]}
    for before in old["spec"]["versions"]:
        name, after = before["name"], versions.get(before["name"], {})
        if before["served"] and not after.get("served"):
            found.append(f"{name} is not served")
        else:
            schema = before["schema"]["openAPIV3Schema"]
            found += _narrower(schema, after["schema"]["openAPIV3Schema"], name)
    return found


def _narrower(old: Schema, new: Schema, path: str) -> Iterator[str]:
    yield from (f"{path}: {key} is {new[key]}" for key in _changed(old, new))
    if old.get("nullable") and not new.get("nullable"):
        yield f"{path}: null is refused"
    rules = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in rules:
            yield f"{path}: rule {rule['rule']}"
    yield from _fields(old, new, path)


def _changed(old: Schema, new: Schema) -> Iterator[str]:
    """The keywords that restrict a single value more than before."""
    inf = float("inf")
    yield from (key for key in LOWER if new.get(key, -inf) > old.get(key, -inf))
    yield from (key for key in UPPER if new.get(key, inf) < old.get(key, inf))
    yield from (key for key in EXACT if key in new and new[key] != old.get(key))
    if "enum" in new and not set(old.get("enum", (None,))) <= set(new["enum"]):
        yield "enum"


def _fields(old: Schema, new: Schema, path: str) -> Iterator[str]:
    known, fields = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "default" not in fields.get(name, {}):
            yield f"{path}.{name} is required"
    free = old.get("x-kubernetes-preserve-unknown-fields")
    if free and not new.get("x-kubernetes-preserve-unknown-fields"):
        yield f"{path}: unknown fields are dropped"
    for name, field in known.items():
        if name in fields:
            yield from _narrower(field, fields[name], f"{path}.{name}")
        elif not new.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{name} is dropped"
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), Mapping):
            if isinstance(new.get(key), Mapping):
                yield from _narrower(old[key], new[key], path + mark)
            else:
                yield f"{path}: {key} is missing"
