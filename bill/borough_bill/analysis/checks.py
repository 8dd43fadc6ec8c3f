"""The checks of a result. Each is a question with a limit that was fixed before the data; one that
fails voids the families of lines that it speaks for, and no others.

They are in one file because their order in it, that of dependence, is their order in the bill.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from borough_bill.analysis.formats import amount, listed, share, span
from borough_bill.analysis.ladder import (
    CHANCE_LIMIT,
    RESIDUAL,
    Ladder,
    closure,
    cpu_ladder,
    latency_ladder,
)
from borough_bill.analysis.line import FAMILIES, LOADED, Family
from borough_bill.analysis.lines import latency
from borough_bill.analysis.runs import (
    Reading,
    Runs,
    Windows,
    cpu,
    mean_latency,
    memory,
    pooled,
    series,
)
from borough_bill.analysis.statistics import difference, holm, mean_of, p_value
from borough_bill.results import RUNGS, Frozen, Window, titled

ENOUGH, SOME, FEWEST = 10, 3, 2
"""Blocks that latency and CPU need, since they vary from block to block; that memory, hops and
failures need, which hardly vary; and that an interval needs.
"""
P95_S, P99_S, FREEZE_LIMIT = 0.5, 0.9, 0.05
"""The percentiles of a server that is frozen for 1 s in every 10 s under a uniform load, whose
latency has the tail P(latency > x) = (1 s - x) / 10 s, and cannot be lower; and the deviation that
is allowed from the percentiles by the server's own clock.
"""
SLIP_LIMIT_MS = 5.0
SLIP_SHARE = 0.05
"""Share of the smallest difference that is claimed; slip below it changes no claim."""
GENERATOR_LIMIT = 0.7
"""Share of its core; above it, requests begin to wait for the generator."""
OTHERS_LIMIT = 0.2
"""Share of the subjects' core that other processes may use. The subjects wait for them, some shapes
longer than others, and that would count as latency of the shape.
"""
UNSERVED_LIMIT = 0.001
"""Share of requests that may fail, if as many of every subject do."""
FAILED_LIMIT = 0.05
"""Share of requests. CPU and hops of a failed request are divided among those that were served, so
that their figures are off by this share at most: as much as a line calls no difference.
"""
NULL_LEVEL = 0.99
"""Two A/A checks at 95 % would void one in ten runs by chance; at 99 % it is one in fifty."""
SPEED_LIMIT = 0.1
"""Share of the reference's mean. Two processes of the same code keep a constant difference in speed
that depends, for instance, on their memory layout (Mytkowicz et al., Producing wrong data without
doing anything obviously wrong, ASPLOS 2009). Enough blocks always find it: 8 % were measured on an
idle machine. No line claims a difference within A/A, so up to this limit nothing is void.
"""
MEMORY_LIMIT = 0.05
"""Share of the reference's memory. Two processes of the same code keep a constant difference of
some pages, which an interval over blocks would always find.
"""
REPEATED_LIMIT = 0.02
"""Share by which the mean of an edge's calls a request, over all blocks, may exceed the median."""
ROUNDING_S = 1e-6
"""Seconds that sums of the same times may differ by."""
NOTHING_LOST = "nothing lost"
UNPAIRED = "Fewer than two blocks hold both instances."
ANEW = "Begin the run anew (--fresh)."
FIND_FAILURES = (
    "Look at the failures of that subject; where its answers took too long, a lower rate (--rate)."
)
MORE_TIME = "More time: a less busy machine, or more blocks (--blocks)."
MORE_BLOCKS = "More blocks (--blocks), or a less busy machine."
HELPED_BY_BLOCKS = (MORE_TIME, MORE_BLOCKS)
"""The remedies of a check that could pass with more blocks."""
QUIET = "End other programs on this machine; a busy one can measure everything but latency."
KEEP_STORES = (
    "This is an error of the application, not of the machine: keep the folder of the run, which "
    "holds the stores."
)
READABLE = f"{ANEW[:-1]}; a process that cannot be read may belong to another user."


class Check(Frozen):
    """A question, the value that was found, the limit, and the answer as one sentence.

    A failed check voids the families `voids` and no others. `remedy` says what to do about it, and
    `more_blocks_help` whether it could pass with more blocks.
    """

    name: str
    question: str
    value: str
    limit: str
    passed: bool
    sentence: str
    voids: tuple[Family, ...]
    remedy: str
    more_blocks_help: bool = False


class Found(NamedTuple):
    """What a check found; with a `remedy`, if it depends on that."""

    value: str
    limit: str
    passed: bool
    sentence: str
    remedy: str = ""


Find = Callable[[Runs], Found | None]
_CHECKS: list[Callable[[Runs], Check | None]] = []


def _check(
    name: str, question: str, voids: tuple[Family, ...], remedy: str
) -> Callable[[Find], Find]:
    """Adds a check, which a result has if the decorated function finds something. `{}` in its
    question is the reference.
    """

    def added(find: Find) -> Find:
        def check(runs: Runs) -> Check | None:
            found = find(runs)
            return found and Check(
                name=name,
                question=question.format(runs.plan.reference),
                voids=voids,
                more_blocks_help=remedy in HELPED_BY_BLOCKS,
                **found._asdict() | {"remedy": found.remedy or remedy},
            )

        _CHECKS.append(check)
        return find

    return added


def checks(runs: Runs) -> tuple[Check, ...]:
    """All checks that speak for a family that was measured."""
    has = set(measured(runs))
    return tuple(
        found.model_copy(update={"voids": tuple(f for f in found.voids if f in has)})
        for check in _CHECKS
        if (found := check(runs)) and has & set(found.voids)
    )


def measured(runs: Runs) -> tuple[Family, ...]:
    """The families that were measured: of an application on the kit all, where the machine can read
    processes; else those that there are figures of.
    """
    ours = not _compares(runs)
    subjects = [runs.windows(subject) for subject in runs.plan.subjects]
    readable = ours and runs.result.machine.reads_processes
    figures: dict[Family, bool] = {
        "latency": True,
        "CPU": readable or all(any(w.cpu_s for w in windows) for windows in subjects),
        "memory": readable or all(any(w.rss_mib for w in windows) for windows in subjects),
        "hops": ours or any(w.hops for windows in subjects for w in windows),
        "failures": True,
        "books": ours or bool(runs.result.audits),
    }
    return tuple(family for family in FAMILIES if figures[family])


def _compares(runs: Runs) -> bool:
    return runs.result.kind == "compare"


def _held(runs: Runs) -> dict[str, set[int]]:
    """The blocks of each subject."""
    return {s: {window.block for window in runs.windows(s)} for s in runs.plan.subjects}


@_check("whole blocks", "Is every subject in every block?", LOADED, MORE_TIME)
def _whole(runs: Runs) -> Found:
    """Every block has all subjects, so that all lines pair the same blocks."""
    held = _held(runs)
    whole, begun = set.intersection(*held.values()), set.union(*held.values())
    incomplete = [subject for subject, blocks in held.items() if blocks != begun]
    needed = FEWEST if _compares(runs) else SOME
    sentence = "Every block has all subjects."
    if incomplete:
        sentence = f"Windows are missing of {listed(incomplete)}."
    elif len(whole) < needed:
        sentence = f"There are only {len(whole)} blocks."
    found, limit = f"{len(whole)} whole, of {len(begun)}", f"all, and {needed} or more"
    return Found(found, limit, len(whole) == len(begun) >= needed, sentence)


@_check(
    "blocks",
    "Were enough blocks measured for what varies between them?",
    ("latency", "CPU"),
    MORE_TIME,
)
def _blocks(runs: Runs) -> Found:
    found = len(set.intersection(*_held(runs).values()))
    needed = max(runs.plan.blocks, FEWEST if _compares(runs) else ENOUGH)
    sentence = f"Too few blocks: {found} of {needed} were measured."
    if found >= needed:
        sentence = "At least as many as planned were measured."
    return Found(f"{found}", f"{needed} or more", found >= needed, sentence)


def _unserved(windows: Windows) -> int:
    return sum(window.offered - window.served for window in windows)


def _unserved_share(windows: Windows) -> float:
    offered = sum(window.offered for window in windows)
    return _unserved(windows) / offered if offered else 1.0


def _largest(runs: Runs, of: Callable[[Windows], float]) -> tuple[float, str]:
    """The largest value over subjects and rungs, and its subject: the reference, if all are 0."""
    found = [(of(windows), titled(subject)) for subject, windows in runs.loaded()]
    return max([(0.0, runs.plan.reference), *found], key=lambda pair: pair[0])


@_check("served", "Was every request answered as expected?", ("latency",), FIND_FAILURES)
def _served(runs: Runs) -> Found:
    """Failed requests are in no latency, so a shape that fails slow requests would seem fast."""
    counts = {_unserved(windows) for _, windows in runs.loaded()}
    worst, name = _largest(runs, _unserved_share)
    sentence = "Every request was answered, and every answer was the expected one."
    if worst:
        sentence = f"{name} did not serve {share(worst, 2)}, which are in no latency."
    limit = f"0, or < {share(UNSERVED_LIMIT, 1)} and all alike"
    passed = worst == 0 or (worst < UNSERVED_LIMIT and len(counts) == 1)
    return Found(f"{share(worst, 2)} not served", limit, passed, sentence)


@_check(
    "few failures",
    "Were failures too few to change the cost of served requests?",
    ("CPU", "hops"),
    FIND_FAILURES,
)
def _few_failures(runs: Runs) -> Found:
    worst, name = _largest(runs, _unserved_share)
    most = f"Most failed in {name}; their cost is divided among those that were served."
    sentence = most if worst else "None failed."
    return Found(f"{share(worst, 2)} failed", share(FAILED_LIMIT), worst <= FAILED_LIMIT, sentence)


@_check("sent", "Was every planned request sent and recorded?", ("failures",), ANEW)
def _sent(runs: Runs) -> Found:
    """All subjects of a block were sent the same requests: windows of the same length have the same
    schedule.
    """
    offered: dict[tuple[int, float], dict[str, int]] = {}
    for name, windows in runs.loaded():
        for window in windows:
            alike = offered.setdefault((window.block, runs.plan.seconds_of(name)), {})
            alike[titled(name)] = window.offered
    short = {
        name: max(alike.values()) - count
        for alike in offered.values()
        for name, count in alike.items()
        if count < max(alike.values()) or count == 0
    }
    sentence = "In every block, all subjects were sent the same number of requests."
    if short:
        sentence = f"In some block, fewer requests than to others were sent to {listed([*short])}."
    passed = bool(offered) and not short
    return Found(f"{sum(short.values())} missing", "0, of every subject", passed, sentence)


@_check("freeze", "Does the generator measure the latency of a frozen server?", ("latency",), QUIET)
def _freeze(runs: Runs) -> Found | None:
    """The generator measured the known percentiles of a server that freezes (`load.frozen`)."""
    seen = runs.result.freeze
    if seen is None and _compares(runs):
        return None
    off, limit = 1.0, (P95_S, P99_S)
    if seen is not None:
        limit = max(seen.given_p95_s, P95_S), max(seen.given_p99_s, P99_S)
        off = max(abs(seen.p95_s / limit[0] - 1), abs(seen.p99_s / limit[1] - 1))
    return Found(
        value=f"p95 {seen.p95_s:.3f} s, p99 {seen.p99_s:.3f} s" if seen else "-",
        limit=f"p95 {limit[0]:.3g} s, p99 {limit[1]:.3g} s, within {share(FREEZE_LIMIT)}",
        passed=off <= FREEZE_LIMIT,
        sentence=f"A server frozen 1 s in every 10 s was measured within {share(off, 1)} of its "
        "own clock."
        if seen
        else "The freeze test was not run.",
    )


@_check("slip", "Were requests sent at their intended times?", ("latency",), QUIET)
def _slip(runs: Runs) -> Found:
    """The limit is for all requests together: of the few hundred of one subject, three late ones
    would decide.
    """
    pools = {titled(subject): pooled(windows, "slip") for subject, windows in runs.loaded()}
    late = {subject: pool.quantile(0.99) for subject, pool in pools.items() if pool is not None}
    everything = pooled(tuple(chain.from_iterable(w for _, w in runs.loaded())), "slip")
    found = everything.quantile(0.99) if everything else np.inf
    worst = max(late, key=late.__getitem__, default="")
    return Found(
        value=f"p99 {found:.2f} ms" if late else "-",
        limit=f"{SLIP_LIMIT_MS:g} ms",
        passed=found <= SLIP_LIMIT_MS,
        sentence=f"1 in 100 requests left {found:.2f} ms late or more; by subject, 1 in 100 left "
        f"{min(late.values()):.2f} to {late[worst]:.2f} ms late, most to {worst}."
        if late
        else "No request was sent.",
    )


@_check("even slip", "Were requests to all subjects equally late?", ("latency",), QUIET)
def _even_slip(runs: Runs) -> Found:
    """Slip did not differ between subjects, which would count as their latency. Each is compared
    with the mean of its blocks, and all are tested together (Holm).
    """
    allowed = (
        f"half of the A/A interval, or {share(SLIP_SHARE)} of the smallest claimed difference if "
        "that is larger"
    )
    null = _again(runs, mean_latency)
    found = {s: series(w, lambda w: w.slip.mean if w.slip else None) for s, w in runs.loaded()}
    if null is None or not all(found.values()):
        missing = "There is no A/A, or a subject was sent no request."
        return Found("-", allowed, passed=False, sentence=missing)
    blocks = {block for slips in found.values() for block in slips}
    mean = {b: float(np.mean([s[b] for s in found.values() if b in s])) for b in blocks}
    apart = {subject: difference(slips, mean) for subject, slips in found.items()}
    least = max(difference(*null).half_width, SLIP_SHARE * _smallest_claim(runs))
    odd = holm({subject: p_value(slips, mean) for subject, slips in found.items()})
    farthest = max(apart, key=lambda subject: abs(apart[subject].mean))
    off = [titled(subject) for subject in sorted(odd) if abs(apart[subject].mean) > least]
    return Found(
        value=f"{abs(apart[farthest].mean):.3f} ms from the mean",
        limit=f"{least:.3f} ms",
        passed=not off,
        sentence=f"Block after block, requests to {listed(off)} left earlier or later than others."
        if off
        else f"Farthest from the mean of its blocks was {titled(farthest)}, by "
        f"{apart[farthest].mean:.3f} ms ({span(apart[farthest], 'ms')}). Allowed is {allowed}.",
    )


def _smallest_claim(runs: Runs) -> float:
    """The smallest difference in mean latency that the bill claims, in ms; 0 for none."""
    mean = next(latency(runs))
    claimed = [abs(cell.change.mean) for cell in mean.cells if cell.differs] if mean else []
    return min(claimed, default=0.0)


@_check("generator", "Did the generator have CPU to spare?", ("latency",), "A lower rate (--rate).")
def _generator(runs: Runs) -> Found:
    busy, name = _largest(runs, lambda windows: _used(windows, lambda w: w.generator_cpu_s))
    found, sentence = f"{share(busy, 1)} of its core", f"It was busiest with {name}."
    return Found(found, share(GENERATOR_LIMIT), busy <= GENERATOR_LIMIT, sentence)


@_check("own core", "Did the subjects have their core to themselves?", ("latency",), QUIET)
def _own_core(runs: Runs) -> Found | None:
    if all(window.others_s is None for _, windows in runs.loaded() for window in windows):
        return None
    most, name = _largest(runs, lambda windows: _used(windows, lambda w: w.others_s))
    return Found(
        value=f"{share(most)} used by others",
        limit=share(OTHERS_LIMIT),
        passed=most <= OTHERS_LIMIT,
        sentence=f"Other processes took {share(most)} of the subjects' core, most of it beside "
        f"{name}. Requests wait for that, and longer where more processes take part; the times of "
        "hops contain such waiting too.",
    )


def _used(windows: Windows, seconds: Reading) -> float:
    """The share of a core that was used in all windows in which that is known."""
    known = [(used, w.seconds) for w in windows if (used := seconds(w)) is not None]
    return sum(used for used, _ in known) / sum(of for _, of in known) if known else 0.0


def _again(runs: Runs, reading: Reading) -> tuple[dict[int, float], dict[int, float]] | None:
    """The series of the second instance and of the reference, if FEWEST blocks hold both."""
    second, base = (
        dict(series(runs.windows(subject), reading))
        for subject in (runs.plan.again, runs.plan.reference)
    )
    return (second, base) if len(second.keys() & base.keys()) >= FEWEST else None


def _null(family: Family, unit: str, reading: Reading, runs: Runs) -> Found:
    """The interval of the paired difference contains 0, or it is at most SPEED_LIMIT."""
    reference, pair = runs.plan.reference, _again(runs, reading)
    limit = f"the {share(NULL_LEVEL)} interval contains 0, or {share(SPEED_LIMIT)} of {reference}"
    if pair is None:
        return Found("-", limit, passed=False, sentence=UNPAIRED)
    found, base = difference(*pair, level=NULL_LEVEL), mean_of(pair[1]).mean
    passed = not found.excludes_zero or abs(found.mean) <= SPEED_LIMIT * base
    if not found.excludes_zero:
        sentence = (
            f"The difference in {family} of two instances of {reference} is not significant; it "
            f"may be up to {amount(found.reach, unit)}."
        )
    elif passed:
        sentence = (
            f"Two instances of {reference} differ in {family} by {share(abs(found.mean) / base)}, "
            "as two processes of the same code may; no line claims a difference that small."
        )
    else:
        sentence = (
            f"Two instances of {reference} differ in {family}, so a difference of a shape may not "
            "come from the shape."
        )
    return Found(f"{amount(found.mean, unit)} ({span(found, unit)})", limit, passed, sentence)


def _null_memory(runs: Runs) -> Found:
    """The mean difference is at most MEMORY_LIMIT of the reference's mean."""
    reference, pair = runs.plan.reference, _again(runs, memory)
    limit = f"{share(MEMORY_LIMIT)} of {reference}"
    if pair is None:
        return Found("-", limit, passed=False, sentence=UNPAIRED)
    apart, base = difference(*pair).mean, mean_of(pair[1]).mean
    return Found(
        value=amount(apart, "MiB"),
        limit=limit,
        passed=abs(apart) <= MEMORY_LIMIT * base,
        sentence=f"Two instances of {reference} differ by {amount(abs(apart), 'MiB')}, of "
        f"{amount(base, 'MiB')}.",
    )


def _read(
    loaded: Iterable[tuple[str, Windows]], of: Callable[[Window], Mapping[str, float]]
) -> Found:
    """Every process was read in every window; a missing one would make its shape cheaper."""
    gaps = []
    for subject, windows in loaded:
        processes = {process for window in windows for process in of(window)}
        if not processes or any(
            of(window).keys() != processes or not sum(of(window).values()) for window in windows
        ):
            gaps.append(titled(subject))
    sentence = "Every process was read."
    if gaps:
        sentence = f"A process was not read, or all of them read 0, in {listed(gaps)}."
    return Found(f"{len(gaps)} subjects with gaps", "0", not gaps, sentence)


def _memory_read(runs: Runs) -> Found:
    """Rungs have no line for memory."""
    subjects = ((subject, runs.windows(subject)) for subject in runs.plan.subjects)
    return _read(subjects, lambda window: window.rss_mib)


def _instances(family: Family) -> Callable[[Find], Find]:
    question = "Do two instances of {} measure the same?"
    return _check(f"A/A {family}", question, (family,), MORE_BLOCKS)


def _readable(family: Family, what: str) -> Callable[[Find], Find]:
    question = f"Was the {what} of every process read in every window?"
    return _check(f"{family} read", question, (family,), READABLE)


_instances("latency")(partial(_null, "latency", "ms", mean_latency))
_readable("CPU", "CPU clock")(lambda runs: _read(runs.loaded(), lambda window: window.cpu_s))
_instances("CPU")(partial(_null, "CPU", "us", cpu))
_readable("memory", "memory")(_memory_read)
_instances("memory")(_null_memory)


@_check(
    "hop counts",
    "Does a request make no more calls than it does in most blocks?",
    ("hops",),
    "A lower rate (--rate), or a less busy machine.",
)
def _hop_counts(runs: Runs) -> Found:
    """Calls were not retried, which raises the mean over blocks and not the median.

    Fewer calls are no fault, since events of several orders may share one. Windows with several
    classes are skipped, since their mix differs by chance.
    """
    worst, where = 0.0, ""
    for subject, windows in runs.loaded():
        served = [window for window in windows if window.served and not window.classes]
        for edge in {edge for window in served for edge in window.hops}:
            calls = np.array(
                [w.hops[edge].calls / w.served if edge in w.hops else 0 for w in served]
            )
            median = float(np.median(calls))
            off = float(calls.mean()) / median - 1 if median else 1.0
            if off > worst:
                worst, where = off, f"{edge} of {titled(subject)}"
    found, sentence = f"{share(worst, 1)} more", "There is no sign of a retry."
    if where:
        sentence = f"Calls of {where} are {found} than in most blocks; some were probably retried."
    return Found(found, share(REPEATED_LIMIT), worst <= REPEATED_LIMIT, sentence)


@_check(
    "hop times",
    "Does every call take at least as long as its callee reports?",
    ("hops",),
    "Look at that edge: a clock jumped, or something else sets Server-Timing.",
)
def _hop_times(runs: Runs) -> Found:
    """The time of a callee's handler is within that of its stack, and this within the call."""
    wrong = [
        f"{edge} of {window.name}"
        for _, windows in runs.loaded()
        for window in windows
        for edge, hop in window.hops.items()
        if hop.handler_s > hop.server_s + ROUNDING_S or hop.server_s > hop.total_s + ROUNDING_S
    ]
    sentence = "All handlers are within their stacks, and these within their calls."
    if wrong:
        sentence = f"The callee of {wrong[0]} reports a longer time than the call took."
    return Found(f"{len(wrong)} that do not", "0", not wrong, sentence)


@_check(
    NOTHING_LOST, "Does the auditor find no violation in the stores of any shape?", ("books",), ANEW
)
def _audited(runs: Runs) -> Found:
    """After the load the auditor found no violation, in any shape that was to be audited."""
    plan, audits = runs.plan, runs.result.audits
    compared = _compares(runs)  # audited where it can be; A again is A
    shapes = tuple(audits) if compared else (plan.reference, plan.again, *plan.shapes)
    missing = [shape for shape in shapes if shape not in audits]
    violations = violations_of(runs)
    sentence = "The auditor found no violation of the application's laws."
    if missing:
        sentence = f"The auditor did not read the stores of {listed(missing)}."
    if violations:
        sentence = f"{violations[0]}."
    return Found(
        value=f"{len(violations)} violations",
        limit="0, of every shape",
        passed=not violations and not missing,
        sentence=sentence,
        remedy=KEEP_STORES if violations else "",
    )


def violations_of(runs: Runs) -> tuple[str, ...]:
    """What the auditor found, and orders that the stores lack, with the name of the shape."""
    return tuple(
        f"{shape}: {text}" for shape, texts in runs.result.audits.items() for text in texts
    )


def _has_ladder(runs: Runs) -> bool:
    return runs.plan.ladder and not _compares(runs)


@_check("ladder", "Is every rung of the ladder in every block?", ("latency", "CPU"), ANEW)
def _rungs(runs: Runs) -> Found | None:
    """Every rung has latency and CPU in as many blocks as were planned."""
    if not _has_ladder(runs):
        return None
    planned = max(runs.plan.blocks, FEWEST)
    counts = {
        rung: len([w for w in runs.rung(rung) if mean_latency(w) and cpu(w)]) for rung in RUNGS
    }
    gaps = [titled(rung) for rung, count in counts.items() if count < planned]
    sentence = f"All rungs from {titled(RUNGS[0])} to {titled(RUNGS[-1])} are complete."
    if gaps:
        sentence = f"Blocks are missing for {listed(gaps)}."
    found = f"{len(RUNGS) - len(gaps)} of {len(RUNGS)} rungs"
    return Found(found, f"all, in {planned} blocks", not gaps, sentence)


def _closed(ladder_of: Callable[[Runs], Ladder | None], runs: Runs) -> Found | None:
    """The residual is at most RESIDUAL of the difference, or chance explains it."""
    if not _has_ladder(runs):
        return None
    limit = f"{share(RESIDUAL)}, or {share(CHANCE_LIMIT)} by chance"
    if (ladder := ladder_of(runs)) is None:
        return Found("-", limit, passed=False, sentence="No block holds all rungs and both shapes.")
    found = f"{share(ladder.residual_share, 1)} ± {share(ladder.chance_share)} unexplained"
    sentence = closure(ladder, runs.plan.reference, runs.plan.top or "")
    return Found(found, limit, ladder.closes, sentence)


def _closure(family: Family) -> Callable[[Find], Find]:
    question = f"Do the ends of the ladder differ in {family} as much as the shapes do?"
    return _check(f"closure of {family}", question, (family,), MORE_BLOCKS)


_closure("latency")(partial(_closed, latency_ladder))
_closure("CPU")(partial(_closed, cpu_ladder))
