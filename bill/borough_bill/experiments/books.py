"""The audit of deployments that the bill did not start: do their stores hold every promised row?

Rows that the stores held before the first window do not count.
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
    """A deployment that may have an auditor."""

    async def audit(self) -> Audit | None:
        """The auditor's report; None where there is no auditor."""
        ...


class Books(BaseModel):
    """The rows that the stores held before the first window, by deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held: Mapping[str, Counts]


async def begin(folder: Folder, workload: str, deployments: Mapping[str, Audited]) -> Books:
    """The rows that the stores hold at the beginning of the run, also if it is resumed.

    Raises NotCounted.
    """
    found = folder.find(BOOKS, Books)
    if found is None:
        audits = await _audits(deployments)
        for audit in audits.values():
            audit.require(workload_of(workload).promised({}))
        found = folder.put(BOOKS, Books(held={at: audit.counts for at, audit in audits.items()}))
    return found


async def violations(
    folder: Folder, workload: str, deployments: Mapping[str, Audited], of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """The auditor's violations by deployment, and rows that answers promised and the stores did not
    gain. `of` names the deployment of each subject.
    """
    before, audits = await begin(folder, workload, deployments), await _audits(deployments)
    answered = {at: Counter[str]() for at in audits}
    for window in folder.windows():
        if (at := of[window.subject]) in audits:
            recording = Recording.read(folder.recording(window.block, window.subject))
            answered[at].update(recording.answered)
    promised = workload_of(workload).promised
    return {
        at: audit.with_missing(promised(answered[at]), before.held[at])
        for at, audit in audits.items()
    }


async def _audits(deployments: Mapping[str, Audited]) -> dict[str, Audit]:
    """The reports of those that have an auditor, read one after the other."""
    audits = {at: await deployment.audit() for at, deployment in deployments.items()}
    return {at: audit for at, audit in audits.items() if audit is not None}
