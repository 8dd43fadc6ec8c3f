"""Does borough-telemetry hold on the oldest and the newest of what it builds upon?"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from field.wheels import ROOT, Environment, built, run, uv

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "telemetry" / "pyproject.toml").read_text())
REQUIRES: list[str] = PROJECT["project"]["dependencies"]
OLDEST = {need.partition(">=")[0]: re.split(">=|,", need)[1] for need in REQUIRES}
TESTS = [
    f"tests/unit/test_{name}.py"
    for name in ("telemetry_server", "telemetry_foreign", "telemetry_otlp", "registry")
]
"""Those of its tests that need neither kit nor shop."""
TOOLS = ("aiohttp", "httptools", "hypothesis", "pytest-asyncio", "typer", "uvicorn")
"""What these tests use besides; the collector they send spans to is the bill's, from its source."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its wheel."""
    wheels: dict[str, Path] = built(tmp_path_factory.mktemp("built"))
    return wheels["telemetry"]


def resolved(*options: str, needs: list[str]) -> dict[str, str]:
    """What would be installed for these requirements, by name."""
    lines = uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate"),
        *("--python", sys.executable, *options, "-"),
        said="\n".join(needs),
    ).split()
    return dict(line.split("==") for line in lines)


def plain(version: str) -> tuple[int, ...]:
    """A version without the zeros at its end."""
    return tuple(map(int, re.sub(r"(\.0)+$", "", version).split(".")))


@pytest.fixture(scope="module", params=["lowest-direct", "highest"])
def end(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """It in an environment of its own, with the oldest or the newest that it takes."""
    found = resolved("--resolution", request.param, needs=REQUIRES)
    if request.param == "lowest-direct":
        assert {name: plain(found[name]) for name in OLDEST} == {
            name: plain(version) for name, version in OLDEST.items()
        }
    pins = tmp_path_factory.mktemp("pins") / "pins.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in found.items()))
    environment = Environment(tmp_path_factory.mktemp(request.param) / "venv")
    encoder = f"opentelemetry-exporter-otlp-proto-common=={found['opentelemetry-sdk']}"
    environment.install("--constraints", pins, wheel, encoder, *TOOLS)
    there = environment.installed()
    assert {name: there[name] for name in found} == found
    return environment


def test_it_holds_at_both_ends_of_its_ranges(end: Environment) -> None:
    """Its own tests, as `make test` runs them on what uv.lock names."""
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "-o", "asyncio_mode=auto"]
    options += ["--import-mode=importlib", "--rootdir", str(ROOT), "--confcutdir", "tests/unit"]
    said = run(
        [end.python, "-m", "pytest", *options, *TESTS],
        PYTHONPATH="tests:bill",
        PYTHONDONTWRITEBYTECODE="1",
    )

    passed = re.search(r"^(\d+) passed", said, re.MULTILINE)
    assert passed is not None, said
    assert int(passed[1]) >= 40
    assert "skipped" not in said


def test_it_brings_four_packages_what_they_require_and_nothing_else(
    wheel: Path, tmp_path: Path
) -> None:
    """At most fifteen; Starlette, which it imports, is one that FastAPI requires."""
    environment = Environment(tmp_path / "venv")
    environment.install(wheel)
    there = environment.installed()
    four = ["fastapi", "opentelemetry-sdk", "prometheus-client", "structlog"]

    assert there.pop("borough-telemetry") == PROJECT["project"]["version"]
    assert there == resolved(needs=four)
    assert len(there) <= 15


@pytest.mark.parametrize("fastapi", ["0.109.0", "0.136.3", "0.137.2"])
def test_a_fastapi_of_its_range_that_is_there_is_not_moved(
    fastapi: str, wheel: Path, tmp_path: Path
) -> None:
    """Neither it nor anything that came with it; `app.routes` changed between the last two."""
    environment = Environment(tmp_path / "venv")
    environment.install(f"fastapi=={fastapi}")
    before = environment.installed()
    environment.install(wheel)
    after = environment.installed()

    assert after["fastapi"] == fastapi
    assert {name: after[name] for name in before} == before
    program = "from fastapi import FastAPI; from borough_telemetry import instrument"
    exposed = run(
        [environment.python, "-c", f"{program}; print(instrument(FastAPI()).exposition())"]
    )
    assert "http_server_active_requests 0.0" in exposed
