"""Every shell script of the checkout, wherever it stands, and its syntax tree.

Found, not listed: files that are named or begin as shell scripts, the recipes of Makefiles, and
what begins as a script within Python's strings or within a chart's templates.
"""

import ast
import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

SHEBANG = re.compile(r"#!.*\b(?:ba|da|k|z)?sh\b")
_BASH = Language(tree_sitter_bash.language())
_EMBEDDED = re.compile(rf"^([ \t]*){SHEBANG.pattern}.*\n(?:\1.*\n|[ \t]*\n)*", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RECIPE = re.compile(r"^\t(?:.*\\\n)*.*$", re.MULTILINE)
_MAKE_VARIABLE = re.compile(r"\$\([^()]*(?:\([^()]*\)[^()]*)*\)|\$[@<^*?]")


@dataclass(frozen=True)
class Script:
    """Shell text; `place` says where it stands, `line` on which line of that file it begins."""

    place: str
    text: str
    line: int = 1

    @cached_property
    def tree(self) -> Node:
        """Its syntax tree; raises ValueError where it has none."""
        root = Parser(_BASH).parse(self.text.encode()).root_node
        if root.has_error:
            raise ValueError(f"{self.place}:{self.line}: this cannot be read as shell")
        return root


def scripts(root: Path) -> Iterator[Script]:
    """Those of the files that git knows, or would take."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(  # noqa: S603  # our own words
        words, cwd=root, capture_output=True, text=True, check=True
    ).stdout
    for name in sorted(filter(None, listed.split("\0"))):
        try:
            text = (root / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # no text; deleted and not yet committed
            continue
        yield from of_file(name, text)


def of_file(name: str, text: str) -> Iterator[Script]:
    """The scripts of one file."""
    if SHEBANG.match(text) or name.endswith((".sh", ".bash")):
        yield Script(name, text)
    elif Path(name).name == "Makefile" or name.endswith(".mk"):
        yield from _recipes(name, text)
    elif name.endswith(".py"):
        yield from _strings(name, text)
    elif name.endswith((".yaml", ".yml", ".tpl", "Dockerfile")):
        yield from _embedded(name, _TEMPLATE.sub("template", text))


def _recipes(name: str, text: str) -> Iterator[Script]:
    """Each logical line as the shell gets it: without make's prefixes and variables."""
    for found in _RECIPE.finditer(text):
        recipe = _MAKE_VARIABLE.sub("made", found[0].replace("\n\t", "\n").lstrip("\t@+-"))
        yield Script(name, recipe.replace("$$", "$"), text.count("\n", 0, found.start()) + 1)


def _strings(name: str, text: str) -> Iterator[Script]:
    """Those that begin as scripts, braces as `str.format` leaves them."""
    if not SHEBANG.search(text):
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if SHEBANG.match(node.value):
            shown = node.value.replace("{{", "{").replace("}}", "}")
            yield Script(name, shown, node.lineno)


def _embedded(name: str, text: str) -> Iterator[Script]:
    for found in _EMBEDDED.finditer(text):
        yield Script(name, textwrap.dedent(found[0]), text.count("\n", 0, found.start()) + 1)
