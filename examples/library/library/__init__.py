"""A lending library: an application of Borough that is independent of the shop."""
