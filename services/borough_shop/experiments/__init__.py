"""The processes that the bill starts beside the shop: parts on a rung of the ladder, the baseline.

Other packages must not import from here.
"""
