"""The same order as one transaction on one database.

It has no saga: no reservation, no outbox, no settling, since one commit is atomic. Doors, rules and
tables are the same. So the bill separates the cost of the saga from that of the boundaries (its
line "saga or boundary", D18).
"""
