"""What must hold before anything is believed: each check a question, asked of the measurement.

A limit stands beside its check, fixed before the data. Where one fails, the bill is void, whatever
it says.
"""
