"""Orders: turns a basket into exactly one order, placed and paid or rejected and undone."""
