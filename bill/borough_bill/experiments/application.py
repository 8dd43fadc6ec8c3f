"""What a run measures: an application, and the workload that is sent to it.

An application has the name that `borough --app` takes; its shapes are printed by `borough`. The
shop is one of them. Its ladder and its baseline are declared here as data; for an application
without them the report says what is left out, and why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from borough_bill.experiments.scale import Scale
from borough_bill.load.customers import make_customers
from borough_bill.load.generator import read_keys
from borough_bill.load.workload import Workload
from borough_bill.load.workload import workload as workload_of
from borough_bill.targets.shapes import Shape, read_shapes, shape_named

KEYS = {customer.name: customer.key for customer in make_customers(50)}
"""The API keys of customers, unless --keys names others."""
PREFIX = "BOROUGH_"
SETTINGS = {"SQLITE_SYNCHRONOUS": "NORMAL", "TRACE_RATIO": "0"}
"""The same for all shapes. A wait for the disk would hide the cost of a boundary."""


class CannotMeasure(Exception):
    """An application that cannot be measured with these options; the message says why."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """How an application is measured on the rungs of the ladder: the `module` with the commands
    `serve` and `hop`, and the name of the `root` span of a request's trace.
    """

    module: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application by its name for `borough --app`, and the workload for all its shapes.

    `settings` are `BOROUGH_` variables without the prefix, `seed` options of `borough seed`, `keys`
    API keys by customer, which parts get as `BOROUGH_API_KEYS` if there are any. `rungs` and the
    module of a `baseline`, one request as one transaction, are optional. With `counts_deliveries`,
    a placed order is one event whose delivery is counted. `labels` and `left_out` are for the
    report.
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
"""The coffee shop. The slow hash of card tokens, too, would hide the cost of a boundary."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line that choose the application; `shapes` are separated by
    commas, and `settings` and `seed` are texts like NAME=VALUE.
    """

    app: str | None = None
    workload: str | None = None
    reference: str | None = None
    shapes: str | None = None
    keys: Path | None = None
    settings: Sequence[str] | None = None
    seed: Sequence[str] | None = None


def select(options: Options, scale: Scale) -> tuple[Application, Scale]:
    """The application of the options, the shop by default; and how much of it is measured.

    The reference is the first shape of one part, and all other shapes are compared with it, unless
    the options name some. Nothing is started.

    Raises:
        CannotMeasure: No workload is named, or there are not two shapes to compare.
        CommandFailed: There is no such application, or no such shape.
        BadWorkload: The workload cannot be read.
        JobFailed: The keys cannot be read.

    """
    if options == Options():
        return SHOP, scale
    if options.app in (None, SHOP.name):
        app = replace(SHOP, workload=options.workload or SHOP.workload)
    elif options.workload is None:
        raise CannotMeasure(
            f"--app {options.app} needs --workload FILE, which says what is sent to it and which "
            "answers are expected"
        )
    else:
        app = Application(
            name=options.app, workload=options.workload, labels={"application": options.app}
        )
    reference, others = _compared(options, app)
    sent = workload_of(app.workload)
    made = KEYS if sent.for_customers else {}
    app = replace(
        app,
        keys=made if options.keys is None else read_keys(options.keys),
        settings={**app.settings, **pairs("--setting", options.settings, PREFIX)},
        seed=pairs("--seed-with", options.seed),
        labels={**app.labels, "workload": f"SHA-256 {sent.digest}"},
        left_out=tuple(_left_out(app, sent, scale, reference)),
    )
    ladder = scale.ladder and app.rungs is not None and len(reference.parts) == 1
    names = tuple(shape.name for shape in others)
    return app, replace(scale, reference=reference.name, shapes=names, ladder=ladder)


def _compared(options: Options, app: Application) -> tuple[Shape, list[Shape]]:
    """The reference, and the shapes compared with it; the one with most parts is the last."""
    known = read_shapes(app=app.name)
    whole = [name for name, shape in known.items() if len(shape.parts) == 1]
    if options.reference is None and not whole:
        raise CannotMeasure(
            f"{app.name} has no shape of one part: name the reference for {', '.join(known)} by "
            "--reference"
        )
    reference = shape_named(options.reference or whole[0], app=app.name)
    names = known if options.shapes is None else filter(None, options.shapes.split(","))
    others = [shape_named(name, app=app.name) for name in dict.fromkeys(names)]
    others = [shape for shape in others if shape.name != reference.name]
    if not others:
        raise CannotMeasure(
            f"a bill compares two shapes at least, and of {app.name} only {reference.name} is left"
        )
    return reference, sorted(others, key=lambda shape: len(shape.parts))


def _left_out(app: Application, sent: Workload, scale: Scale, reference: Shape) -> Iterator[str]:
    if scale.ladder and (app.rungs is None or len(reference.parts) > 1):
        why = (
            f"{app.name} has no command that serves its parts with one more component on each rung"
            if app.rungs is None
            else f"it begins in one process, and {reference.name} has {len(reference.parts)}"
        )
        yield f"No ladder, and no D10 (what watching costs): {why}."
    if app.baseline is None:
        yield (
            f"No D18 (saga or boundary): {app.name} has no baseline, the same {sent.noun} as one "
            "transaction on one database."
        )
    if not sent.promised({}):
        yield (
            f"Answers are not compared with the stores: no class of {app.workload} has counts_as, "
            "which names the row that an expected answer adds. The auditor was run nevertheless."
        )


def pairs(option: str, texts: Sequence[str] | None, prefix: str = "") -> dict[str, str]:
    """The names without `prefix`, and values. Raises CannotMeasure for a text that is no
    NAME=VALUE.
    """
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CannotMeasure(f"{option} {text}: it is NAME=VALUE")
        pairs[name.removeprefix(prefix)] = value
    return pairs
