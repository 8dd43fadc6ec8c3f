"""The pure part: what a target should have, and why. No I/O, no clock, no chance."""
