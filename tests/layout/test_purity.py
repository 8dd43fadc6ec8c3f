"""Do time, chance and frameworks come in only where the house lets them in?

import-linter sees imports; what a module does with a name it may import is seen here.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WALL_CLOCK = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.time",
    "time.time_ns",
}
CONTRACTS_MAY_IMPORT = {
    *(
        *sys.stdlib_module_names,
        "pydantic",
        "borough.capability",
        "borough.errors",
        "borough.events",
    ),
    *("borough_shop.errors", "borough_shop.values"),
}


def wall_clock_reads(source: str) -> list[str]:
    """Every read of the time of day, whatever its module was imported as a prefix of."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            name = ".".join(ast.unparse(node).split(".")[-2:])
            found += [name] if name in WALL_CLOCK else []
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            names = {f"time.{alias.name}" for alias in node.names}
            found += sorted(names & WALL_CLOCK)
    return found


def imports(source: str) -> Iterator[str]:
    """The full name of every module that is imported, anywhere in the source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def foreign_to_contracts(source: str) -> list[str]:
    """Imports a contract may not have."""
    return [
        name
        for name in imports(source)
        if not name.endswith(".contract")
        if not any(name == ours or name.startswith(f"{ours}.") for ours in CONTRACTS_MAY_IMPORT)
    ]


def names(source: str) -> set[str]:
    """Every identifier that is used or imported."""
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    aliases = {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    return used | attributes | aliases


def test_only_the_clock_reads_the_time_of_day(business: tuple[Path, ...]) -> None:
    """Other modules are given a Clock, so that a test can stop the time."""
    readers = {path.as_posix() for path in business if wall_clock_reads(path.read_text())}

    assert [reader.split("/kit/")[-1] for reader in readers] == ["borough/clock.py"]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.utcnow()",
        "import datetime as dt\ndt.date.today()",
        "import time\nlater = time.time",
        "from time import time as clock\nclock()",
    ],
)
def test_a_read_of_the_time_of_day_is_found(source: str) -> None:
    """However it is spelt, called or passed on."""
    assert wall_clock_reads(source)


def test_monotonic_time_is_no_time_of_day() -> None:
    """What is measured, not stored, may be read where it is needed."""
    assert wall_clock_reads("import time\ntime.monotonic()\ntime.perf_counter()") == []


def test_contracts_import_the_standard_library_and_pydantic_only(
    business: tuple[Path, ...],
) -> None:
    """The language between parts must be readable without any of them."""
    contracts = [path for path in business if path.name == "contract.py"]

    assert contracts
    assert {
        p.parent.name: found for p in contracts if (found := foreign_to_contracts(p.read_text()))
    } == {}


def test_a_foreign_import_in_a_contract_is_found() -> None:
    """Ours from another floor count as foreign, also inside a function."""
    source = "import json\nimport pydantic.types\ndef f():\n    from borough.stores import sql"

    assert foreign_to_contracts(source) == ["borough.stores"]


def test_middleware_is_pure_asgi(business: tuple[Path, ...]) -> None:
    """BaseHTTPMiddleware copies the context and costs a task a request."""
    assert [path for path in business if "BaseHTTPMiddleware" in names(path.read_text())] == []


def test_a_base_http_middleware_is_found() -> None:
    """By any of the ways it can be named."""
    assert "BaseHTTPMiddleware" in names("from starlette.middleware.base import BaseHTTPMiddleware")
    assert "BaseHTTPMiddleware" in names("class M(base.BaseHTTPMiddleware): ...")
