"""Where a capability keeps what it knows: SQLite or PostgreSQL."""
