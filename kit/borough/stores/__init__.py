"""The database of a capability: SQLite or PostgreSQL."""
