"""Exit statuses: a file of its own because every command that ends in a bill has the same."""

from borough_bill.analysis.bill import Bill
from borough_bill.analysis.line import FAMILIES

LOST, FAILED, VOID, INTERRUPTED = 1, 2, 3, 130
"""The auditor found a violation, or an order was lost; there is no bill; a required family is void;
Ctrl-C. The status is 0 where every required family is valid.
"""


def status(bill: Bill, *, strict: bool = False) -> int:
    """The exit status of a bill. `strict` requires all families, measured or not; of a comparison,
    only those that there are figures of.
    """
    if bill.violations:
        return LOST
    required = FAMILIES if strict and bill.kind != "compare" else bill.required
    return 0 if set(required) <= set(bill.valid) else VOID
