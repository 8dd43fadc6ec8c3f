"""A small coffee shop: the first application of Borough."""

__version__ = "0.1.0"
