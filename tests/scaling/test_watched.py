"""Is the cache correct whatever the order of events, and is a stalled watch found?"""

from collections.abc import Mapping
from typing import Any

from structlog.testing import capture_logs

from borough_operator.running.watched import STALLED_S, Watched

SHOP = "shop"


def obj(name: str, version: int, data: str = "") -> dict[str, Any]:
    meta = {"namespace": SHOP, "name": name, "resourceVersion": str(version)}
    return {"metadata": meta, "data": data or f"v{version}"}


def keep(each: Mapping[str, Any]) -> str:
    if each["data"] == "nonsense":
        raise ValueError("nonsense")
    return str(each["data"])


class Recorder:
    """A cache, and every change it reported."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str | None, str | None]] = []
        self.known: Watched[str] = Watched(keep, self._changed)
        self.known.watch_started(0.0)

    def _changed(self, name: tuple[str, str], was: str | None, now: str | None) -> None:
        self.changes.append((name[1], was, now))

    def get(self, name: str) -> str | None:
        return self.known.get((SHOP, name))

    def list(self, version: int, *objects: dict[str, Any], now: float = 0.0) -> None:
        """A complete list of that version."""
        with self.known.listing():
            names = {self.known.listed(each, now) for each in objects}
            self.known.list_complete(SHOP, names, version)


def test_newest_version_is_kept_in_any_order() -> None:
    """A late event and an older list change nothing."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.known.updated(obj("a", 4))
    recorder.list(6, obj("a", 3))
    assert recorder.get("a") == "v5"
    assert recorder.changes == [("a", None, "v5")]


def test_unchanged_state_is_reported_once() -> None:
    """A list repeats what the watch delivered."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.list(9, obj("a", 5))
    assert len(recorder.changes) == 1


def test_own_write_is_not_reverted_by_an_older_event() -> None:
    """An older event would look like a foreign change."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.known.written((SHOP, "a"), 7, "ours")
    recorder.known.updated(obj("a", 6))
    assert recorder.get("a") == "ours"
    recorder.known.updated(obj("a", 8))
    assert recorder.get("a") == "v8"


def test_list_removes_missing_objects_and_keeps_newer_ones() -> None:
    """An object may have been added while the list was read."""
    recorder = Recorder()
    recorder.known.updated(obj("old", 5))
    recorder.known.updated(obj("young", 12))
    recorder.list(10)
    assert recorder.get("old") is None
    assert recorder.get("young") == "v12"


def test_object_deleted_during_a_list_stays_deleted() -> None:
    """The list shows an earlier state."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    with recorder.known.listing():
        recorder.known.deleted(obj("a", 11))
        names = {recorder.known.listed(obj("a", 5), 0.0)}
        recorder.known.list_complete(SHOP, names, 10)
    assert recorder.get("a") is None


def test_recreated_object_replaces_the_deleted_one() -> None:
    """Versions increase over its deletion, so the order is known."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.known.updated(obj("a", 9, "another"))
    recorder.known.deleted(obj("a", 8))
    assert recorder.get("a") == "another"


def test_watch_without_a_listed_object_is_stalled() -> None:
    """After `STALLED_S` seconds, with the object's name."""
    recorder = Recorder()
    recorder.list(10, obj("a", 5), now=100.0)
    assert recorder.known.stalled(100.0 + STALLED_S) == ""
    assert "shop/a" in recorder.known.stalled(101.0 + STALLED_S)


def test_watch_that_delivers_a_listed_object_later_works() -> None:
    """Whichever of both was first."""
    recorder = Recorder()
    recorder.list(10, obj("a", 5), now=100.0)
    recorder.known.updated(obj("a", 5))
    assert recorder.known.stalled(1000.0) == ""
    recorder.list(20, obj("a", 15), now=1000.0)
    recorder.known.deleted(obj("a", 16))
    assert recorder.known.stalled(5000.0) == ""


def test_undelivered_deletion_does_not_stall_a_watch() -> None:
    """After an expired watch Kopf lists again and reports no deletions: neither of delivered
    objects, nor of those that only a list had shown.
    """
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.list(10, obj("a", 5), obj("b", 6), now=100.0)
    recorder.list(20, now=150.0)
    assert recorder.get("a") is None
    assert recorder.known.lag(1000.0) == 0.0
    assert recorder.known.stalled(1000.0) == ""


def test_watch_lag_starts_with_the_watch() -> None:
    """Lists may precede the watch, which waits for its definition."""
    recorder = Recorder()
    recorder.known = Watched(keep)
    recorder.list(10, obj("a", 5), now=100.0)
    assert recorder.known.lag(9000.0) == 0.0
    recorder.known.watch_started(10_000.0)
    assert recorder.known.lag(10_030.0) == 30.0
    assert recorder.known.stalled(10_000.0 + STALLED_S) == ""
    assert "shop/a" in recorder.known.stalled(10_001.0 + STALLED_S)


def test_unreadable_object_is_left_out_and_logged_once() -> None:
    """From lists and watches: the others are kept, and it returns once it can be read."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    with capture_logs() as data:
        recorder.list(10, obj("a", 6, "nonsense"), obj("b", 7))
        recorder.known.updated(obj("a", 11, "nonsense"))
    assert (recorder.get("a"), recorder.get("b")) == (None, "v7")
    assert [line["object"] for line in data] == ["shop/a"]
    assert recorder.known.unreadable == {(SHOP, "a"): "it cannot be read: ValueError('nonsense')"}
    recorder.known.updated(obj("a", 12))
    assert (recorder.get("a"), recorder.known.unreadable) == ("v12", {})


def test_deleted_unreadable_object_is_dropped() -> None:
    """Whether a watch or a list shows the deletion."""
    recorder = Recorder()
    recorder.list(10, obj("a", 5, "nonsense"), obj("b", 6, "nonsense"))
    recorder.known.deleted(obj("a", 11))
    recorder.list(20)
    assert recorder.known.unreadable == {}


def test_response_to_a_write_updates_the_cache() -> None:
    """It may contain a foreign change before ours; a deleted object does not return."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.known.write_returned(obj("a", 7, "theirs and ours"))
    recorder.known.updated(obj("a", 6))
    assert recorder.get("a") == "theirs and ours"
    recorder.known.deleted(obj("a", 8))
    recorder.known.write_returned(obj("a", 7))
    assert recorder.get("a") is None


def test_quiet_cluster_is_not_a_stalled_watch() -> None:
    """No events alone prove nothing."""
    recorder = Recorder()
    recorder.known.updated(obj("a", 5))
    recorder.list(900, obj("a", 5), now=10_000.0)
    assert recorder.known.stalled(20_000.0) == ""
