"""Scales each target by what its users feel, and says why."""

__version__ = "0.1.0"
