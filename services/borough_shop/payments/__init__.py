"""Payments: decides once, per order, whether money was taken."""
