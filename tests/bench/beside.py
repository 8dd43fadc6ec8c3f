"""What the subjects that compare an order have in common: its goals, and how a row is named."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from bench.harness import ratios
from bench.rows import Goal, Row
from bench.sides import COMMON_WAY

BASE = "a512365"
"""The commit that the goals are about."""
HOW = "as shipped without PBKDF2, every span exported"
IN_FLIGHT = 4
MANY, SOME = 5.0, 1.8
"""Times the usual number of blocks. Many short ones follow a machine that drifts better than a few
long ones; nine are the fewest whose interval leaves out the extreme ones."""


def compared(
    name: str,
    unit: str,
    values: Mapping[str, Sequence[float]],
    *,
    base: Goal | None = None,
    common: Goal | None = None,
) -> Iterator[Row]:
    """A row for each peer of ours, or one without a peer. The goal `base` holds beside BASE alone,
    `common` beside the common way.
    """
    ours = statistics.median(values["ours"])
    peers = [peer for peer in values if peer != "ours"]
    if not peers:
        yield Row.judged(f"{name}, {HOW}", unit, ours)
    for peer in peers:
        goal = common if peer == COMMON_WAY else base if peer.startswith(BASE) else None
        yield Row.judged(
            f"{name}, {HOW}, beside {peer}", unit, ours,
            peer=statistics.median(values[peer]), peer_name=peer,
            ratios=ratios(values["ours"], values[peer]), goal=goal,
        )  # fmt: skip  # a row reads as one
