"""The metrics of notifications."""

from borough_telemetry.signals import Signal, declared

PARKED = Signal("borough_notifications_parked", "Events parked after too many tries.", "counter")

ALL = declared(vars())
