"""Whether deployments that were given, not started, kept every order that customers were told of.

The auditor compares their books with each other: an order that is in none of them he cannot miss.
The customer who was told that it is placed can. What the books held before is not this run's.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from borough_bill.experiments.folder import Folder
from borough_bill.load.recording import Recording
from borough_bill.load.workload import workload as workload_of
from borough_bill.targets.audit import Audit

BOOKS, PLACED = "books", "placed"
ORDER = ("POST", "/v1/orders")
"""The request that orders."""


class Audited(Protocol):
    """What may have books."""

    async def audit(self) -> Audit | None:
        """What the auditor says; None where nobody knows how to read them."""
        ...


class Books(BaseModel):
    """Orders placed before the first window, by deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    placed: Mapping[str, int]


async def begin(folder: Folder, deployments: Mapping[str, Audited]) -> Books:
    """What the books hold before; of a run that goes on, before its beginning."""
    found = folder.find(BOOKS, Books)
    if found is None:
        audits = await _audits(deployments)
        held = {at: audit.orders.get(PLACED, 0) for at, audit in audits.items()}
        found = folder.put(BOOKS, Books(placed=held))
    return found


async def complaints(
    folder: Folder, workload: str, deployments: Mapping[str, Audited], of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """The auditor's, by deployment; and the customers', where the books gained fewer orders than
    they were told of. `of` says which deployment a subject of the folder's windows is.
    """
    before, found = await begin(folder, deployments), {}
    for at, audit in (await _audits(deployments)).items():
        found[at] = audit.violations
        told = sum(_orders(folder, workload, subject) for subject, its in of.items() if its == at)
        gained = audit.orders.get(PLACED, 0) - before.placed[at]
        if gained < told:
            lost = f"customers were told of {told} orders, the books gained {gained}"
            found[at] = (*audit.violations, lost)
    return found


async def _audits(deployments: Mapping[str, Audited]) -> dict[str, Audit]:
    """Of those that can be audited, one after the other."""
    asked = {at: await deployment.audit() for at, deployment in deployments.items()}
    return {at: audit for at, audit in asked.items() if audit is not None}


def _orders(folder: Folder, workload: str, subject: str) -> int:
    """Orders that a subject's windows placed, warm-up and all."""
    classes = workload_of(workload).classes.values()
    orders = [number for number, each in enumerate(classes) if (each.method, each.path) == ORDER]
    placed = 0
    for window in folder.windows():
        if window.subject == subject:
            sent = Recording.read(folder.recording(window.block, subject)).requests
            placed += int(np.count_nonzero(sent["ok"] & np.isin(sent["klass"], orders)))
    return placed
