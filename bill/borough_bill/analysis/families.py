"""Families of lines: what is valid or void together, because the same checks speak for it.

A file of its own because lines, checks and exit statuses use these names.
"""

from typing import Literal, get_args

Family = Literal["latency", "CPU", "memory", "hops", "failures", "books"]
FAMILIES: tuple[Family, ...] = get_args(Family)
STEADY: tuple[Family, ...] = ("CPU", "memory", "hops", "books")
"""What a busy machine can measure too: a demonstration asks for these and no others."""
LOADED: tuple[Family, ...] = ("latency", "CPU", "memory", "hops", "failures")
"""What is read from windows under load."""
