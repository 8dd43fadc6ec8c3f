"""Do our images contain what they should, built as they should be, without a fixed user?"""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import uvloop

PROGRAMS = {"services": "borough", "operator": "borough_operator", "bill": "borough_bill"}
"""What an image runs, by the folder of its Dockerfile."""


@pytest.fixture(scope="module", params=PROGRAMS)
def folder(request: pytest.FixtureRequest) -> str:
    """Where each Dockerfile is, in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def lines(root: Path, folder: str) -> list[str]:
    """The instructions of that Dockerfile, each on one line."""
    return instructions(root, folder)


def instructions(root: Path, folder: str) -> list[str]:
    """Those of a Dockerfile."""
    text = (root / folder / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def admitted(root: Path) -> list[str]:
    """What .dockerignore lets into a build."""
    return re.findall(r"^!(.+)$", (root / ".dockerignore").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def slim(root: Path) -> ModuleType:
    """services/slim.py, which is a script and no module of anything."""
    spec = importlib.util.spec_from_file_location("slim", root / "services" / "slim.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arguments(lines: list[str], instruction: str) -> list[str]:
    """What follows that instruction, wherever it stands."""
    return [line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{instruction} ")]


def test_what_runs_stands_on_what_it_was_built_on(lines: list[str]) -> None:
    """A virtual environment only links to its interpreter: another base may have it elsewhere."""
    bases = [base.split()[0] for base in arguments(lines, "FROM")]

    assert len(bases) == 2
    assert set(bases) == {"${PYTHON_IMAGE}"}


def test_the_image_is_built_by_the_uv_that_locked_it(
    root: Path, folder: str, lines: list[str]
) -> None:
    """One version in all places, and one of the package."""
    (uv,) = re.findall(r"^UV_VERSION := (.+)$", (root / "Makefile").read_text(), re.MULTILINE)
    package = tomllib.loads((root / folder / "pyproject.toml").read_text())["project"]

    assert f"UV_VERSION={uv}" in arguments(lines, "ARG")
    assert f"VERSION={package['version']}" in arguments(lines, "ARG")


def test_what_runs_is_nobody_and_no_shell(folder: str, lines: list[str]) -> None:
    """A user by number, which a cluster can see is not root; a program, started by itself."""
    (user,) = arguments(lines, "USER")
    (entrypoint,) = arguments(lines, "ENTRYPOINT")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert entrypoint == f'["python", "-m", "{PROGRAMS[folder]}"]'
    assert lines.index(f"USER {user}") > max(
        number for number, line in enumerate(lines) if line.startswith(("COPY", "RUN"))
    )


def test_a_build_sees_what_it_names_and_nothing_else(
    root: Path, lines: list[str], admitted: list[str]
) -> None:
    """An allow-list: neither history nor keys nor results lie about get into a layer."""
    run = re.findall(r"\bpython (\S+\.py)\b", " ".join(lines))
    readmes = [f"{path}/README.md" for path in copied(lines)]  # a package cannot be built without
    readmes = [path for path in readmes if (root / path).exists()]

    assert (root / ".dockerignore").read_text().splitlines()[1] == "*"
    assert {path for path in (*copied(lines), *run, *readmes) if not sees(path, admitted)} == set()


def test_nothing_is_let_in_that_no_build_asks_for(root: Path, admitted: list[str]) -> None:
    """An unused file may hold anything."""
    asked_for = [path for name in PROGRAMS for path in copied(instructions(root, name))]

    assert [path for path in admitted if not (root / path).exists()] == []
    assert [path for path in admitted if not sees(path, asked_for)] == []


def copied(lines: list[str]) -> list[str]:
    """What a build takes from outside."""
    return [
        source
        for copy in arguments(lines, "COPY")
        if not copy.startswith("--from")
        for source in copy.split()[:-1]
    ]


def sees(path: str, among: list[str]) -> bool:
    """Whether these let a path in: it is one of them, below one, or a folder that holds one."""
    return any(
        f"{one}/".startswith(f"{path}/") or f"{path}/".startswith(f"{one}/") for one in among
    )


@pytest.mark.parametrize("name", ["library", "loyalty"])
def test_an_example_is_laid_over_the_image_of_the_shop(root: Path, name: str) -> None:
    """Of this version; the context is its folder, and what is copied from there is its package."""
    lines = instructions(root, "examples")
    version = tomllib.loads((root / "services" / "pyproject.toml").read_text())["project"][
        "version"
    ]

    assert arguments(lines, "FROM") == ["${IMAGE}"]
    assert f"IMAGE=borough:{version}" in arguments(lines, "ARG")
    assert copied(lines) == ["${PACKAGE}"]
    assert (root / "examples" / name / name / "__init__.py").exists()


def brought_by(root: Path, package: str) -> set[str]:
    """What a package brings with it, by the lock."""
    packages = tomllib.loads((root / "uv.lock").read_text())["package"]
    needs = {p["name"]: [d["name"] for d in p.get("dependencies", ())] for p in packages}
    found, open_ = set[str](), [package]
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += needs[name]
    return found


def test_a_released_image_holds_only_what_it_runs(root: Path) -> None:
    """The shop's neither bill nor numpy; what sends load neither kit nor shop."""
    tools = {"borough-bill", "borough-operator", "numpy", "scipy", "matplotlib"}
    assert not brought_by(root, "borough-shop") & tools
    assert not brought_by(root, "borough-bill") & {"borough", "borough-shop", "fastapi"}
    assert not brought_by(root, "borough-operator") & {"borough", "fastapi", "numpy"}


def test_an_image_holds_one_package_and_what_it_brings(
    root: Path, folder: str, lines: list[str]
) -> None:
    """What runs takes the environment of one package from what was built, and nothing else."""
    package = tomllib.loads((root / folder / "pyproject.toml").read_text())["project"]["name"]
    synced = re.findall(r"uv sync ([^&\n]+)", "\n".join(arguments(lines, "RUN")))
    after = lines[lines.index("FROM ${PYTHON_IMAGE}") :]

    assert len(synced) == 2
    for options in synced:
        assert options.split()[:2] == ["--locked", "--no-default-groups"]
        assert options.split()[-2:] == ["--package", package]
    assert arguments(after, "COPY") == ["--from=build /opt/borough /opt/borough"]


def test_a_build_sees_every_member_of_the_workspace(root: Path, lines: list[str]) -> None:
    """The lock names them all, and uv refuses it where one of them is missing."""
    workspace = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]

    assert {f"{member}/pyproject.toml" for member in workspace["members"]} <= set(copied(lines))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has modules that can be cut")
def test_a_module_that_was_cut_short_still_loads(slim: ModuleType, tmp_path: Path) -> None:
    """What no segment covers is for debuggers: the file shrinks, and every promise of it holds."""
    (loop,) = Path(uvloop.__file__).parent.glob("loop.*.so")
    package = shutil.copytree(loop.parent, tmp_path / "uvloop")
    module = package / loop.name
    slim.cut(module)
    cut = module.read_bytes()
    slim.cut(module)

    assert len(cut) < loop.stat().st_size
    assert module.read_bytes() == cut
    program = "import asyncio, uvloop; uvloop.run(asyncio.sleep(0)); print(uvloop.__file__)"
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == package


def test_library_that_is_no_elf_file_stays_as_it_is(slim: ModuleType, tmp_path: Path) -> None:
    """A linker script or a module of another system has no segments to be cut to."""
    (odd := tmp_path / "odd.so").write_text("GROUP ( /lib/libc.so.6 )")
    slim.cut(odd)

    assert odd.read_text() == "GROUP ( /lib/libc.so.6 )"
