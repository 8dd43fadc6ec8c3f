"""The sources of readings: one protocol and its two implementations, Prometheus and Pods."""
