"""The schemas, as steps that only expand: one Alembic environment, one line a capability.

Migrating is a command, never part of a start. An older version that finds a newer schema leaves it
and works with it, so a rollback of the code needs no rollback of the data.
"""

import asyncio
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


def migrate(url: str, capability: str) -> str:
    """Bring the capability's schema to its head, and answer the revision it is at then.

    At the head, or at a later revision, nothing is done. Many may call it at once. Blocks: never
    call it on an event loop. Raises WrongSettings and Unavailable.
    """
    from borough_shop.migrations.upgrade import upgrade  # noqa: PLC0415  # Alembic: 0.3 s serving can spare

    return asyncio.run(upgrade(url, capability, head(capability)))


@cache
def head(capability: str) -> str:
    """The last revision of the capability's line that this version knows."""
    return max(
        (file.stem for file in (HERE / "versions").glob(f"{capability}_*.py")),
        key=lambda revision: number(revision, capability),
    )


def is_current(found: str | None, capability: str) -> bool:
    """Whether this version can work with a schema at that revision: its head, or a later one."""
    return found is not None and number(found, capability) >= number(head(capability), capability)


def number(revision: str, capability: str) -> int:
    """The place of a revision in the capability's line; -1 for one that is not in it."""
    line, _, digits = revision.rpartition("_")
    return int(digits) if line == capability and digits.isdecimal() else -1
