"""Is there an import circle anywhere, and is what each law of imports forbids refused?"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import Any

import grimp
import pytest

PLANTED = {
    "The kit: serving stands on transport and stores, these on declarations": (
        "borough/errors.py",
        "from borough import outbox",
    ),
    "The shop: what the bill starts beside it stands on the application, this on all else": (
        "borough_shop/values.py",
        "from borough_shop import errors, app",
    ),
    "A capability imports another's contract, errors and values, and nothing more": (
        "borough_shop/payments/domain.py",
        "from borough_shop.orders import domain",
    ),
    "Service and store stand side by side on the domain": (
        "borough_shop/profiles/domain.py",
        "from borough_shop.profiles import store",
    ),
    "A door stands on admission and schemas, these on policy": (
        "borough_shop/gateway/policy.py",
        "from borough_shop.gateway import rest",
    ),
    "Contracts know no framework, network or database": (
        "borough_shop/payments/contract.py",
        "import sqlalchemy",
    ),
    "A domain is pure: time and chance are arguments": (
        "borough_shop/inventory/domain.py",
        "import random",
    ),
    "A service knows neither its transport nor its database": (
        "borough_shop/payments/service.py",
        "from borough.stores import sql",
    ),
    "Only borough_telemetry knows the telemetry libraries": (
        "library/catalog.py",
        "import prometheus_client",
    ),
    "Bill, operator and telemetry are taken alone: none imports another": (
        "borough_bill/results.py",
        "import borough_telemetry",
    ),
    "Bill, operator and telemetry import neither kit nor applications": (
        "borough_operator/moments.py",
        "import borough",
    ),
    "The kit imports telemetry, and no application of it": (
        "borough/clock.py",
        "import library",
    ),
    "The shop imports kit and telemetry": ("borough_shop/errors.py", "import borough_bill"),
    "The library imports kit and telemetry: only loyalty imports the shop": (
        "library/loans.py",
        "from borough_shop import values",
    ),
    "Loyalty imports kit, telemetry and shop": ("loyalty/__init__.py", "import library"),
    "The operator's floors: a process on a cluster on its sources on the decision": (
        "borough_operator/decision/model.py",
        "from borough_operator import kube",
    ),
    "A decision is pure: time, chance and the cluster are arguments": (
        "borough_operator/decision/goals.py",
        "import time",
    ),
    "Only handlers know kopf": ("borough_operator/kube/api.py", "import kopf"),
}
"""By the name of each law, a module and the import that breaks it there."""


@pytest.fixture(scope="module")
def laws(root: Path) -> Mapping[str, Any]:
    """The configuration of import-linter."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    configured: Mapping[str, Any] = settings["tool"]["importlinter"]
    return configured


def circle(packages: Iterable[str]) -> list[str]:
    """The modules of an import circle, first and last the same; none if there is none. What is
    imported inside a function, or for types alone, is imported.
    """
    first, *others = packages
    graph = grimp.build_graph(first, *others, cache_dir=None)
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_module_imports_itself_by_way_of_others(laws: Mapping[str, Any]) -> None:
    """A circle has no first file to read."""
    assert circle(laws["root_packages"]) == []


@pytest.mark.parametrize(
    "import_",
    [
        "import round.a",
        "def f():\n    from round import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from round.a import A",
    ],
    ids=["at the top", "in a function", "for types alone"],
)
def test_import_circle_is_found(
    import_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the import that closes it stands."""
    package = tmp_path / "round"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from round import b\nclass A: ...\n")
    (package / "b.py").write_text(import_)
    monkeypatch.syspath_prepend(tmp_path)

    assert set(circle(["round"])) == {"round.a", "round.b"}


def test_every_law_of_imports_refuses_what_breaks_it(
    root: Path, laws: Mapping[str, Any], tmp_path: Path
) -> None:
    """One import is planted for each, all in one copy, and import-linter is asked."""
    names = {law["name"] for law in laws["contracts"]}
    assert names == set(PLANTED)
    for package in laws["root_packages"]:
        found = Path(str(import_module(package).__file__)).parent
        shutil.copytree(found, tmp_path / package, ignore=shutil.ignore_patterns("*.pyc"))
    for module, import_ in PLANTED.values():
        path = tmp_path / module
        path.write_text(f"{path.read_text()}\n{import_}\n")
    shutil.copy(root / "pyproject.toml", tmp_path)

    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    kept = {name for name in names if f"{name} BROKEN" not in done.stdout}
    assert kept == set(), done.stdout + done.stderr
