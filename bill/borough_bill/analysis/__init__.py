"""What the figures say: statistics, lines, checks, the bill. Pure."""
