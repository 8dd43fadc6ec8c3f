"""Borough: one coffee shop, written once, deployed in any shape."""

__version__ = "0.1.0"
