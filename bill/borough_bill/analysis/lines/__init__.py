"""The lines of a bill: a module for each topic, with pure functions of a result."""
