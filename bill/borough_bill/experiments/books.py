"""Whether deployments that were given, not started, kept all that customers were told of.

What the books held before is not this run's.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from borough_bill.experiments.folder import Folder
from borough_bill.load.recording import Recording
from borough_bill.load.workload import workload as workload_of
from borough_bill.targets.audit import Audit, Counts

BOOKS = "books"


class Audited(Protocol):
    """What may have books."""

    async def audit(self) -> Audit | None:
        """What the auditor says; None where nobody knows how to read them."""
        ...


class Books(BaseModel):
    """What they held before the first window, by deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held: Mapping[str, Counts]


async def begin(folder: Folder, workload: str, deployments: Mapping[str, Audited]) -> Books:
    """What the books hold before; of a run that goes on, before its beginning.

    Raises NotCounted.
    """
    found = folder.find(BOOKS, Books)
    if found is None:
        audits = await _audits(deployments)
        for audit in audits.values():
            audit.need(workload_of(workload).promised({}))
        found = folder.put(BOOKS, Books(held={at: audit.counts for at, audit in audits.items()}))
    return found


async def complaints(
    folder: Folder, workload: str, deployments: Mapping[str, Audited], of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """The auditor's, by deployment; and the customers', where the books gained less than they were
    told of. `of` says which deployment a subject of the folder's windows is.
    """
    before, audits = await begin(folder, workload, deployments), await _audits(deployments)
    answered = {at: Counter[str]() for at in audits}
    for window in folder.windows():
        if (at := of[window.subject]) in audits:
            recording = Recording.read(folder.recording(window.block, window.subject))
            answered[at].update(recording.answered)
    promised = workload_of(workload).promised
    return {
        at: audit.complaints(promised(answered[at]), before.held[at])
        for at, audit in audits.items()
    }


async def _audits(deployments: Mapping[str, Audited]) -> dict[str, Audit]:
    """Of those that can be audited, one after the other."""
    asked = {at: await deployment.audit() for at, deployment in deployments.items()}
    return {at: audit for at, audit in asked.items() if audit is not None}
