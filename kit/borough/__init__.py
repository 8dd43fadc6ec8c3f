"""Borough: declare capabilities, put them together in any shape, serve them."""

__version__ = "0.1.0"
