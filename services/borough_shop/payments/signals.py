"""The metrics of payments."""

from borough_telemetry.signals import Signal, declared

VERDICTS = Signal("borough_verdicts", "Verdicts written, by outcome.", "counter", ("outcome",))

ALL = declared(vars())
