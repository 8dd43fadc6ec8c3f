"""Settings under which no time limit of the shop decides an answer.

A test that is not about deadlines takes them, because on a busy machine any request may take
two seconds. Both times count. An order whose settling finds no turn at the store within its budget
stays PENDING until one horizon after its own deadline, so a longer deadline alone makes it wait
longer.
"""

UNHURRIED = {"DEADLINE_MS": "600000", "SETTLE_BUDGET_MS": "600000"}
"""`BOROUGH_` variables without their prefix, as `LocalShape` takes them."""
