"""Which part hosts which capabilities: read from `shapes.toml`, checked, and queried.

Pure but for reading the file. The calls between capabilities are an argument.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable

Calls = Mapping[str, Collection[str]]
EXTRACT = "extract:"
REST = "*"
"""In a list: every capability that the shape names nowhere. As a part: one for each of these."""


class WrongShape(Exception):
    """An invalid shape; the message names what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Parts by name, each with its capabilities; `doors` are public path prefixes by part."""

    name: str
    parts: Mapping[str, tuple[str, ...]]
    doors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def part_hosting(self, capabilities: Collection[str]) -> str:
        """The first part that hosts exactly these. Raises WrongShape."""
        for part, hosted in self.parts.items():
            if set(hosted) == set(capabilities):
                return part
        raise WrongShape(
            f"shape {self.name} has no part that hosts exactly {', '.join(sorted(capabilities))}"
        )

    def served_to_others(self, part: str, calls: Calls) -> frozenset[str]:
        """The capabilities of this part that another part calls, which its internal port serves."""
        return frozenset(
            capability
            for capability in self.parts[part]
            for other, hosted in self.parts.items()
            if other != part and capability not in hosted
            if any(capability in calls[caller] for caller in hosted)
        )

    def routes(self) -> dict[str, tuple[str, ...]]:
        """Public path prefixes by part that hosts the gateway; the last one serves all others."""
        *others, last = (part for part, hosted in self.parts.items() if "gateway" in hosted)
        return {part: self.doors.get(part, ()) for part in others} | {
            last: (*self.doors.get(last, ()), "/")
        }


def needed(capabilities: Collection[str], calls: Calls) -> frozenset[str]:
    """The capabilities a part calls and does not host: it needs an address for each."""
    return frozenset(c for caller in capabilities for c in calls[caller]) - set(capabilities)


def check_hosted(capabilities: Collection[str], calls: Calls) -> None:
    """Raises WrongShape unless these are capabilities a part could host."""
    names = list(capabilities)
    if not names:
        raise WrongShape(f"a part hosts at least one capability: {', '.join(sorted(calls))}")
    if unknown := sorted(set(names) - set(calls)):
        raise WrongShape(
            f"there is no capability {', '.join(unknown)}; there are {', '.join(sorted(calls))}"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WrongShape(f"{', '.join(twice)} is named twice in one part")


def load(calls: Calls, file: Traversable) -> dict[str, Shape]:
    """Every shape of the file. Raises WrongShape."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {name: _shape(name, table, calls) for name, table in tables.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, WrongShape) as error:
        raise WrongShape(f"shapes file {file}: {error}") from None


def named(name: str, shapes: Mapping[str, Shape], calls: Calls) -> Shape:
    """The shape of that name, or the one `extract:CAPABILITY` describes. Raises WrongShape."""
    if name in shapes:
        return shapes[name]
    if name.startswith(EXTRACT):
        alone = name.removeprefix(EXTRACT)
        check_hosted([alone], calls)
        return Shape(name, {"app": tuple(c for c in calls if c != alone), alone: (alone,)})
    raise WrongShape(f"there is no shape {name}; there are {', '.join(shapes)} and {EXTRACT}NAME")


def every(shapes: Mapping[str, Shape], calls: Calls) -> dict[str, Shape]:
    """These shapes, and one for each `extract:CAPABILITY`."""
    return dict(shapes) | {name: named(name, shapes, calls) for name in map(EXTRACT.__add__, calls)}


def _shape(name: str, table: object, calls: Calls) -> Shape:
    if isinstance(table, dict) and (unknown := sorted(set(table) - {"parts", "doors"})):
        raise WrongShape(f"shape {name} has `parts` and `doors`, but no `{'`, `'.join(unknown)}`")
    parts = _with_rest(_map_of_lists(table, "parts"), calls)
    doors = _map_of_lists(table, "doors")
    if not parts:
        raise WrongShape(f"shape {name} needs a table `parts`: a list of capabilities by part")
    for part, hosted in parts.items():
        try:
            check_hosted(hosted, calls)
        except WrongShape as error:
            raise WrongShape(f"shape {name}, part {part}: {error}") from None
    if nowhere := sorted(set(calls) - {c for hosted in parts.values() for c in hosted}):
        raise WrongShape(f"shape {name} hosts {', '.join(nowhere)} nowhere")
    if absent := sorted(set(doors) - set(parts)):
        raise WrongShape(f"shape {name}, doors: there is no part {', '.join(absent)}")
    if closed := sorted(part for part in doors if "gateway" not in parts[part]):
        raise WrongShape(f"shape {name}, doors: {', '.join(closed)} hosts no gateway")
    return Shape(name, parts, doors)


def _with_rest(parts: dict[str, tuple[str, ...]], calls: Calls) -> dict[str, tuple[str, ...]]:
    rest = [c for c in calls if all(c not in hosted for hosted in parts.values())]
    if parts.pop(REST, None) is not None:
        parts |= {name: (name,) for name in rest}
    return {
        part: tuple(c for name in hosted for c in (rest if name == REST else [name]))
        for part, hosted in parts.items()
    }


def _map_of_lists(table: object, key: str) -> dict[str, tuple[str, ...]]:
    inner = table.get(key, {}) if isinstance(table, dict) else {}
    if not isinstance(inner, dict) or not all(
        isinstance(v, list) and all(isinstance(s, str) for s in v) for v in inner.values()
    ):
        raise WrongShape(f"`{key}` maps a part to a list of names")
    return {part: tuple(values) for part, values in inner.items()}
