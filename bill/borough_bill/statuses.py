"""Exit statuses: a file of its own because every command that ends in a bill has the same."""

from borough_bill.analysis.bill import Bill
from borough_bill.analysis.families import FAMILIES

LOST, FAILED, VOID, INTERRUPTED = 1, 2, 3, 130
"""An order was lost, or a book is wrong; there is no bill; a family that was asked for is void;
Ctrl-C. 0: every family that was asked for is valid.
"""


def status(bill: Bill, *, strict: bool = False) -> int:
    """Of a bill: of all families where it is `strict`, else of those that it is made for. What two
    strangers do not let be seen is not asked for; what this machine cannot measure is, if strictly.
    """
    if bill.complaints:
        return LOST
    asked = FAMILIES if strict and bill.kind != "compare" else bill.asked
    return 0 if set(asked) <= set(bill.valid) else VOID
