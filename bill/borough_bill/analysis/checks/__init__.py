"""The checks of a result. Each is a question with a limit that was fixed before the data.

A check that fails voids the families of lines that it speaks for.
"""
