"""The shapes, read as data; and a shape as local processes, every part with its replicas.

The parts get each other's addresses at their start, as in a cluster. No setting is inherited.
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
from types import MappingProxyType
from typing import Any, Self

import aiohttp

from borough_bill.results import Objective
from borough_bill.targets.attribution import samples
from borough_bill.targets.audit import Audit
from borough_bill.targets.processes import BOROUGH, HOST, Ports, Process, die_with_parent, outside

EXTRACT = "extract:"
START_WITHIN = 180.0
STOP_WITHIN = 45.0
"""Seconds; far above normal, for slow or busy machines."""


class CommandFailed(Exception):
    """A `borough` command ended with an error; the message is its output."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The capabilities that each part hosts, and the public paths that its doors serve."""

    name: str
    parts: Mapping[str, tuple[str, ...]]
    doors: Mapping[str, tuple[str, ...]]

    def hosts(self, capability: str) -> tuple[str, ...]:
        """The parts that host a capability, in the order of the file."""
        return tuple(part for part, hosted in self.parts.items() if capability in hosted)

    def peers(self, part: str) -> tuple[str, ...]:
        """The capabilities that a part does not host, except the gateway, which no part calls."""
        everything = dict.fromkeys(chain.from_iterable(self.parts.values()))
        return tuple(c for c in everything if c not in self.parts[part] and c != "gateway")

    def door(self, path: str) -> str:
        """The part of a public path: the one with that door, else the last that hosts the gateway;
        the last of all if none does.
        """
        for part, prefixes in self.doors.items():
            if path.startswith(prefixes):
                return part
        return (self.hosts("gateway") or tuple(self.parts))[-1]


def read_shapes(file: Path | None = None, app: str = "") -> dict[str, Shape]:
    """The shapes, by name, of the application `app`, MODULE:NAME, or that of `borough` by default;
    those of a user's own `file` like `shapes.toml` where one is named. Raises CommandFailed.
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
        for name, shape in json.loads((_printed if file else _printed_once)(file, app)).items()
    }


def _printed(file: Path | None, app: str) -> str:
    """The output of `borough shapes`, which alone can read an application."""
    named = {} if file is None else {"BOROUGH_SHAPES_FILE": str(file.resolve())}
    command = (sys.executable, "-m", "borough", "shapes", "--json", *app_option(app))
    done = subprocess.run(  # noqa: S603  # constant arguments, and a name
        command, env=outside() | named, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandFailed(done.stderr.strip().removeprefix("borough: "))
    return done.stdout


_printed_once = cache(_printed)
"""For an installed application, which does not change, as a file may."""


def app_option(app: str) -> tuple[str, ...]:
    """The option of a `borough` command for its application."""
    return ("--app", app) if app else ()


class LocalShape:
    """A shape on this machine. `async with` starts every process and stops it.

    `folder` takes the logs and, without a `store`, the SQLite files; `keys` are the API keys by
    customer, if the application has customers; `settings` are `BOROUGH_` variables without their
    prefix, in capitals; `faults` are injected, by capability. Every process serves `app`, as in
    `read_shapes`, or is another `module` with its arguments, and runs on `cpu` unless it is None. A
    shape of a user's file needs that `shapes_file`: parts read it too.
    """

    _http: aiohttp.ClientSession
    """While the `async with` lasts."""

    def __init__(  # noqa: PLR0913  # the options of a shape
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
                    environment=self._environment | self._part_settings(part, own, ports),
                    log=folder / f"{part}-{number}.log",
                    module=module or (*BOROUGH, *app_option(app)),
                    cpu=cpu,
                )
                for number, own in enumerate(ports[part])
            )
            for part, hosted in shape.parts.items()
        }

    def _part_settings(
        self, part: str, own: Ports, ports: Mapping[str, tuple[Ports, ...]]
    ) -> dict[str, str]:
        """The settings of one process: its ports, and the addresses of its peers."""
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
        return tuple(chain.from_iterable(self.parts.values()))

    def addresses(self, path: str) -> tuple[str, ...]:
        """The base URLs of a public path, one for each replica."""
        door = self.parts[self.shape.door(path)]
        return tuple(f"http://{HOST}:{process.ports.public}" for process in door)

    async def __aenter__(self) -> Self:
        # A new connection each time: a kept one would be stale after a restart.
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        try:
            await asyncio.gather(*(process.start() for process in self.processes))
            await asyncio.gather(*(self.ready(process) for process in self.processes))
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> tuple[int, ...]:
        """SIGTERM every running process; their exit codes."""
        running = [process for process in self.processes if process.running]
        codes = await asyncio.gather(*(process.terminate(STOP_WITHIN) for process in running))
        for process in self.processes:
            process.ports.release()
        await self._http.close()
        return tuple(codes)

    async def ready(self, process: Process) -> None:
        """Wait until a process serves. Raises PartDied."""
        await process.ready(self._http, START_WITHIN)

    async def restart(self, process: Process) -> None:
        """Restart a process that ended, on the same ports, and wait until it serves."""
        await process.start()
        await self.ready(process)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by process name. Raises PartDied if one does not run."""
        return {process.name: process.pid for process in self.processes}

    async def facts(self) -> tuple[dict[str, Any], ...]:
        """The facts in every process's /readyz."""
        return tuple(await asyncio.gather(*(p.facts(self._http) for p in self.processes)))

    async def expositions(self) -> tuple[str, ...]:
        """The /metrics of every process."""
        return tuple(await asyncio.gather(*(p.metrics(self._http) for p in self.processes)))

    async def counts(self, metric: str, *labels: str) -> Counter[str]:
        """A counter's values by these labels, joined with dots, summed over all processes."""
        total = Counter[str]()
        for text in await self.expositions():
            for _, found, value in samples(text, (metric,)):
                total[".".join(found[label] for label in labels)] += int(value)
        return total

    async def audit(self) -> Audit:
        """The auditor's report, which waits until no work is pending."""
        return Audit.read(await self.borough("audit", "--json", expected=(0, 1)))

    async def objective(self) -> Objective | None:
        """The application's objective for the latency of its doors. Raises CommandFailed."""
        doors = json.loads(await self.borough("objectives", "--json")).get("gateway", {})
        return Objective.model_validate(doors["latency"]) if "latency" in doors else None

    async def borough(self, *arguments: str, expected: Collection[int] = (0,)) -> str:
        """Run a `borough` command with this shape's settings; its output.

        Raises CommandFailed with all output if the exit code is none of `expected`.
        """
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "borough", *arguments, *app_option(self._app),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )  # fmt: skip  # the command on one line, as it is typed
        out, err = await command.communicate()
        if command.returncode not in expected:
            output = (out + err).decode(errors="replace").strip()
            raise CommandFailed(
                f"borough {' '.join(arguments)} ended with {command.returncode}:\n{output}"
            )
        return out.decode()

    async def prepare(self, *seeds: Mapping[str, str]) -> None:
        """Migrate the stores and seed them, once with each of these sets of options, or once
        without any. Raises CommandFailed.
        """
        await self.borough("migrate")
        for options in seeds or ({},):
            pairs = ((f"--{name}", value) for name, value in options.items())
            await self.borough("seed", *chain.from_iterable(pairs))
