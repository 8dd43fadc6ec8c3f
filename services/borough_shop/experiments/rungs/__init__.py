"""The ladder: the same parts, with boundaries that implement a chosen rung.

A shipped boundary does several things. Here each rung adds one of them, so that the difference
between two rungs is the cost of one thing, and the costs add up.
"""
