"""Does every test state its law, and can it fail?"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

Test = ast.FunctionDef | ast.AsyncFunctionDef


def each_test(source: str) -> Iterator[Test]:
    """Every function that pytest collects."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Test) and node.name.startswith("test_"):
            yield node


def lawless(source: str) -> list[str]:
    """Tests without a docstring that is a sentence."""
    return [
        test.name for test in each_test(source) if not (ast.get_docstring(test) or "").endswith(".")
    ]


def toothless(source: str) -> list[str]:
    """Tests that assert nothing, expect no error and hand the judging to nobody."""
    return [test.name for test in each_test(source) if not any(map(_judges, ast.walk(test)))]


def _judges(node: ast.AST) -> bool:
    """An assertion, `pytest.raises`, or a helper that says in its name that it judges."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).split(".")[-1]
        return name == "raises" or name.startswith(("assert_", "check_", "expect_", "must_"))
    return isinstance(node, ast.Assert)


@pytest.fixture(scope="module")
def files_of_tests(root: Path) -> tuple[Path, ...]:
    """Every file of tests."""
    return tuple(sorted((root / "tests").rglob("test_*.py")))


def test_every_test_states_its_law(files_of_tests: tuple[Path, ...]) -> None:
    """One sentence a test: what holds, in words a reader can dispute."""
    assert {str(p): found for p in files_of_tests if (found := lawless(p.read_text()))} == {}


def test_every_test_can_fail(files_of_tests: tuple[Path, ...]) -> None:
    """A test that judges nothing only shows that its lines ran."""
    assert {str(p): found for p in files_of_tests if (found := toothless(p.read_text()))} == {}


def test_a_test_without_a_law_is_found() -> None:
    """Also one inside a class, and one whose docstring is no sentence."""
    source = (
        "def test_silent(): assert True\n"
        "class TestGroup:\n"
        "    async def test_note(self):\n"
        '        "todo"\n'
        "def helper(): ...\n"
    )

    assert lawless(source) == ["test_silent", "test_note"]


def test_a_test_that_cannot_fail_is_found() -> None:
    """Calling something is no judgement; raising, asserting and a judging helper are."""
    source = (
        "def test_calls(): run()\n"
        "def test_raises():\n"
        "    with pytest.raises(ValueError): run()\n"
        "def test_asserts(): assert run()\n"
        "def test_delegates(): assert_clean(run())\n"
    )

    assert toothless(source) == ["test_calls"]
