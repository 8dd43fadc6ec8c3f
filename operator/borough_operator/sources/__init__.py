"""Where readings come from: one protocol, and two that keep it."""
