"""Applications that are not the shop: their images, and what the charts must know of them.

A file of its own because several end-to-end tests install them.
"""

import os
from typing import Any

import yaml

from borough import app, commands
from e2e.cluster import IMAGE, ROOT
from e2e.next.version import CLUSTER, run

EXAMPLES = ROOT / "examples"
LIBRARY, LOYALTY = "library.app:APP", "loyalty:APP"


def build(name: str) -> str:
    """Make the image of examples/NAME on docker's image of the shop, and hand it to the cluster's
    nodes as `make up` hands over its own; its name. Raises NotBuilt.
    """
    image = f"borough-{name}:e2e"
    run(
        ["docker", "build", "--tag", image, "--file", str(EXAMPLES / "Dockerfile"),
         "--build-arg", f"IMAGE={IMAGE}", "--build-arg", f"PACKAGE={name}", str(EXAMPLES / name)],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},  # BuildKit is not everywhere
    )  # fmt: skip  # the command as one would type it
    run([str(CLUSTER), "deliver", image])
    return image


def document(name: str) -> dict[str, Any]:
    """What `borough chart --app NAME` writes: values of both charts."""
    found = app.load(name)
    return dict(yaml.safe_load(commands.chart(found, found.settings(), name)))
