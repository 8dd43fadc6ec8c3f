"""What is known of one kind of object: fed by a watch, repaired and checked by lists.

A watch that has gone silent looks like a quiet cluster. So everything is listed now and then, and
what a list finds that no watch had brought is remembered: a watch that is well brings it soon
after, a deaf one never does. What went unheard proves nothing: Kopf, whose watch had expired, lists
anew and tells of no deletion. Of two states of an object the one with the larger resourceVersion
counts, since lists, watches and our own writes overtake each other. Nothing is kept but what `keep`
makes; what it cannot read is left out, and harms nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import structlog

Kept = TypeVar("Kept")
Name = tuple[str, str]
"""Namespace and name."""

DEAF_S = 90.0
"""How long a watch may take to bring what a list has shown: more than the 70 s after which Kopf
opens one anew that says nothing, not even a bookmark."""

_log = structlog.get_logger()


class Watched(Generic[Kept]):
    """All objects of one kind, by namespace and name.

    `changed` is told the name, what was kept and what is: None for what was not there, or went.
    """

    def __init__(
        self,
        keep: Callable[[Mapping[str, Any]], Kept],
        changed: Callable[[Name, Kept | None, Kept | None], object] | None = None,
    ) -> None:
        self._keep = keep
        self._changed = changed
        self._items: dict[Name, tuple[int, Kept]] = {}
        self._missed: dict[Name, float] = {}  # in the order of its times
        self._gone: dict[Name, int] = {}  # what went while a list is being read
        self._lists = 0
        self._began: float | None = None
        self.unreadable: dict[Name, str] = {}
        """A sentence about each object that is there and could not be read."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Kept]:
        return (kept for _, kept in self._items.values())

    def get(self, name: Name) -> Kept | None:
        """What is kept of it, None where there is no such object."""
        item = self._items.get(name)
        return None if item is None else item[1]

    def answered(self, obj: Mapping[str, Any]) -> None:
        """Our own write was answered with the whole object, and with what others wrote before."""
        if identity(obj)[0] in self._items:  # or else it went while we wrote
            self._take(obj)

    def wrote(self, name: Name, version: int, kept: Kept) -> None:
        """Our own write left it so; no watch has told of it yet."""
        item = self._items.get(name)
        if item is not None and item[0] < version:
            self._items[name] = version, kept

    # -- what a watch tells

    def began(self, now: float) -> None:
        """The watch begins, and owes from here on what lists have shown."""
        self._began = now

    def seen(self, obj: Mapping[str, Any]) -> None:
        """It is there, or has changed."""
        self._missed.pop(identity(obj)[0], None)
        self._take(obj)

    def lost(self, obj: Mapping[str, Any]) -> None:
        """It is gone; the object is its last state."""
        name, version = identity(obj)
        self._missed.pop(name, None)
        if self._lists:
            self._gone[name] = version
        self._drop(name, version)

    def owes(self, now: float) -> float:
        """For how many seconds the watch has owed what a list showed; 0 where all is well."""
        if self._began is None or not self._missed:
            return 0.0
        return max(0.0, now - max(self._began, next(iter(self._missed.values()))))

    def deaf(self, now: float) -> str:
        """What the watch has owed for too long; empty where all is well."""
        if (owed := self.owes(now)) <= DEAF_S:
            return ""
        return f"{'/'.join(next(iter(self._missed)))} for {owed:.0f} s"

    # -- what a list tells

    @contextmanager
    def listing(self) -> Iterator[None]:
        """While a list comes in."""
        self._lists += 1
        try:
            yield
        finally:
            self._lists -= 1
            if not self._lists:
                self._gone.clear()

    def listed(self, obj: Mapping[str, Any], now: float) -> Name:
        """An object of a list. Answers its name."""
        name, version = identity(obj)
        if self._gone.get(name, -1) < version and self._take(obj):
            self._missed.setdefault(name, now)
        return name

    def not_listed(self, namespace: str, names: AbstractSet[Name], version: int) -> None:
        """The list is complete, of that version, and had no other names of that namespace. What is
        younger than the list came while it was read.
        """
        known = self._items.keys() | self._missed.keys() | self.unreadable.keys()
        for name in known - names:
            if name[0] == namespace:
                self._drop(name, version)
                self._missed.pop(name, None)

    def _take(self, obj: Mapping[str, Any]) -> bool:
        name, version = identity(obj)
        item = self._items.get(name)
        if item is not None and item[0] >= version:
            return False
        try:
            kept = self._keep(obj)
        except Exception as error:  # noqa: BLE001  # one object's misfortune is nobody else's
            if name not in self.unreadable:  # or else every change of it would say so
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
    """The name of an object, and its version, which grows with every change (KEP-5504)."""
    meta = obj["metadata"]
    return (meta["namespace"], meta["name"]), int(meta["resourceVersion"])
