"""The language between parts: what a capability can be asked, and what it answers.

A contract is a Protocol whose methods each take one frozen message and return one. Contracts grow
by addition only: a new field has a default, an old field keeps its meaning, and a reader ignores
what it does not know. Nothing here imports more than the standard library and pydantic.
"""
