"""Inventory: the menu, and stock that is never sold twice."""
