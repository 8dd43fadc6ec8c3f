"""Fixtures: Helm, the rendered objects of each case, and the demonstration of scaling."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from borough.shapes import Shape
from charts.cases import CASES, SHAPES, TRIED, Case
from charts.helm import Helm, Objects
from programs import program

DEMO = Path(__file__).parents[2] / "charts" / "demo_scaling.py"
ABSENT = "helm is not installed: https://helm.sh/docs/intro/install"


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The installed Helm, 3 or 4."""
    return Helm(program("helm", ABSENT))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each example, and every shape, in turn."""
    return CASES[request.param]


@pytest.fixture(params=TRIED)
def example(request: pytest.FixtureRequest) -> Case:
    """The defaults and each example, in turn."""
    return CASES[request.param]


@pytest.fixture(scope="session", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Every shape in turn."""
    return SHAPES[request.param]


@pytest.fixture
def objects(helm: Helm, case: Case) -> Objects:
    """The rendered objects of the case. All tests share them: they must not be changed."""
    return helm.objects(case.chart, case.values)


@pytest.fixture
def demo() -> ModuleType:
    """The program, as a module."""
    found = importlib.util.spec_from_file_location("demo_scaling", DEMO)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
