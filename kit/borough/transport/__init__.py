"""Calls to capabilities of other parts."""
