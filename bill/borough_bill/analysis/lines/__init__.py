"""The lines of a bill: each family in a file, each a pure function from what was measured."""
