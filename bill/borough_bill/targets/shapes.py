"""The shapes, read as data; and a shape as local processes, every part with its replicas.

The parts find each other by addresses given at their start, as in a cluster; only the network is
missing. What a part needs to know it gets as `BOROUGH_` variables, and nothing else leaks in.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import aiohttp
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from borough_bill.results import Objective
from borough_bill.targets.audit import Audit
from borough_bill.targets.processes import BOROUGH, HOST, Ports, Process, die_with_parent, outside

EXTRACT = "extract:"
START_WITHIN = 180.0
STOP_WITHIN = 45.0
"""Seconds; far above what is normal, for machines that are slow or busy."""


class CommandFailed(Exception):
    """A `borough` command ended with an error; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which capabilities each part hosts, and which public paths go to a part of its own."""

    name: str
    parts: Mapping[str, tuple[str, ...]]
    doors: Mapping[str, tuple[str, ...]]

    def hosts(self, capability: str) -> tuple[str, ...]:
        """The parts that host a capability, in the order of the file."""
        return tuple(part for part, hosted in self.parts.items() if capability in hosted)

    def peers(self, part: str) -> tuple[str, ...]:
        """What a part may have to call elsewhere: all it does not host. Nobody calls a gateway."""
        everything = dict.fromkeys(chain.from_iterable(self.parts.values()))
        return tuple(c for c in everything if c not in self.parts[part] and c != "gateway")

    def door(self, path: str) -> str:
        """The part a public path goes to: the one that claims it, else the last with a gateway; the
        last of all where none says that it hosts one.
        """
        for part, prefixes in self.doors.items():
            if path.startswith(prefixes):
                return part
        return (self.hosts("gateway") or tuple(self.parts))[-1]


def read_shapes(file: Path | None = None, app: str = "") -> dict[str, Shape]:
    """The shapes of an application by name: those of a file of the user's own where one is named.

    Args:
        file: Has the format of the application's `shapes.toml`.
        app: MODULE:NAME, as `borough --app` takes it; the default of `borough` where it is empty.

    Raises:
        CommandFailed: `borough` knows no such application, or the file describes no shapes.

    """
    return {n: s for n, s in _every_shape(file, app).items() if not n.startswith(EXTRACT)}


def shape_named(name: str, file: Path | None = None, app: str = "") -> Shape:
    """The shape of that name, or the one that `extract:CAPABILITY` describes; `file` and `app` as
    for `read_shapes`. Raises CommandFailed.
    """
    shapes = _every_shape(file, app)
    if name not in shapes:
        there = ", ".join(known for known in shapes if not known.startswith(EXTRACT))
        raise CommandFailed(f"there is no shape {name}; there are {there} and {EXTRACT}NAME")
    return shapes[name]


def _every_shape(file: Path | None, app: str) -> dict[str, Shape]:
    return {
        name: Shape(
            name,
            parts={part: tuple(hosted) for part, hosted in shape["parts"].items()},
            doors={part: tuple(paths) for part, paths in shape["doors"].items()},
        )
        for name, shape in json.loads((_printed if file else _kept)(file, app)).items()
    }


def _printed(file: Path | None, app: str) -> str:
    """What `borough shapes` says, which only it can know of an application."""
    named = {} if file is None else {"BOROUGH_SHAPES_FILE": str(file.resolve())}
    words = (sys.executable, "-m", "borough", "shapes", "--json", *of(app))
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        words, env=outside() | named, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandFailed(done.stderr.strip().removeprefix("borough: "))
    return done.stdout


_kept = cache(_printed)
"""An installed application does not change, but a file may."""


def of(app: str) -> tuple[str, ...]:
    """The words that tell a command of `borough` its application."""
    return ("--app", app) if app else ()


class LocalShape:
    """A shape on this machine. `async with` starts every process and stops it.

    `folder` takes the logs and, unless `store` says otherwise, the SQLite files; `keys` are the API
    keys by customer, which an application without customers is not given; `settings` are
    `BOROUGH_` variables without their prefix, in capitals; `faults` is what goes wrong on purpose,
    by capability. Every process serves `app`, as in `read_shapes`, or is another `module` with its
    words, and runs on `cpu` unless it is None. A shape of the user's own needs its file in
    `shapes_file`: parts read it too.
    """

    def __init__(  # noqa: PLR0913  # what may differ from one run to the next
        self,
        shape: Shape,
        folder: Path,
        *,
        replicas: int = 1,
        store: str | None = None,
        keys: Mapping[str, str] = MappingProxyType({}),
        settings: Mapping[str, str] = MappingProxyType({}),
        faults: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
        app: str = "",
        module: Sequence[str] = (),
        cpu: int | None = None,
        shapes_file: Path | None = None,
    ) -> None:
        self.shape = shape
        self._app = app
        self._faults = faults
        self._environment = {
            **outside(),
            "BOROUGH_SHAPE": shape.name,
            "BOROUGH_HOST": HOST,
            "BOROUGH_STORE": store or f"sqlite:///{folder / 'data'}",
            "BOROUGH_DRAIN_S": "0",
            **({"BOROUGH_API_KEYS": json.dumps(dict(keys))} if keys else {}),
            **({"BOROUGH_SHAPES_FILE": str(shapes_file.resolve())} if shapes_file else {}),
            **{f"BOROUGH_{name}": value for name, value in settings.items()},
        }
        ports = {part: tuple(Ports() for _ in range(replicas)) for part in shape.parts}
        self.parts = {
            part: tuple(
                Process(
                    part,
                    number,
                    hosted,
                    ports=own,
                    environment=self._environment | self._place(part, own, ports),
                    log=folder / f"{part}-{number}.log",
                    module=module or (*BOROUGH, *of(app)),
                    cpu=cpu,
                )
                for number, own in enumerate(ports[part])
            )
            for part, hosted in shape.parts.items()
        }
        self._http: aiohttp.ClientSession | None = None

    def _place(
        self, part: str, own: Ports, ports: Mapping[str, tuple[Ports, ...]]
    ) -> dict[str, str]:
        """What one process must know of itself and of its peers."""
        hosted = self.shape.parts[part]
        peers = {
            capability: [
                f"http://{HOST}:{replica.internal}"
                for host in self.shape.hosts(capability)
                for replica in ports[host]
            ]
            for capability in self.shape.peers(part)
        }
        return {
            "BOROUGH_PART": part,
            "BOROUGH_PEERS": json.dumps(peers),
            "BOROUGH_FAULTS": json.dumps({c: f for c, f in self._faults.items() if c in hosted}),
            "BOROUGH_PUBLIC_PORT": str(own.public),
            "BOROUGH_INTERNAL_PORT": str(own.internal),
            "BOROUGH_OPS_PORT": str(own.ops),
        }

    @property
    def processes(self) -> tuple[Process, ...]:
        """Every replica of every part."""
        return tuple(chain.from_iterable(self.parts.values()))

    def addresses(self, path: str) -> tuple[str, ...]:
        """Where a public path is answered: a base URL for each replica."""
        door = self.parts[self.shape.door(path)]
        return tuple(f"http://{HOST}:{process.ports.public}" for process in door)

    async def __aenter__(self) -> Self:
        # A connection each: a kept one would be stale after every restart.
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        try:
            await asyncio.gather(*(process.start() for process in self.processes))
            await asyncio.gather(*(self.ready(process) for process in self.processes))
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> tuple[int, ...]:
        """SIGTERM every process that runs; answers the exit codes of these."""
        running = [process for process in self.processes if process.running]
        codes = await asyncio.gather(*(process.terminate(STOP_WITHIN) for process in running))
        for process in self.processes:
            process.ports.release()
        if self._http is not None:
            await self._http.close()
        return tuple(codes)

    async def ready(self, process: Process) -> None:
        """Wait until a process serves. Raises PartDied."""
        await process.ready(self._client(), START_WITHIN)

    async def restart(self, process: Process) -> None:
        """Start a process that ended again, on the ports it had, and wait until it serves."""
        await process.start()
        await self.ready(process)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by process name. Raises PartDied where one does not run."""
        return {process.name: process.pid for process in self.processes}

    async def facts(self) -> tuple[dict[str, Any], ...]:
        """What every process says of itself."""
        return tuple(await asyncio.gather(*(p.facts(self._client()) for p in self.processes)))

    async def expositions(self) -> tuple[str, ...]:
        """What every process exposes at /metrics."""
        return tuple(await asyncio.gather(*(p.metrics(self._client()) for p in self.processes)))

    async def counts(self, metric: str, *labels: str) -> Counter[str]:
        """A counter's values by these labels, joined with dots, summed over all processes."""
        total = Counter[str]()
        for text in await self.expositions():
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name == metric:
                        key = ".".join(sample.labels[label] for label in labels)
                        total[key] += int(sample.value)
        return total

    async def audit(self) -> Audit:
        """What the auditor says, once the application came to rest."""
        return Audit.read(await self.borough("audit", "--json", well=(0, 1)))

    async def objective(self) -> Objective | None:
        """What the application says of the latency of its doors. Raises CommandFailed."""
        told = json.loads(await self.borough("objectives", "--json")).get("gateway", {})
        return Objective.model_validate(told["latency"]) if "latency" in told else None

    async def borough(self, *arguments: str, well: Collection[int] = (0,)) -> str:
        """Run a `borough` command with this shape's settings; answers what it printed.

        Raises CommandFailed with everything it said when it ends with another code than `well`.
        """
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough", *arguments, *of(self._app),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as one would type it
        out, err = await command.communicate()
        if command.returncode not in well:
            said = (out + err).decode(errors="replace").strip()
            raise CommandFailed(
                f"borough {' '.join(arguments)} ended with {command.returncode}:\n{said}"
            )
        return out.decode()

    async def prepare(self, *seeds: Mapping[str, str]) -> None:
        """Make the stores and put in what the application starts with, once with each of these
        options of its seed, or once without any. Raises CommandFailed.
        """
        await self.borough("migrate")
        for options in seeds or ({},):
            words = chain.from_iterable((f"--{name}", value) for name, value in options.items())
            await self.borough("seed", *words)

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise ValueError(f"shape {self.shape.name} is not started")
        return self._http
