"""Other people's autoscalers, from their documented formulas and with their documented defaults.

Each may choose its target from a whole sweep, and is told through the same paths as we are. A rival
that would do better in freshness than here is a defect: say so, with its formula.
"""
