"""Kubernetes' own schemas of its objects, strict: an unknown field is an error.

They come with the package kubernetes-validate, which reads megabytes for each object; here they
are read once.
"""

import functools
import json
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from charts.helm import Object
from charts.objects import identity


class UnknownKind(Exception):
    """That version of Kubernetes has no such kind, or no such version of it."""


def violations(found: Object, version: str) -> list[str]:
    """An error for each field that this version ("1.30") would not accept. Raises UnknownKind."""
    errors = _validator(version, found["kind"], found["apiVersion"]).iter_errors(found)
    return [f"{identity(found)}: {e.json_path}: {e.message}" for e in errors]


@functools.cache
def _validator(version: str, kind: str, api_version: str) -> Draft202012Validator:
    group, _, revision = api_version.rpartition("/")
    short = f"{group.split('.')[0]}-{revision}" if group else revision
    try:
        schema = _read(version, f"{kind.lower()}-{short}.json")
    except FileNotFoundError:
        raise UnknownKind(f"Kubernetes {version} has no {kind} of {api_version}") from None
    return Draft202012Validator(schema, registry=_definitions(version))


@functools.cache
def _definitions(version: str) -> Registry[Any]:
    shared: Resource[Any] = Resource.from_contents(_read(version, "_definitions.json"))
    return shared @ Registry()


def _read(version: str, name: str) -> Any:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    return json.loads((folder / f"v{version}.0-local-strict" / name).read_text(encoding="utf-8"))
