"""A Prometheus of our own that scrapes local shapes, with the labels a cluster's would add."""

import asyncio
import contextlib
import json
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from borough_bill.targets.processes import HOST, Ports, die_with_parent
from borough_bill.targets.shapes import LocalShape
from programs import program
from waiting import becomes

ABSENT = "{} is not installed: apt-get install prometheus"
SCRAPE = "500ms"


def of_prometheus(name: str) -> str:
    """Where a program of the package is."""
    return program(name, ABSENT.format(name))


@contextlib.contextmanager
def scraping(jobs: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    """The URL of a Prometheus with these `scrape_configs`, while the context lasts."""
    configuration = folder / "prometheus.json"  # JSON is YAML
    configuration.write_text(json.dumps({"scrape_configs": jobs}))
    ports = Ports()
    command = [
        of_prometheus("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{ports.public}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603  # our own words
            command,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # two system calls, and nothing else
        )
        try:
            yield f"http://{HOST}:{ports.public}"
        finally:
            server.kill()  # nothing of it is kept
            server.wait()
            ports.release()


class Prometheus:
    """A running one, asked by its HTTP API."""

    def __init__(self, url: str) -> None:
        self._address = url

    async def ask(self, target: str) -> Any:
        """What it answers to a path and query string."""
        return await asyncio.to_thread(self._ask, target)

    def _ask(self, target: str) -> Any:
        with urllib.request.urlopen(self._address + target, timeout=10) as answer:  # noqa: S310  # our own
            return json.load(answer)

    async def scrapes(self, processes: int) -> None:
        """Wait until it has heard so many. It looks for its targets only 5 s after its start."""

        async def all_heard() -> bool:
            return await self._heard() >= processes

        await becomes(all_heard)

    async def _heard(self) -> int:
        try:
            return len((await self.ask("/api/v1/query?query=up==1"))["data"]["result"])
        except OSError:
            return 0


@contextlib.asynccontextmanager
async def prometheus(shapes: Mapping[str, LocalShape], folder: Path) -> AsyncIterator[Prometheus]:
    """One that scrapes every process of the shapes, by namespace, while the context lasts. The
    shapes need not run yet.
    """
    targets = [
        {
            "targets": [f"{HOST}:{process.ports.ops}"],
            "labels": {"namespace": name, "workload": f"borough-{part}", "part": part},
        }
        for name, shape in shapes.items()
        for part, processes in shape.parts.items()
        for process in processes
    ]
    every = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE}
    job = {"job_name": "parts", "static_configs": targets, **every}
    with scraping([job], folder) as url:
        yield Prometheus(url)
