"""The runner: starts a shape as local processes, sends it orders, kills parts, asks the auditor.

It never imports `borough`. It reads the shapes as data, runs `python -m borough`, and otherwise
sees only what any client and any operator sees: the doors, the ops ports and the exit codes.
"""
