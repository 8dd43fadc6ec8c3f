"""The same order as one transaction on one database: line D18 of the bill.

What it leaves out is the saga: no reservation, no outbox, no settling, since one commit decides it
all. What it keeps is the rest: doors, rules, tables. So the bill can tell what the saga costs from
what the boundaries cost.
"""
