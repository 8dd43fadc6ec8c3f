"""The decision as pure functions: how many replicas a target should have, and why. No I/O, clock or
randomness.
"""
