"""The load generator: workload, schedule, attack, recording and result."""
