"""Is what is known of the cluster true, whatever order news comes in, and is a deaf watch found?"""

from collections.abc import Mapping
from typing import Any

from structlog.testing import capture_logs

from borough_operator.running.watched import STALLED_S, Watched

SHOP = "shop"


def obj(name: str, version: int, said: str = "") -> dict[str, Any]:
    meta = {"namespace": SHOP, "name": name, "resourceVersion": str(version)}
    return {"metadata": meta, "said": said or f"v{version}"}


def keep(each: Mapping[str, Any]) -> str:
    if each["said"] == "nonsense":
        raise ValueError("nonsense")
    return str(each["said"])


class Recorder:
    """What was kept, and every change that was told."""

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


def test_the_newest_state_counts_whatever_comes_last() -> None:
    """A late event, and a list older than what was seen, change nothing."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.known.updated(obj("a", 4))
    told.list(6, obj("a", 3))
    assert told.get("a") == "v5"
    assert told.changes == [("a", None, "v5")]


def test_the_same_state_is_told_once() -> None:
    """A list repeats what a watch has said, and nobody is bothered."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.list(9, obj("a", 5))
    assert len(told.changes) == 1


def test_our_own_write_is_not_undone_by_an_event_from_before_it() -> None:
    """What we wrote is known at once: an old event would look like somebody else's change."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.known.written((SHOP, "a"), 7, "ours")
    told.known.updated(obj("a", 6))
    assert told.get("a") == "ours"
    told.known.updated(obj("a", 8))
    assert told.get("a") == "v8"


def test_a_list_removes_what_went_unheard_and_keeps_what_is_younger() -> None:
    """What is not on a list is gone, unless it came while the list was read."""
    told = Recorder()
    told.known.updated(obj("old", 5))
    told.known.updated(obj("young", 12))
    told.list(10)
    assert told.get("old") is None
    assert told.get("young") == "v12"


def test_what_went_while_a_list_was_read_does_not_come_back_with_it() -> None:
    """The list is of a moment before."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    with told.known.listing():
        told.known.deleted(obj("a", 11))
        names = {told.known.listed(obj("a", 5), 0.0)}
        told.known.list_complete(SHOP, names, 10)
    assert told.get("a") is None


def test_another_object_of_the_same_name_takes_its_place() -> None:
    """Deleted and made anew: the versions go on, so the order is clear."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.known.updated(obj("a", 9, "another"))
    told.known.deleted(obj("a", 8))
    assert told.get("a") == "another"


def test_a_watch_that_never_brings_what_a_list_showed_is_deaf() -> None:
    """It is given its time, and named by what it did not bring."""
    told = Recorder()
    told.list(10, obj("a", 5), now=100.0)
    assert told.known.stalled(100.0 + STALLED_S) == ""
    assert "shop/a" in told.known.stalled(101.0 + STALLED_S)


def test_a_watch_that_brings_it_later_is_well() -> None:
    """An event about the object proves that it hears, whichever of both was first."""
    told = Recorder()
    told.list(10, obj("a", 5), now=100.0)
    told.known.updated(obj("a", 5))
    assert told.known.stalled(1000.0) == ""
    told.list(20, obj("a", 15), now=1000.0)
    told.known.deleted(obj("a", 16))
    assert told.known.stalled(5000.0) == ""


def test_what_went_unheard_makes_no_watch_deaf() -> None:
    """After an expired watch Kopf lists anew and tells of no deletion: neither of what the watch
    had brought, nor of what only a list had shown.
    """
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.list(10, obj("a", 5), obj("b", 6), now=100.0)
    told.list(20, now=150.0)
    assert told.get("a") is None
    assert told.known.lag(1000.0) == 0.0
    assert told.known.stalled(1000.0) == ""


def test_a_watch_that_has_not_begun_owes_nothing() -> None:
    """What lists showed while its definition was waited for is owed from its beginning on."""
    told = Recorder()
    told.known = Watched(keep)
    told.list(10, obj("a", 5), now=100.0)
    assert told.known.lag(9000.0) == 0.0
    told.known.watch_started(10_000.0)
    assert told.known.lag(10_030.0) == 30.0
    assert told.known.stalled(10_000.0 + STALLED_S) == ""
    assert "shop/a" in told.known.stalled(10_001.0 + STALLED_S)


def test_what_cannot_be_read_is_left_out_and_said_once() -> None:
    """By a list or a watch: the others are kept, and it is back once it can be read."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    with capture_logs() as said:
        told.list(10, obj("a", 6, "nonsense"), obj("b", 7))
        told.known.updated(obj("a", 11, "nonsense"))
    assert (told.get("a"), told.get("b")) == (None, "v7")
    assert [line["object"] for line in said] == ["shop/a"]
    assert told.known.unreadable == {(SHOP, "a"): "it cannot be read: ValueError('nonsense')"}
    told.known.updated(obj("a", 12))
    assert (told.get("a"), told.known.unreadable) == ("v12", {})


def test_what_could_not_be_read_and_went_is_forgotten() -> None:
    """Whether a watch says so or a list."""
    told = Recorder()
    told.list(10, obj("a", 5, "nonsense"), obj("b", 6, "nonsense"))
    told.known.deleted(obj("a", 11))
    told.list(20)
    assert told.known.unreadable == {}


def test_the_answer_to_a_write_brings_what_no_watch_has_told() -> None:
    """Somebody's change just before ours is in it; what went meanwhile does not come back."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.known.write_returned(obj("a", 7, "theirs and ours"))
    told.known.updated(obj("a", 6))
    assert told.get("a") == "theirs and ours"
    told.known.deleted(obj("a", 8))
    told.known.write_returned(obj("a", 7))
    assert told.get("a") is None


def test_a_quiet_cluster_is_not_a_deaf_watch() -> None:
    """Silence alone proves nothing."""
    told = Recorder()
    told.known.updated(obj("a", 5))
    told.list(900, obj("a", 5), now=10_000.0)
    assert told.known.stalled(20_000.0) == ""
