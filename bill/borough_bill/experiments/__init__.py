"""The experiments a bill is computed from, a file each: E1 ladder, E2 shapes. Of E0, validity, the
freeze is `borough_bill.load.frozen`; A/A is a second reference in every block.
"""
