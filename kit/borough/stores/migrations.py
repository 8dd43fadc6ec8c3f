"""The schemas, as steps that only expand: one line of revisions a capability, in its own folder.

Migrating is a command, never part of a start. An older version that finds a newer schema leaves it
and works with it, so a rollback of the code needs no rollback of the data.
"""

import asyncio
from importlib.resources.abc import Traversable

from borough.config import WrongSettings


def migrate(url: str, capability: str, folder: Traversable, *, admin: str = "") -> str:
    """Bring the capability's schema to its head, and answer the revision it is at then.

    `folder` has its revisions, a file CAPABILITY_NUMBER.py each. At the head, or at a later
    revision, nothing is done. `admin` is an address of the same PostgreSQL, by a role that makes
    the capability's role and schema where there are none (`borough.stores.roles`). Many may call it
    at once. Blocks: never call it on an event loop.
    Raises WrongSettings and Unavailable.
    """
    from borough.stores.upgrade import upgrade  # noqa: PLC0415  # Alembic: 0.3 s serving can spare

    return asyncio.run(upgrade(url, capability, folder, admin))


def head(capability: str, folder: Traversable) -> str:
    """The last revision of the capability's line that this version knows. Raises WrongSettings
    where the folder has none.
    """
    revisions = [file.name.removesuffix(".py") for file in folder.iterdir()]
    last = max(revisions, key=lambda each: number(each, capability), default="")
    if number(last, capability) < 0:
        raise WrongSettings(
            f"{capability} has no migration: there is no {capability}_0001.py in {folder}"
        )
    return last


def is_current(found: str | None, capability: str, folder: Traversable) -> bool:
    """Whether this version can work with a schema at that revision: its head, or a later one."""
    if found is None:
        return False
    return number(found, capability) >= number(head(capability, folder), capability)


def number(revision: str, capability: str) -> int:
    """The place of a revision in the capability's line; -1 for one that is not in it."""
    line, _, digits = revision.rpartition("_")
    return int(digits) if line == capability and digits.isdecimal() else -1
