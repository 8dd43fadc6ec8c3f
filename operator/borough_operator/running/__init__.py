"""The process: what it keeps, when it looks, what it writes, what it tells of itself."""
