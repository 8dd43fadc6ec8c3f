"""The API server's side: how it is reached, and what its objects mean to us."""
