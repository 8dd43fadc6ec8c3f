"""Families of lines. The lines of a family are valid or void together, by the same checks.

A file of its own because lines, checks and exit statuses use these names.
"""

from typing import Literal, get_args

Family = Literal["latency", "CPU", "memory", "hops", "failures", "books"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""The books are what the auditor reads: the rows of all stores."""
NOISE_TOLERANT: tuple[Family, ...] = ("CPU", "memory", "hops", "books")
"""Families that can be measured on a busy machine; a demonstration requires only these."""
LOADED: tuple[Family, ...] = ("latency", "CPU", "memory", "hops", "failures")
"""Families that are read from windows under load."""
