"""Scales Deployments and StatefulSets by request rate, requests in flight, latency or a query."""

__version__ = "0.1.0"
