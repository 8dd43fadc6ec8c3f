"""A later version of payments, made from this checkout: `payments.diff` is all that differs.

A new contract field with a default, a revision that only expands, and something to see: the verdict
of a captured charge has a receipt, in the answer and in its row. A diff, because it says what the
version is, and stops applying when what it changes has moved on.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SERVICES = HERE.parents[2] / "services"
CLUSTER = HERE.parents[2] / "charts" / "cluster.sh"
DIFF = HERE / "payments.diff"
WHERE = "import borough_shop, pathlib; print(pathlib.Path(borough_shop.__file__).parent)"


class NotBuilt(Exception):
    """The later version could not be made; the message is what the program that failed said."""


def change(folder: Path) -> None:
    """Turn `folder`/borough_shop, of this version, into the later one. Raises NotBuilt."""
    alone = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}  # in no repository around it
    run(["git", "apply", str(DIFF)], cwd=folder, env={**os.environ, **alone})


def changed() -> list[str]:
    """The files of this version that the later one has otherwise, from `services` on."""
    before = [line for line in DIFF.read_text("utf-8").splitlines() if line.startswith("--- a/")]
    return [line.removeprefix("--- a/") for line in before]


def build(base: str, image: str) -> None:
    """Make `image` of docker's image `base`, and hand it to the cluster's nodes as `make up` hands
    over its own. Raises NotBuilt.
    """
    package = run(["docker", "run", "--rm", "--entrypoint", "python", base, "-c", WHERE]).strip()
    with tempfile.TemporaryDirectory() as made:
        context = Path(made)
        for name in changed():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SERVICES / name, context / name)
        change(context)
        run(
            ["docker", "build", "--tag", image, "--file", str(HERE / "Dockerfile"),
             "--build-arg", f"BASE={base}", "--build-arg", f"PACKAGE={package}", made],
            env={**os.environ, "DOCKER_BUILDKIT": "0"},  # BuildKit is not everywhere
        )  # fmt: skip  # the command as one would type it
    run([str(CLUSTER), "deliver", image])


def run(words: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What the program prints. Raises NotBuilt."""
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            words, cwd=cwd, env=env, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NotBuilt(f"{words[0]}: {error}") from None
    if done.returncode:
        raise NotBuilt(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
