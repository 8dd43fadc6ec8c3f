"""The test kit, shipped: whoever builds on Borough tests with what we test with.

Twins, not mocks: a memory store passes the same conformance suite as the SQL one, and the manual
clock is a clock. Nothing in the product imports from here.
"""
