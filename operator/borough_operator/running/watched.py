"""The cache of one resource: fed by a watch, repaired and checked by lists.

A stalled watch looks like a quiet cluster. So everything is listed from time to time, and what a
list shows before the watch delivered it is remembered: a working watch delivers it soon after, a
stalled one never does. Deletions prove nothing, since Kopf lists again after an expired watch and
reports no deletions. Of two states of an object the one with the larger resourceVersion is kept,
since lists, watches and our own writes overtake each other. Only what `keep` returns is stored; an
object that it cannot read is left out and recorded.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import structlog

Kept = TypeVar("Kept")
Name = tuple[str, str]
"""Namespace and name."""

STALLED_S = 90.0
"""Seconds within which a watch must deliver what a list showed: more than the 70 s after which Kopf
reopens a watch without any event or bookmark."""

_log = structlog.get_logger()


class Watched(Generic[Kept]):
    """All objects of one resource, by namespace and name.

    `changed` is called with the name, the former value and the new one: None where there is none.
    """

    def __init__(
        self,
        keep: Callable[[Mapping[str, Any]], Kept],
        changed: Callable[[Name, Kept | None, Kept | None], object] | None = None,
    ) -> None:
        self._keep = keep
        self._changed = changed
        self._items: dict[Name, tuple[int, Kept]] = {}
        self._undelivered: dict[Name, float] = {}  # ordered by time
        self._deleted_meanwhile: dict[Name, int] = {}  # during a list under way
        self._lists = 0
        self._began: float | None = None
        self.unreadable: dict[Name, str] = {}
        """Why an existing object could not be read, by its name."""

    def __len__(self) -> int:
        return len(self._items)

    def get(self, name: Name) -> Kept | None:
        item = self._items.get(name)
        return None if item is None else item[1]

    def write_returned(self, obj: Mapping[str, Any]) -> None:
        """Our own write returned the whole object, with what others wrote before."""
        if identity(obj)[0] in self._items:  # not deleted meanwhile
            self._take(obj)

    def written(self, name: Name, version: int, kept: Kept) -> None:
        """Our own write changed it; the watch has not delivered it yet."""
        item = self._items.get(name)
        if item is not None and item[0] < version:
            self._items[name] = version, kept

    # -- from the watch

    def watch_started(self, now: float) -> None:
        """The watch begins: from now on it must deliver what lists show."""
        self._began = now

    def updated(self, obj: Mapping[str, Any]) -> None:
        """The watch delivered an object that was added or changed."""
        self._undelivered.pop(identity(obj)[0], None)
        self._take(obj)

    def deleted(self, obj: Mapping[str, Any]) -> None:
        """The watch delivered a deletion, with the object's last state."""
        name, version = identity(obj)
        self._undelivered.pop(name, None)
        if self._lists:
            self._deleted_meanwhile[name] = version
        self._drop(name, version)

    def lag(self, now: float) -> float:
        """For how many seconds the watch has not delivered what a list showed; 0 where nothing is
        missing.
        """
        if self._began is None or not self._undelivered:
            return 0.0
        return max(0.0, now - max(self._began, next(iter(self._undelivered.values()))))

    def stalled(self, now: float) -> str:
        """What the watch has not delivered for too long; empty where it works."""
        if (lag := self.lag(now)) <= STALLED_S:
            return ""
        return f"{'/'.join(next(iter(self._undelivered)))} for {lag:.0f} s"

    # -- from a list

    @contextmanager
    def listing(self) -> Iterator[None]:
        self._lists += 1
        try:
            yield
        finally:
            self._lists -= 1
            if not self._lists:
                self._deleted_meanwhile.clear()

    def listed(self, obj: Mapping[str, Any], now: float) -> Name:
        """Add an object of a list. Returns its name."""
        name, version = identity(obj)
        if self._deleted_meanwhile.get(name, -1) < version and self._take(obj):
            self._undelivered.setdefault(name, now)
        return name

    def list_complete(self, namespace: str, names: AbstractSet[Name], version: int) -> None:
        """The list of this version is complete, and `names` are all objects of the namespace:
        remove the others, unless they are newer than the list.
        """
        known = self._items.keys() | self._undelivered.keys() | self.unreadable.keys()
        for name in known - names:
            if name[0] == namespace:
                self._drop(name, version)
                self._undelivered.pop(name, None)

    def _take(self, obj: Mapping[str, Any]) -> bool:
        name, version = identity(obj)
        item = self._items.get(name)
        if item is not None and item[0] >= version:
            return False
        try:
            kept = self._keep(obj)
        except Exception as error:  # noqa: BLE001  # other objects are not affected
            if name not in self.unreadable:  # logged once, not at each of its changes
                kind, why = obj.get("kind"), repr(error)
                _log.warning("an object cannot be read", kind=kind, object="/".join(name), why=why)
            self._drop(name, version)
            self.unreadable[name] = f"it cannot be read: {error!r}"
            return False
        self.unreadable.pop(name, None)
        self._items[name] = version, kept
        if self._changed is not None:
            self._changed(name, None if item is None else item[1], kept)
        return True

    def _drop(self, name: Name, version: int) -> None:
        item = self._items.get(name)
        if item is not None and item[0] > version:
            return
        self.unreadable.pop(name, None)
        if item is None:
            return
        del self._items[name]
        if self._changed is not None:
            self._changed(name, item[1], None)


def identity(obj: Mapping[str, Any]) -> tuple[Name, int]:
    """The name of an object and its version, which increases with every change (KEP-5504)."""
    meta = obj["metadata"]
    return (meta["namespace"], meta["name"]), int(meta["resourceVersion"])
