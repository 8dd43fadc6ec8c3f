"""Can each distribution be built, installed alone, and used as its page says?"""

import doctest
import re
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import pytest

from field.wheels import ALONE, ROOT, Environment, built, run

SOURCES = ("telemetry", "kit", "services", "operator", "bill")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMPORT_ALL = """
import importlib, pkgutil, sys
(name, *optional) = sys.argv[1:]
for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
    try:
        found.name.endswith("__main__") or importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in optional:
            raise
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every wheel, by the folder of its source."""
    return built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    """The folder of each distribution, in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def wheel(wheels: dict[str, Path], source: str) -> Path:
    """The wheel of that distribution."""
    return wheels[source]


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """That distribution in an environment of its own."""
    environment = Environment(tmp_path_factory.mktemp("alone") / "venv")
    environment.install("--find-links", wheel.parent, wheel)
    return environment


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Any server: it lists a folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def metadata(wheel: Path) -> Message:
    """What an index would say of it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def package(wheel: Path) -> str:
    """The name of the package in it."""
    return wheel.name.partition("-")[0]


def test_wheel_holds_its_package_and_nothing_else(source: str, wheel: Path) -> None:
    """Every file of the source, data and revisions included, its types and its licence."""
    own = ROOT / source / package(wheel)
    files = {path.relative_to(own.parent).as_posix() for path in own.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (licence,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()

    assert names == files
    assert f"{own.name}/py.typed" in names


def test_metadata_says_what_an_index_asks_for(source: str, wheel: Path) -> None:
    """Name, sentence, licence, oldest Python, and the page of its source."""
    project = tomllib.loads((ROOT / source / "pyproject.toml").read_text())["project"]
    found = metadata(wheel)

    assert found["Name"] == project["name"]
    assert found["Version"] == project["version"]
    assert found["Summary"] == project["description"]
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Requires-Python"] == ">=3.11"
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload() == (ROOT / source / "README.md").read_text()


def test_distribution_is_installed_alone_with_what_it_declares(
    wheels: dict[str, Path], wheel: Path, alone: Environment
) -> None:
    """Of ours only those it asks for, from the folder; every module finds what it imports, or else
    what an extra would bring.
    """
    requires = metadata(wheel).get_all("Requires-Dist", [])
    needs = [re.split(r"[^\w-]", need)[0] for need in requires if "extra ==" not in need]
    optional = [re.split(r"[^\w-]", need)[0] for need in requires if "extra ==" in need]
    ours = {metadata(one)["Name"] for one in wheels.values()}
    own = metadata(wheel)["Name"]
    there = alone.installed()

    brought = {own, *needs} | ({"borough-telemetry"} if "borough" in needs else set())
    assert there.keys() & ours == brought & ours
    assert {there[name] for name in there.keys() & ours} == {metadata(wheel)["Version"]}
    run([alone.python, "-c", IMPORT_ALL, package(wheel), *optional])


def test_page_of_a_distribution_works_as_it_stands(
    source: str, alone: Environment, url: str, tmp_path: Path
) -> None:
    """Files that begin with their name are written, commands are typed, and answer as it says;
    `...` stands for whatever else there is.
    """
    blocks = BLOCK.findall((ROOT / source / "README.md").read_text())
    for _, text in blocks:
        if named := re.match(r"# ([\w/]+\.\w+)\n", text):
            (tmp_path / PurePosixPath(named[1])).parent.mkdir(exist_ok=True)
            (tmp_path / named[1]).write_text(text)
    typed = [command for kind, text in blocks if kind == "console" for command in commands(text)]
    path = f"{alone.python.parent}:{ALONE['PATH']}"

    assert typed
    for command, answer in typed:
        there = f"cd {tmp_path} && {command}"
        said = run(["sh", "-c", there], PATH=path, URL=url, BOROUGH_STORE=f"sqlite:///{tmp_path}")
        said = said.rstrip("\n") + "\n"
        assert doctest.OutputChecker().check_output(answer, said, doctest.ELLIPSIS), said


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and its answer."""
    for part in text.split("$ ")[1:]:
        command, _, answer = part.partition("\n")
        yield command, answer


def test_an_answer_that_is_another_is_found(tmp_path: Path) -> None:
    """The dots stand for anything, and for nothing but the rest."""
    ((command, answer), (other, _)) = commands("$ echo one\n...\n$ echo two\ntwo\n")
    check = partial(doctest.OutputChecker().check_output, optionflags=doctest.ELLIPSIS)

    assert (command, other) == ("echo one", "echo two")
    assert check(answer, "anything\n")
    assert not check("a: ...\nb: 1\n", "a: 1\nb: 2\n")
