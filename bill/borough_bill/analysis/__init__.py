"""Statistics, lines, checks and the bill: pure functions of a result."""
