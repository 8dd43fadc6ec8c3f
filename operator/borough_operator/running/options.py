"""The options of the running operator. Each field is an option of `run` and, in capitals with
`PREFIX`, an environment variable.
"""

from dataclasses import dataclass

PREFIX = "BOROUGH_OPERATOR_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one operator."""

    namespaces: tuple[str, ...] = ()
    """Namespaces of scalers and targets; the operator's own if empty."""
    prometheus_url: str = ""
    """Base URL; empty: the source Prometheus is off."""
    pods_source: bool = False
    """Whether the source Pods is on, which needs the right to list pods."""
    ops_port: int = 9090
    otlp_endpoint: str = ""
    """OTLP/HTTP endpoint of spans, such as http://collector:4318; empty: none."""
    log_level: str = "info"
    resync_s: float = 300.0
    """Seconds between two full lists of a resource."""
