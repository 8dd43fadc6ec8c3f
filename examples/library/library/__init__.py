"""A lending library: an application of Borough that knows nothing of the shop."""
