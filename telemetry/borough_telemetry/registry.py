"""Metrics of others, told beside our signals: a user's own, a library's, the process's.

Whoever has something to count that is no signal of ours does it with prometheus_client, as
everywhere else. It writes that down too, a family at a time, so that requests have their turns in
between.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.registry import Collector

from borough_telemetry.metrics import END, Format

_WRITERS: Mapping[Format, Callable[[Any], bytes]] = {
    Format.OPENMETRICS: as_openmetrics,
    Format.TEXT: as_text,
}


class _Reserved(Collector):
    """Takes names in a registry, and collects nothing."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = taken

    def describe(self) -> Iterable[Metric]:
        return [Metric(name, "A signal of the part.", "unknown") for name in self._taken]

    def collect(self) -> Iterable[Metric]:
        return ()


class Registry(CollectorRegistry):
    """A registry as the library's default one, in which the names of the signals are taken."""

    def __init__(self, taken: Collection[str]) -> None:
        super().__init__(auto_describe=True)
        self._taken = frozenset(taken)
        super().register(_Reserved(taken))

    def register(self, collector: Collector) -> None:
        """Raises ValueError where a name is taken; the sentence says so if it is by us."""
        try:
            super().register(collector)
        except ValueError as error:
            raise _refusal(error, self._taken) from None


def without(registry: CollectorRegistry, taken: Collection[str]) -> CollectorRegistry:
    """A registry of others, unchanged. Raises ValueError where it has one of the names."""
    reserved = _Reserved(taken)
    try:
        registry.register(reserved)
    except ValueError as error:
        raise _refusal(error, taken) from None
    registry.unregister(reserved)
    return registry


def _refusal(error: ValueError, taken: Collection[str]) -> ValueError:
    """The library's own where none of the names is ours. Before 0.26 only its sentence has them."""
    ours = [name for name in re.findall(r"'([^']*)'", str(error)) if name in taken]
    if not ours:
        return error
    sentence = "is a signal of Borough's telemetry: your metric needs another name"
    return ValueError(f"{min(ours)} {sentence}")


def watch_process(registry: CollectorRegistry) -> None:
    """Tell of this process: its CPU time, memory and files (on Linux), its garbage, its Python.
    Raises ValueError where the registry does already.
    """
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    PlatformCollector(registry=registry)


def pieces(
    registry: CollectorRegistry, taken: Collection[str], form: Format, log: Any
) -> Iterator[bytes]:
    """What a registry holds, a family at a time. When each series began is left out: nobody asks
    for it, and it would be every second line.

    A family whose name is taken is left out, and so is whatever comes after a collector that fails;
    the log says it. Neither costs anybody the rest.
    """
    write = _WRITERS[form]
    try:
        for family in registry.collect():
            if family.name in taken:
                log.warning("metric left out: its name is a signal's", metric=family.name)
            else:
                yield write(_Only(family)).removesuffix(END)
    except Exception:  # a collector of others may fail in any way
        log.warning("metrics left out: a collector failed", exc_info=True)


class _Only:
    """A registry of one family, for the library's writers."""

    def __init__(self, family: Metric) -> None:
        began = f"{family.name}_created"
        self._family = copy(family)  # a collector may tell the same object each time
        self._family.samples = [sample for sample in family.samples if sample.name != began]

    def collect(self) -> Iterable[Metric]:
        return (self._family,)
