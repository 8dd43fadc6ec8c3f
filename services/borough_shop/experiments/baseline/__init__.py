"""The same order as one transaction on one database.

It leaves out the saga: no reservation, no outbox, no settling, since one commit decides everything.
Doors, rules and tables are the same. So the bill separates the cost of the saga from that of the
boundaries (its line "saga or boundary", D18).
"""
