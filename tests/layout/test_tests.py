"""Does every test state its law, can it fail, and does it take lists from the application?"""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from borough.shapes import load
from borough_shop.app import APP

NAMES = (frozenset(APP.calls), frozenset(load(APP.calls, APP.shapes)))
"""Of the capabilities of the shop, and of its shapes."""
LIST = 3
"""One or two names are an example, three are a list that would have to be kept."""
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
    """Tests that assert nothing, expect no error and call no helper that asserts."""
    return [test.name for test in each_test(source) if not any(map(_judges, ast.walk(test)))]


def _judges(node: ast.AST) -> bool:
    """An assertion, `pytest.raises`, or a helper that says in its name that it judges."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).split(".")[-1]
        return name == "raises" or name.startswith(("assert_", "check_", "expect_", "must_"))
    return isinstance(node, ast.Assert)


def typed_out(source: str, names: Collection[str]) -> list[int]:
    """The lines of literals that list names: in a list, a tuple, a set or a string; and of tables
    by all of them, to which another would have to be added.
    """
    tree = ast.parse(source)
    prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.List() | ast.Tuple() | ast.Set():
                words, many = [*map(_word, node.elts)], LIST
            case ast.Dict():
                words, many = [*map(_word, node.keys)], len(names)
            case ast.Constant(value=str(text)) if id(node) not in prose:
                words, many = re.split(r"[\s,;|]+", text), LIST
            case _:
                continue
        if len(set(names) & set(words)) >= many:
            found.append(node.lineno)
    return found


def _word(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


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


@pytest.mark.parametrize("names", NAMES, ids=["capabilities", "shapes"])
def test_no_list_of_names_is_typed_out(root: Path, names: Collection[str]) -> None:
    """A capability more, or a shape, changes the application and no test."""
    files = sorted((root / "tests").rglob("*.py"))
    assert {str(p): found for p in files if (found := typed_out(p.read_text(), names))} == {}


@pytest.mark.parametrize("names", NAMES, ids=["capabilities", "shapes"])
def test_list_of_names_that_is_typed_out_is_found(names: Collection[str]) -> None:
    """In each way a list can be written; two names are none, and neither is a docstring."""
    three, two = sorted(names)[:LIST], sorted(names)[: LIST - 1]
    for planted in (three, tuple(three), set(three), ", ".join(three), dict.fromkeys(names, 1)):
        assert typed_out(f"x = {planted!r}", names) == [1], planted
    for allowed in (two, ", ".join(two), dict.fromkeys(three, 1)):
        assert typed_out(f"x = {allowed!r}", names) == [], allowed
    assert typed_out(f'"""{", ".join(three)}"""', names) == []
