"""Other autoscalers, from their documented formulas and with their documented defaults.

Each is swept over its settings, and reads metrics by the same paths as this operator. A rival that
would do better in a real cluster than here is a defect: report it with its formula.
"""
