"""The running process: cache, schedule, loop, writes and telemetry."""
