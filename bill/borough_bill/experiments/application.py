"""What a run measures: an application, and what is sent to it.

An application is known by the name that `borough --app` takes; what it is made of only `borough`
can say. The shop is one of them. What it has beside that can be measured is declared here, as data;
of an application that declares nothing the report says what is left out, and why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from borough_bill.experiments.scale import Scale
from borough_bill.load.customers import crowd
from borough_bill.load.generator import read_keys
from borough_bill.load.workload import Workload
from borough_bill.load.workload import workload as workload_of
from borough_bill.targets.shapes import Shape, read_shapes, shape_named

KEYS = {customer.name: customer.key for customer in crowd(50)}
"""Of customers, where nobody names others."""
PREFIX = "BOROUGH_"
SETTINGS = {"SQLITE_SYNCHRONOUS": "NORMAL", "TRACE_RATIO": "0"}
"""The same for all. A disk's flush would hide what a boundary costs."""


class WrongApplication(Exception):
    """An application that cannot be measured as it was asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """How an application stands on the rungs of the ladder: the `module` with the commands `serve`
    and `hop`, and the name of the `root` span of a request's trace.
    """

    module: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application as `borough --app` knows it, and the workload that is sent to all its shapes.

    `settings` are `BOROUGH_` variables without the prefix, `seed` options of `borough seed`, `keys`
    API keys by customer, which parts get as `BOROUGH_API_KEYS` where there are any. `rungs` and the
    module of a `baseline`, one request as one transaction, are what an application may have beside.
    Where `counts_deliveries`, a placed order is one event whose delivery is counted. `labels` and
    `left_out` are for the report.
    """

    name: str
    workload: str
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    seed: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    rungs: Rungs | None = None
    baseline: str | None = None
    counts_deliveries: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


SHOP = Application(
    name="borough_shop.app:APP",
    workload="orders",
    settings={"SQLITE_SYNCHRONOUS": "NORMAL", "PBKDF2_ITERATIONS": "0", "TRACE_RATIO": "0"},
    keys=KEYS,
    rungs=Rungs("borough_shop.experiments.rungs", root="POST /v1/orders"),
    baseline="borough_shop.experiments.baseline",
    counts_deliveries=True,
)
"""The coffee shop. A slow hash on purpose, too, would hide what a boundary costs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of the application; `shapes` are separated by commas, and
    `settings` and `seed` are words like NAME=VALUE.
    """

    app: str | None = None
    workload: str | None = None
    reference: str | None = None
    shapes: str | None = None
    keys: Path | None = None
    settings: Sequence[str] = ()
    seed: Sequence[str] = ()


def chosen(asked: Asked, scale: Scale) -> tuple[Application, Scale]:
    """The application that was asked for, the shop by default; and how much of it is measured.

    The reference is the first shape of one part, the others are all its shapes, unless they are
    named. Nothing is started.

    Raises:
        WrongApplication: No workload is named, or there are not two shapes to compare.
        CommandFailed: There is no such application, or no such shape.
        BadWorkload: The workload cannot be read.
        JobFailed: The keys cannot be read.

    """
    if asked == Asked():
        return SHOP, scale
    if asked.app in (None, SHOP.name):
        of = replace(SHOP, workload=asked.workload or SHOP.workload)
    elif asked.workload is None:
        raise WrongApplication(
            f"--app {asked.app} needs --workload FILE, which says what is sent to it and what a "
            "right answer is"
        )
    else:
        of = Application(name=asked.app, workload=asked.workload, labels={"application": asked.app})
    reference, others = _compared(asked, of)
    sent = workload_of(of.workload)
    made = KEYS if sent.for_customers else {}
    of = replace(
        of,
        keys=made if asked.keys is None else read_keys(asked.keys),
        settings={**of.settings, **pairs("--setting", asked.settings, PREFIX)},
        seed=pairs("--seed-with", asked.seed),
        labels={**of.labels, "workload": f"SHA-256 {sent.digest}"},
        left_out=tuple(_left_out(of, sent, scale, reference)),
    )
    ladder = scale.ladder and of.rungs is not None and len(reference.parts) == 1
    names = tuple(shape.name for shape in others)
    return of, replace(scale, reference=reference.name, shapes=names, ladder=ladder)


def _compared(asked: Asked, of: Application) -> tuple[Shape, list[Shape]]:
    """The reference, and what is compared with it: the shape of most parts is the last."""
    known = read_shapes(app=of.name)
    whole = [name for name, shape in known.items() if len(shape.parts) == 1]
    if asked.reference is None and not whole:
        raise WrongApplication(
            f"{of.name} has no shape of one part: name what the others of {', '.join(known)} are "
            "compared with by --reference"
        )
    reference = shape_named(asked.reference or whole[0], app=of.name)
    names = known if asked.shapes is None else filter(None, asked.shapes.split(","))
    others = [shape_named(name, app=of.name) for name in dict.fromkeys(names)]
    others = [shape for shape in others if shape.name != reference.name]
    if not others:
        raise WrongApplication(
            f"a bill compares two shapes at least, and of {of.name} only {reference.name} is left"
        )
    return reference, sorted(others, key=lambda shape: len(shape.parts))


def _left_out(of: Application, sent: Workload, scale: Scale, reference: Shape) -> Iterator[str]:
    if scale.ladder and (of.rungs is None or len(reference.parts) > 1):
        why = (
            f"{of.name} has no command that serves its parts with one thing more on each rung"
            if of.rungs is None
            else f"it begins in one process, and {reference.name} has {len(reference.parts)}"
        )
        yield f"No ladder, and no D10 (what watching costs): {why}."
    if of.baseline is None:
        yield (
            f"No D18 (saga or boundary): {of.name} has no baseline, the same {sent.noun} as one "
            "transaction on one database."
        )
    if not sent.promised({}):
        yield (
            f"No answer is held against the books: no class of {of.workload} says by counts_as "
            "what a right answer adds to them. The auditor was asked all the same."
        )


def pairs(option: str, words: Sequence[str], prefix: str = "") -> dict[str, str]:
    """Raises WrongApplication for a word that is no NAME=VALUE."""
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise WrongApplication(f"{option} {word}: it is NAME=VALUE")
        pairs[name.removeprefix(prefix)] = value
    return pairs
