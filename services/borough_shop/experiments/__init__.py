"""What the bill starts beside the shop: parts on a rung of the ladder, and the baseline.

Nothing else imports from here.
"""
