"""All parts of a shape in one process, each behind its own sockets: for tests that look inside.

The parts are composed as they are in production, and talk to each other over the network.
Only the launcher is missing: nothing here drains.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from borough import shapes
from borough.app import App
from borough.compose import build
from borough.config import Settings
from borough.serving.lifecycle import Part
from borough.testing.servers import listen, running, url_of
from borough_telemetry import OtlpExporter


def settings_with(app: App, **values: Any) -> Settings:
    """The settings of the environment, with these values. Raises ValidationError."""
    return app.settings(**values)


@dataclass(slots=True)
class RunningShape:
    """`doors` are the public URLs and `inner` the internal ones, by part."""

    shape: shapes.Shape
    parts: dict[str, Part] = field(default_factory=dict)
    doors: dict[str, str] = field(default_factory=dict)
    inner: dict[str, str] = field(default_factory=dict)

    def door(self, path: str) -> str:
        """The URL of a public path, at the part that serves it."""
        part = next(
            (p for p, prefixes in self.shape.doors.items() if path.startswith(prefixes)),
            list(self.doors)[-1],
        )
        return self.doors[part] + path


@asynccontextmanager
async def running_shape(
    app: App,
    shape: shapes.Shape,
    settings: Settings,
    export: Callable[[str], OtlpExporter | None] = lambda _: None,
) -> AsyncIterator[RunningShape]:
    """Build and run every part of a shape; `export` makes the receiver of a part's spans."""
    found = RunningShape(shape)
    listeners = {part: listen() for part in shape.parts}
    async with AsyncExitStack() as stack:
        for part, hosted in shape.parts.items():
            peers = {
                capability: tuple(
                    url_of(listeners[other])
                    for other, offered in shape.parts.items()
                    if capability in offered
                )
                for capability in shapes.needed(hosted, app.calls)
            }
            found.parts[part] = built = await build(
                app,
                settings.model_copy(update={"part": part, "peers": peers}),
                hosted,
                export=export(part),
            )
            stack.push_async_callback(asyncio.to_thread, built.telemetry.close)
            stack.push_async_callback(built.close)
            if built.internal is not None:
                found.inner[part] = await stack.enter_async_context(
                    running(built.internal, listeners[part])
                )
            else:
                listeners[part].close()
            if built.public is not None:
                found.doors[part] = await stack.enter_async_context(running(built.public))
            for loop in built.loops.values():
                stack.push_async_callback(_cancel, asyncio.ensure_future(loop()))
            stack.push_async_callback(built.tasks.drain)
        yield found


async def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait([task])
