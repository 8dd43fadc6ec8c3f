"""The ladder: the same parts, with their boundaries standing at a chosen rung.

A boundary as shipped does many things at once. Here it does one more from rung to rung, so that the
difference between two of them is the price of one thing, and the prices add up.
"""
